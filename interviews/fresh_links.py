"""A fresh link by email, for people whose link ran out or got lost. It only goes to the address on file."""

from uuid import UUID

from django.utils import timezone, translation
from django.utils.translation import gettext as _

from config.api.throttling import take
from crm import consent, contacts, links
from crm.channels import Content, channel
from crm.models import AccessLink
from crm.models.consent import Purpose
from crm.models.contacts import Channel
from interviews import starting
from interviews.languages import spoken
from interviews.models import Interview

LONGEST_REFERENCE = 400
PER_PERSON = {"per_second": 0, "per_minute": 1, "per_hour": 3}


def email_fresh_link(reference: str) -> bool:
    """Sends it when the reference (a token, a conversation's id, or a session's label) leads to an interview.

    What it returns is for tests: a page says the same either way.
    """
    interview = interview_of(reference)
    if interview is None or not _may_write_to(interview):
        return False
    if not take(f"person:{interview.contact_id}", bucket="fresh-link", **PER_PERSON).allowed:
        return False
    key = f"fresh-link:{interview.pk}:{timezone.now():%Y%m%d%H%M}"
    with translation.override(spoken(interview.guide.language)):
        channel("email").send(
            interview.contact,
            purpose=Purpose.TRANSACTIONAL,
            content=_content(interview, starting.another_invitation(interview).url),
            key=key,
        )
    return True


def _may_write_to(interview: Interview) -> bool:
    email = contacts.email_of(interview.contact)
    purpose = Purpose.TRANSACTIONAL
    return (
        bool(email) and consent.may_contact(interview.contact, Channel.EMAIL, purpose, address=email).allowed
    )


def interview_of(reference: str) -> Interview | None:
    rows = Interview.objects.select_related("account", "guide", "contact", "conversation__persona")
    if not reference or len(reference) > LONGEST_REFERENCE or "\x00" in reference:
        return None
    if "+" in reference:
        return _of_label(reference)
    conversation_id = _conversation_id(reference)
    found: Interview | None = (
        rows.filter(conversation_id=conversation_id).first() if conversation_id else None
    )
    return found


def _conversation_id(reference: str) -> UUID | None:
    try:
        return UUID(reference)
    except ValueError:
        link = links.find(reference, AccessLink.Purpose.CONVERSATION)
        return link.conversation_id if link else None


def _of_label(label: str) -> Interview | None:
    """The newest interview of `{user_id}+{email}`."""
    slug, _plus, address = label.partition("+")
    try:
        email = contacts.normalise_email(address)
    except contacts.InvalidAddress:
        return None
    rows = Interview.objects.filter(
        account__slug=slug, contact__addresses__kind="email", contact__addresses__value=email
    )
    found: Interview | None = rows.select_related(
        "account", "guide", "contact", "conversation__persona"
    ).first()
    return found


def _content(interview: Interview, url: str) -> Content:
    organisation = interview.account.name
    text = _(
        "Hello,\n\nyou asked for a fresh link to the interview “%(guide)s” of %(organisation)s. "
        "Here it is:\n\n%(url)s\n\n"
        "Whoever has this link can read and give your answers, so please keep it to yourself. "
        "If you did not ask for it, you need not do anything."
    )
    return Content(
        subject=_("Your link to “%(guide)s”") % {"guide": interview.guide.name[:40]},
        text=text % {"guide": interview.guide.name, "organisation": organisation, "url": url},
        button_url=url,
        button_label=_("Open the interview"),
    )
