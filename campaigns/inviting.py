"""From recipients to invitations: an interview, its link and a queued email for each, a chunk at a time.

A chunk is one transaction: a worker killed anywhere leaves each person either waiting or invited with
their email queued, never in between.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from campaigns import bulk, capping, queueing, reasons, rendering, scheduling, splitting, stopping
from campaigns.models import Campaign, Recipient
from campaigns.models.campaigns import RecipientQuerySet
from campaigns.queueing import CHUNK, Letter
from campaigns.splitting import Split
from interviews import starting
from interviews.starting import Invitation

CLOCK_FIELDS = ["interview_id", "state", "skip_reason", "variant", "invited_at", "next_step", "next_at"]


@dataclass(frozen=True, slots=True)
class Report:
    invited: int
    # More people wait, and there is room for them.
    is_more: bool


@dataclass(frozen=True, slots=True)
class Desk:
    """What one run knows of its campaign."""

    campaign: Campaign
    plan: scheduling.Plan
    cap: capping.Cap | None
    split: Split | None
    skeletons: dict[str, rendering.Skeleton]

    @property
    def rules(self) -> scheduling.Rules:
        return self.plan.rules


def desk_of(campaign_id: UUID) -> Desk:
    related = ("account", "guide__persona", "template", "smtp_server", "schedule", "split_test__template_b")
    campaign: Campaign = Campaign.objects.select_related(*related).get(pk=campaign_id)
    split = splitting.split_of(campaign)
    return Desk(
        campaign,
        scheduling.plan_of(campaign),
        capping.cap_of(campaign.account),
        split,
        splitting.skeletons_of(campaign),
    )


def invite_people(campaign_id: UUID, *, seconds: float = queueing.RUN_SECONDS) -> Report:
    """Invites those who are due, as far ahead of the sender as makes sense. Safe to run twice at once."""
    desk = desk_of(campaign_id)
    ends_at, invited = time.monotonic() + seconds, 0
    while time.monotonic() < ends_at and not stopping.is_stopping():
        if not queueing.has_room(desk.campaign):
            return Report(invited, is_more=False)
        taken = _invite_chunk(desk)
        if not taken:
            return Report(invited, is_more=False)
        invited += taken
    return Report(invited, is_more=True)


@transaction.atomic
def _invite_chunk(desk: Desk) -> int:
    """How many people it dealt with; 0 when nobody is due or the campaign does not run."""
    now = timezone.now()
    room = _room_today(desk, now)
    if room == 0:
        return 0
    people = _due(desk.campaign, now)
    if not people:
        return 0
    allowed = _on_time(desk, _allowed(desk.campaign, people), now)
    if room is not None:
        allowed = allowed[:room]  # the others stay due, for the next day
    if allowed:
        _invite(desk, allowed, now)
    return len(people)


def _room_today(desk: Desk, now: datetime) -> int | None:
    """How many more may be invited today, counted under the campaign's lock; None without a limit.

    0 also when the campaign does not run.
    """
    running = Campaign.objects.filter(pk=desk.campaign.pk, state=Campaign.State.RUNNING)
    most = desk.rules.max_invitations_a_day
    if most is None:
        return None if running.exists() else 0
    if running.select_for_update(no_key=True).values_list("pk", flat=True).first() is None:
        return 0
    today = desk.campaign.recipients.filter(invited_at__gte=scheduling.day_began(desk.rules, now))
    return max(0, most - today.count())


def _due(campaign: Campaign, now: datetime) -> list[Recipient]:
    waiting = Recipient.objects.due(at=now).filter(campaign=campaign, state=Recipient.State.WAITING)
    found = locked(waiting).select_related("contact__account", "interview__conversation")
    return list(found.prefetch_related("contact__addresses").order_by("pk"))


def locked(rows: RecipientQuerySet) -> RecipientQuerySet:
    """A chunk of these people, the longest due first, this transaction's alone: other workers pass over them.

    SQLite has no such locks and needs none: its transactions follow one another.
    """
    chunk = rows.select_for_update(skip_locked=True).order_by("next_at", "pk")
    return Recipient.objects.filter(pk__in=list(chunk.values_list("pk", flat=True)[:CHUNK]))


def _allowed(campaign: Campaign, people: Sequence[Recipient]) -> list[Recipient]:
    """Those who may be invited. The others are skipped with the reason; it is asked again at send time."""
    against = reasons.against_inviting(campaign, [person.contact for person in people])
    by_reason: dict[str, list[int]] = {}
    for person in people:
        if reason := against.get(person.contact_id) or reasons.by_interview(person.interview):
            by_reason.setdefault(reason, []).append(person.pk)
    for reason, ids in by_reason.items():
        skip(ids, reason=reason)
    skipped = {pk for ids in by_reason.values() for pk in ids}
    return [person for person in people if person.pk not in skipped]


def skip(ids: Sequence[int], *, reason: str) -> None:
    Recipient.objects.filter(pk__in=ids).update(
        state=Recipient.State.SKIPPED, skip_reason=reason[:60], next_at=None
    )


def _on_time(desk: Desk, people: Sequence[Recipient], now: datetime) -> list[Recipient]:
    """Those whose window is open, whose version is known and who are below the cap; others are put off."""
    moments = {person.pk: _moment(desk, person, now) for person in people}
    ready = [person for person in people if moments[person.pk] <= now]
    if desk.cap is not None and ready:
        contacts = [person.contact_id for person in ready]
        capping.lock(contacts)
        free = capping.free_at(desk.cap, contacts, at=now)
        moments |= {person.pk: free[person.contact_id] for person in ready if person.contact_id in free}
    put_off([person for person in people if moments[person.pk] > now], moments)
    return [person for person in ready if moments[person.pk] <= now]


def _moment(desk: Desk, person: Recipient, now: datetime) -> datetime:
    zone = person.contact.time_zone
    rules = desk.rules
    if person.interview is not None and person.interview.requested_at is not None:
        # The account asked for this very interview: it does not wait for the time of the new people.
        rules = replace(rules, daily_at=None)
    at = scheduling.invitation_at(rules, added_at=person.created_at, now=now, time_zone=zone)
    if desk.split is None:
        return at
    person.variant = desk.split.variant_of(person.contact_id)
    return at if person.variant else max(at, desk.split.looks_again_at(now))


def put_off(people: Iterable[Recipient], moments: dict[int, datetime]) -> None:
    later = list(people)
    for person in later:
        person.next_at = moments[person.pk]
    bulk.save_each(later, ["next_at"])


def _invite(desk: Desk, people: Sequence[Recipient], now: datetime) -> None:
    ways_in = _ways_in(desk.campaign, people)
    letters = [Letter(person, ways_in[person.pk], desk.skeletons[person.variant]) for person in people]
    refused = queueing.queue(desk.campaign, letters)
    for person in people:
        person.interview, person.state = ways_in[person.pk].interview, Recipient.State.INVITED
        person.invited_at, person.next_step = now, 1
        # Some may have got emails from elsewhere before; the account says so.
        person.next_at = desk.plan.due_after(0, emails=person.emails_sent + 1, now=now)
        if person.pk in refused:
            person.state, person.skip_reason = Recipient.State.SKIPPED, "line break in the name"
            person.next_at = None
    bulk.save_each(people, CLOCK_FIELDS)


def _ways_in(campaign: Campaign, people: Sequence[Recipient]) -> dict[int, Invitation]:
    """A new interview for each, or one more link to the interview they have already."""
    new = [person for person in people if person.interview is None]
    made = starting.invite_many(campaign.guide, [person.contact for person in new])
    found = {person.pk: invitation for person, invitation in zip(new, made, strict=True)}
    return found | more_ways_in(person for person in people if person.interview is not None)


def more_ways_in(people: Iterable[Recipient]) -> dict[int, Invitation]:
    """Recipient → one more link to their interview. Read with the interview's conversation."""
    known = {person.pk: person.interview for person in people if person.interview is not None}
    return dict(zip(known, starting.ways_in(list(known.values())), strict=True))
