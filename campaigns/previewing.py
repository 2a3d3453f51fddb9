"""What a campaign would do, before it does it: who gets the email, who does not, how it reads."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns import inviting, rendering, trying, wording
from campaigns.mime import HeaderInjectionError
from campaigns.models import Campaign, Recipient
from campaigns.placeholders import PlaceholderError
from campaigns.smtp import SmtpError
from config.api.ids import uuid7
from crm.contacts import InvalidAddress, email_of, normalise_email
from crm.models import Contact

SAMPLE_LINK = "/i/this-is-only-a-preview"
SAMPLE_UNSUBSCRIBE = "/u/this-is-only-a-preview"


class TestRefusedError(Exception):
    """A test email could not be sent; `str()` says why, for staff."""

    __test__ = False  # pytest collects what is called Test


@dataclass(frozen=True, slots=True)
class Audience:
    """Who waits to be invited, and why some of them will not be."""

    will_get: int
    skipped: dict[str, int]


def audience_of(campaign: Campaign) -> Audience:
    """Counts by the rules that hold at send time, some 500 people a query."""
    will_get, skipped = 0, Counter[str]()
    last = 0
    while people := _waiting(campaign, after=last):
        last = people[-1].pk
        reasons = inviting.reasons_against(campaign, [person.contact for person in people])
        skipped.update(reasons.values())
        will_get += len(people) - len(reasons)
    return Audience(will_get, dict(skipped))


def _waiting(campaign: Campaign, *, after: int) -> Sequence[Recipient]:
    rows = Recipient.objects.filter(campaign=campaign, state=Recipient.State.WAITING, pk__gt=after)
    return list(rows.order_by("pk").select_related("contact").prefetch_related("contact__addresses")[:500])


def sample(
    campaign: Campaign, *, recipient: Recipient | None = None, is_test: bool = False
) -> rendering.Email:
    """The email as this recipient, or one of them, would read it. Its links lead nowhere; no row is made.

    Raises wording.TemplateError when the template cannot be used for them.
    """
    person = recipient or campaign.recipients.select_related("contact").order_by("pk").first()
    contact = person.contact if person else Contact(name=_("Ada Lovelace"), account=campaign.account)
    filled = rendering.person_of(
        contact,
        email=(email_of(contact) if person else "") or "ada@example.com",
        columns=person.fields if person else {},
        link=settings.PUBLIC_BASE_URL + SAMPLE_LINK,
        unsubscribe=settings.PUBLIC_BASE_URL + SAMPLE_UNSUBSCRIBE,
        expires_at=timezone.now() + timedelta(days=campaign.guide.link_days),
    )
    try:
        return rendering.fill(rendering.skeleton_of(campaign), filled, delivery_id=uuid7(), is_test=is_test)
    except (HeaderInjectionError, PlaceholderError) as error:
        raise wording.TemplateError("subject", str(error)) from None


def send_test(campaign: Campaign, *, to: str, recipient: Recipient | None = None) -> str:
    """Sends the sample, marked [Test], over the campaign's server. What the server said."""
    if campaign.smtp_server is None:
        raise TestRefusedError(
            _("This campaign uses the outbox, so nothing can leave. Read the preview instead.")
        )
    try:
        address = normalise_email(to)
    except InvalidAddress as error:
        raise TestRefusedError(str(error)) from None
    email = sample(campaign, recipient=recipient, is_test=True)
    # The sample is addressed to the chosen person; only the envelope, and To, name who tests.
    wire = _readdressed(email.wire, address)
    try:
        return trying.send_now(campaign.smtp_server, recipient=address, message=wire.encode("ascii"))
    except SmtpError as error:
        why = f"{trying.ADVICE.get(error.stage, _('The server refused the email.'))} ({error.words})"
        raise TestRefusedError(why) from None


def _readdressed(wire: str, address: str) -> str:
    lines, done = [], False
    head, blank, body = wire.partition("\r\n\r\n")
    for line in head.split("\r\n"):
        if line.startswith("To: "):
            line, done = f"To: {address}", True
        elif done and line.startswith((" ", "\t")):
            continue  # a folded rest of the old To
        else:
            done = False
        lines.append(line)
    return "\r\n".join(lines) + blank + body
