"""The candidate of the environment (CANDIDATE_…): a contact whose consent the operator answers for."""

from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from config.api.models import Account
from crm import consent, contacts
from crm.models import Consent, Contact
from crm.models.consent import Purpose
from crm.models.contacts import Channel

SOURCE = "operator"


class NoCandidate(Exception):  # noqa: N818
    """The environment names nobody that could be called; the text says what to set."""


def of_environment(account: Account) -> Contact:
    """The contact, made the first time. Raises NoCandidate."""
    if not settings.CANDIDATE_PHONE or account.slug != settings.CANDIDATE_ACCOUNT:
        raise NoCandidate(_("Name a candidate_id, or set CANDIDATE_PHONE in the environment."))
    try:
        contact, _is_new = contacts.resolve(
            account,
            email=settings.CANDIDATE_EMAIL,
            phone=settings.CANDIDATE_PHONE,
            name=settings.CANDIDATE_NAME,
            source=SOURCE,
            time_zone=settings.CANDIDATE_TIME_ZONE,
        )
    except contacts.InvalidAddress as error:
        words = _("Invalid phone number format. Use +1234567890, with the country code: %(why)s")
        raise NoCandidate(words % {"why": error}) from None
    _record_consent(contact)
    return contact


def _record_consent(contact: Contact) -> None:
    """Once: whoever put the number into the environment says that the person agreed to be called.

    What the person said themselves, before or after, counts for more.
    """
    said = Consent.objects.filter(contact=contact, channel=Channel.PHONE, purpose=Purpose.INVITATION)
    if not said.exists():
        evidence = {"setting": "CANDIDATE_PHONE"}
        consent.record(
            contact, Channel.PHONE, Purpose.INVITATION, given=True, source=SOURCE, evidence=evidence
        )


def masked() -> dict[str, Any]:
    """For everybody: enough to recognise the candidate, too little to reach them."""
    name, phone, email = settings.CANDIDATE_NAME, settings.CANDIDATE_PHONE, settings.CANDIDATE_EMAIL
    return {
        "name": f"{name[:1]}…" if name else "",
        "phone": consent.hint_of(Channel.PHONE, phone) if phone else "",
        "email": consent.hint_of(Channel.EMAIL, email) if email else "",
        "position": settings.CANDIDATE_POSITION,
        "company": settings.CANDIDATE_COMPANY,
    }
