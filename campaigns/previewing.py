"""What a campaign would do, before it does it: who gets the email, who does not, how it reads."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import OuterRef, Q, Subquery
from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns import reasons, rendering, scheduling, trying, wording
from campaigns.mime import HeaderInjectionError
from campaigns.models import Campaign, EmailTemplate, Recipient, Step
from campaigns.placeholders import PlaceholderError
from campaigns.smtp import SmtpError
from config.api.ids import uuid7
from config.api.models import digest
from crm import consent
from crm.contacts import InvalidAddress, email_of, normalise_email
from crm.models import Consent, Contact, ContactAddress
from crm.models.consent import Purpose
from crm.models.contacts import Channel

SHOWN_EMAILS = 12
Wait = tuple[str, datetime | None]  # a time zone, and when its people may be invited
SAMPLE_LINK = "/i/this-is-only-a-preview"
SAMPLE_UNSUBSCRIBE = "/u/this-is-only-a-preview"


class TestRefusedError(Exception):
    """A test email could not be sent; `str()` says why, for staff."""

    __test__ = False  # pytest collects what is called Test


@dataclass(frozen=True, slots=True)
class Audience:
    """Who waits to be invited, why some of them will not be, and when the first email leaves to how many."""

    will_get: int
    skipped: dict[str, int]
    # The first email at the earliest, for people of one time zone; the cap on emails may put some off.
    opens: tuple["Opening", ...] = ()


@dataclass(frozen=True, slots=True)
class Opening:
    time_zone: str
    at: datetime
    people: int


@dataclass(frozen=True, slots=True)
class PlannedEmail:
    """One email that somebody gets, at the earliest, by their own clock. The invitation has no `step`."""

    number: int
    at: datetime
    template: EmailTemplate
    step: Step | None = None

    @property
    def condition(self) -> str:
        """What is looked at when the email is due."""
        return self.step.condition if self.step else ""


@dataclass(frozen=True, slots=True)
class PlannedPerson:
    """`reason` is why somebody is skipped; then nothing is planned."""

    recipient: Recipient
    address: str
    zone: str
    reason: str = ""
    emails: tuple[PlannedEmail, ...] = ()


def audience_of(campaign: Campaign) -> Audience:
    """Counts by the rules that hold at send time, in three queries however many people there are."""
    suppressed = consent.in_force(campaign.account, Channel.EMAIL, Purpose.INVITATION)
    refused = _refused(campaign)
    rules, skipped, waits = scheduling.rules_of(campaign), Counter[str](), Counter[Wait]()
    for contact, is_active, zone, address, added_at in _waiting(campaign):
        reason = _reason(is_active, address, suppressed) or ("declined" if contact in refused else "")
        if reason:
            skipped[reason] += 1
        else:
            waits[zone, scheduling.invited_from(rules, added_at) if rules.daily_at else None] += 1
    return Audience(waits.total(), dict(skipped), _openings(campaign, rules, waits))


def _waiting(campaign: Campaign) -> Iterator[tuple[UUID, bool, str, str | None, datetime]]:
    """Of all who wait, a page in memory: contact, whether it may be used, time zone, primary address, and
    when they were added.
    """
    primary = ContactAddress.objects.filter(contact=OuterRef("contact"), kind=ContactAddress.Kind.EMAIL)
    rows = Recipient.objects.filter(campaign=campaign, state=Recipient.State.WAITING).annotate(
        address=Subquery(primary.order_by("-is_primary", "pk").values("value")[:1]),
        usable=Q(contact__is_active=True, contact__erased_at=None),
    )
    columns = ("contact_id", "usable", "contact__time_zone", "address", "created_at")
    return rows.order_by().values_list(*columns).iterator(chunk_size=2000)


def _reason(is_usable: bool, address: str | None, suppressed: Mapping[str, str]) -> str:
    if not is_usable:
        return "inactive"
    return suppressed.get(digest(address), "") if address else "no_address"


def _refused(campaign: Campaign) -> set[UUID]:
    """People whose latest word on invitations by email was no."""
    words = Consent.objects.filter(
        contact__recipients__campaign=campaign, channel=Channel.EMAIL, purpose=Purpose.INVITATION
    )
    latest = dict(words.order_by("at", "id").values_list("contact_id", "given"))
    return {contact for contact, given in latest.items() if not given}


def _openings(campaign: Campaign, rules: scheduling.Rules, waits: Mapping[Wait, int]) -> tuple[Opening, ...]:
    now = _starts_at(campaign)
    found = Counter[tuple[datetime, str]]()
    for (name, not_before), people in waits.items():
        zone = rules.zone_of(name)
        found[scheduling.next_open(rules, max(now, not_before or now), zone), str(zone)] += people
    return tuple(Opening(zone, at, people) for (at, zone), people in sorted(found.items()))


def _starts_at(campaign: Campaign) -> datetime:
    """Its scheduled start, else now."""
    now = timezone.now()
    planned = campaign.scheduled_at if campaign.state == Campaign.State.SCHEDULED else None
    return max(now, planned) if planned else now


def plan_for(campaign: Campaign, people: Sequence[Recipient], *, ahead: int = 0) -> list[PlannedPerson]:
    """What each of these people would get, and when, should they never answer.

    Read with contacts and addresses, in the order of their invitations; `ahead` of the first are so many
    others, which counts where invitations of a day are limited. What the server's own limits or the cap on
    emails delay is not in it.
    """
    plan, start = scheduling.plan_of(campaign), _starts_at(campaign)
    against = reasons.against_inviting(campaign, [person.contact for person in people])
    planned = []
    for person in people:
        reason = against.get(person.contact_id, "") or person.skip_reason
        begins = start + _days_later(plan, ahead)
        emails = () if reason else tuple(_emails(campaign, plan, person, begins))
        zone = plan.rules.zone_of(person.contact.time_zone)
        planned.append(PlannedPerson(person, email_of(person.contact), zone.key, reason, emails))
        ahead += not reason
    return planned


def _days_later(plan: scheduling.Plan, ahead: int) -> timedelta:
    most = plan.rules.max_invitations_a_day
    return timedelta(days=ahead // most) if most else timedelta(0)


def _emails(
    campaign: Campaign, plan: scheduling.Plan, person: Recipient, begins: datetime
) -> Iterator[PlannedEmail]:
    """At most SHOWN_EMAILS of them: a step may be repeated up to a thousand times."""
    zone = plan.rules.zone_of(person.contact.time_zone)
    at = scheduling.invitation_at(
        plan.rules, added_at=person.created_at, now=begins, time_zone=person.contact.time_zone
    )
    yield PlannedEmail(0, at.astimezone(zone), campaign.template)
    number = 0
    for _count in range(1, min(plan.rules.max_emails or SHOWN_EMAILS, SHOWN_EMAILS)):
        following = plan.following(number + 1)
        if following is None:
            return
        at = scheduling.next_open(plan.rules, at + plan.wait_before(following), zone)
        number = following.number
        yield PlannedEmail(number, at.astimezone(zone), following.step.template, following.step)


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
        return trying.send_now(campaign.smtp_server, recipient=address, message=wire.encode())
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
