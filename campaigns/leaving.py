"""The last look before an email leaves: may it go, now, to this person? In few queries for many emails.

What was true when an email was queued is asked again: somebody may have answered, finished, unsubscribed, or
gone to sleep meanwhile.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.utils import timezone

from campaigns import capping, reasons, scheduling
from campaigns.models import Campaign, Delivery, Recipient
from campaigns.scheduling import Plan
from config.api.models import Account
from config.api.prepared import PreparedRows, among
from crm import consent
from crm.models.contacts import Channel

# Of a person, to judge whether their email may leave.
JUDGED = (
    "campaign",
    "stopped_at",
    "stop_reason",
    "interview",
    "interview__state",
    "interview__expires_at",
    "interview__conversation",
)

_accounts = PreparedRows(lambda: Account.objects.filter(among(Account, "id", name="ids")))
_campaigns = PreparedRows(
    lambda: (
        Campaign.objects.filter(among(Campaign, "id", name="ids"))
        .select_related("account", "schedule")
        .order_by()
    )
)
# Only what is judged: this is read for every email that leaves.
_judged = PreparedRows(
    lambda: (
        Recipient.objects.filter(among(Recipient, "id", name="ids"))
        .select_related("interview")
        .only(*JUDGED)
        .order_by()
    )
)


@dataclass(frozen=True, slots=True)
class Held:
    """Why an email does not leave now: never (`reason`), or not before `later`."""

    reason: str
    later: datetime | None = None


def held_back(deliveries: Sequence[Delivery], *, at: datetime | None = None) -> dict[UUID, Held]:
    """Delivery → why it stays; whoever is not in it may go. Read with their contacts."""
    now = at or timezone.now()
    accounts = {one.pk: one for one in _accounts(ids={one.account_id for one in deliveries})}
    held = _refused(deliveries, accounts, now)
    of_campaigns = [one for one in deliveries if one.recipient_id and one.pk not in held]
    if not of_campaigns:
        return held
    people = _people(of_campaigns)
    plans = _plans({person.campaign_id for person in people.values()})
    taken_over = reasons.taken_over(person.interview for person in people.values())
    for one in of_campaigns:
        person = people.get(one.recipient_id or 0)
        if person is None:  # deleted since it was read, and the email with it
            held[one.pk] = Held("deleted")
            continue
        found = _judge(one, person, plans[person.campaign_id], taken_over, now)
        if found is not None:
            held[one.pk] = found
    return held | _capped([one for one in of_campaigns if one.pk not in held], accounts, now)


def _refused(
    deliveries: Iterable[Delivery], accounts: Mapping[int, Account], now: datetime
) -> dict[UUID, Held]:
    """Those whom consent refuses, purpose by purpose, each at the address of this email."""
    groups: dict[tuple[int, str], list[Delivery]] = {}
    for one in deliveries:
        groups.setdefault((one.account_id, one.purpose), []).append(one)
    held: dict[UUID, Held] = {}
    for (account, purpose), group in groups.items():
        asked = [(one.contact, one.to_email) for one in group]
        said = consent.verdicts(accounts[account], Channel.EMAIL, purpose, asked, at=now)
        verdicts = zip(group, said, strict=True)
        held |= {one.pk: Held(verdict.reason) for one, verdict in verdicts if not verdict.allowed}
    return held


def _people(deliveries: Iterable[Delivery]) -> dict[int, Recipient]:
    return {person.pk: person for person in _judged(ids={one.recipient_id for one in deliveries})}


def _plans(campaigns: Collection[UUID]) -> dict[UUID, Plan]:
    found = {one.pk: one for one in _campaigns(ids=campaigns)}
    steps = scheduling.steps_of(found)
    return {pk: Plan(scheduling.rules_of(campaign), steps.get(pk, ())) for pk, campaign in found.items()}


def _judge(
    delivery: Delivery, person: Recipient, plan: Plan, taken_over: Collection[UUID], now: datetime
) -> Held | None:
    if person.stopped_at is not None and person.stop_reason != Recipient.Stop.FAILED:
        return Held(person.stop_reason)
    if reason := reasons.by_interview(person.interview):
        return Held(reason)
    if person.interview is not None and person.interview.conversation_id in taken_over:
        return Held(Recipient.Stop.TAKEN_OVER)
    if delivery.step:
        following = plan.following(delivery.step)
        if following is None or not reasons.holds(following.step, person.interview):
            return Held(reasons.CONDITION)
    opens = scheduling.next_open(plan.rules, now, plan.rules.zone_of(delivery.contact.time_zone))
    return Held("outside the sending window", opens) if opens > now else None


def _capped(
    deliveries: Iterable[Delivery], accounts: Mapping[int, Account], now: datetime
) -> dict[UUID, Held]:
    by_account: dict[int, list[Delivery]] = {}
    for one in deliveries:
        by_account.setdefault(one.account_id, []).append(one)
    held: dict[UUID, Held] = {}
    for account, group in by_account.items():
        cap = capping.cap_of(accounts[account])
        free = capping.free_to_leave(cap, [one.contact_id for one in group], at=now) if cap else {}
        held |= {
            one.pk: Held("the cap on emails to one person", free[one.contact_id])
            for one in group
            if one.contact_id in free
        }
    return held
