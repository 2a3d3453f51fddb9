"""What follows an invitation: who is due, which email it is, and what stops it.

`stop` is the one way to stop somebody's emails. Nobody has to call it for the stop to hold: what a person did
is read from rows when their next email is due, and once more when it is about to be handed over (leaving.py).
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from campaigns import bulk, capping, queueing, reasons, rendering, scheduling, stopping
from campaigns.events import note
from campaigns.inviting import Desk, desk_of, locked, more_ways_in, put_off
from campaigns.models import Campaign, Delivery, EmailEvent, Recipient
from campaigns.models.campaigns import RecipientQuerySet
from campaigns.queueing import Letter
from campaigns.scheduling import Following, Plan
from crm.models import Contact
from interviews.models import Interview

State = Delivery.State
Stop = Recipient.Stop
# An email of theirs has not left yet: the clock looks again.
LOOK_AGAIN = timedelta(minutes=15)
UNDER_WAY = (State.QUEUED, State.DEFERRED, State.CLAIMED, State.IN_DATA)


# --- Stopping ---------------------------------------------------------------------------------------------


@transaction.atomic
def stop(people: RecipientQuerySet, reason: str, *, at: datetime | None = None) -> int:
    """Nothing more to these people by their campaigns; the first reason stays. How many it stopped.

    Whoever still waits for the invitation is skipped. Emails in the queue are cancelled; one that is being
    handed over at this moment ends as it ends.
    """
    open_ones = people.filter(stopped_at=None).exclude(state=Recipient.State.SKIPPED)
    ids = list(open_ones.values_list("pk", flat=True))
    rows = Recipient.objects.filter(pk__in=ids, stopped_at=None)
    rows.filter(state=Recipient.State.WAITING).update(state=Recipient.State.SKIPPED, skip_reason=reason)
    stopped = rows.update(stopped_at=at or timezone.now(), stop_reason=reason, next_at=None)
    _cancel_queued(ids, reason)
    return stopped


def stop_contact(contact: Contact, reason: str, *, at: datetime | None = None) -> int:
    """The same for everything a person was invited to. Who only waits is judged when they are invited."""
    return stop(Recipient.objects.filter(contact=contact, state=Recipient.State.INVITED), reason, at=at)


def stop_finished(conversation_id: UUID | None = None, *, at: datetime | None = None) -> int:
    """People whose interview is over: of one talk, or those of the last day whose hint was lost."""
    over = Interview.objects.filter(state__in=[*reasons.BY_INTERVIEW])
    if conversation_id is not None:
        over = over.filter(conversation_id=conversation_id)
    else:
        over = over.filter(completed_at__gte=(at or timezone.now()) - timedelta(days=1))
    people = Recipient.objects.filter(
        interview__in=over, state=Recipient.State.INVITED, stopped_at=None
    ).select_related("interview")
    by_reason: dict[str, list[int]] = {}
    for person in people:
        by_reason.setdefault(reasons.by_interview(person.interview), []).append(person.pk)
    return sum(stop(Recipient.objects.filter(pk__in=ids), reason) for reason, ids in by_reason.items())


def _cancel_queued(recipient_ids: Sequence[int], reason: str) -> None:
    waiting = Delivery.objects.filter(recipient__in=recipient_ids, state__in=[State.QUEUED, State.DEFERRED])
    ids = list(waiting.values_list("pk", flat=True))
    still = Delivery.objects.filter(pk__in=ids, state__in=[State.QUEUED, State.DEFERRED])
    still.update(state=State.CANCELLED, rendered="", last_reply=reason)
    gone = Delivery.objects.filter(pk__in=ids, state=State.CANCELLED).values_list("pk", flat=True)
    note(list(gone), EmailEvent.Kind.CANCELLED, detail=reason)


def plan_again(campaign: Campaign) -> int:
    """After steps or schedule were changed: everybody who is not stopped is looked at once more."""
    behind = Recipient.objects.filter(
        campaign=campaign, state=Recipient.State.INVITED, stopped_at=None, next_at=None
    )
    return behind.update(next_at=timezone.now())


# --- What is due ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sent:
    """One email of a person, as far as the clock needs it."""

    id: UUID
    step: int
    state: str
    at: datetime
    subject: str
    message_id: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of somebody who is due; exactly one of these."""

    stop: str = ""
    later: datetime | None = None
    send: Following | None = None
    leave_out: Following | None = None


def judge(person: Recipient, plan: Plan, emails: Sequence[Sent], *, reason: str, now: datetime) -> Verdict:
    """What is due for this person now; an empty verdict is the end.

    `emails` are theirs, oldest first; `reason` is why they are stopped.
    """
    if reason:
        return Verdict(stop=reason)
    if any(one.state in UNDER_WAY for one in emails):
        return Verdict(later=now + LOOK_AGAIN)
    if emails and emails[-1].state == State.FAILED:
        return Verdict(stop=Stop.FAILED)
    kept = [one for one in emails if one.state != State.CANCELLED]
    most = plan.rules.max_emails
    if most is not None and _used(person, emails) >= most:
        return Verdict(stop=Stop.MAX_EMAILS)
    following = plan.following(person.next_step)
    if not kept or following is None or person.interview is None:
        return Verdict()
    earliest = max(one.at for one in kept) + plan.wait_before(following)
    zone = plan.rules.zone_of(person.contact.time_zone)
    at = scheduling.next_open(plan.rules, max(now, earliest), zone)
    if at > now:
        return Verdict(later=at)
    if not reasons.holds(following.step, person.interview):
        return Verdict(leave_out=following)
    return Verdict(send=following)


def follow_up(campaign_id: UUID, *, seconds: float = queueing.RUN_SECONDS) -> int:
    """Queues the follow-ups that are due. Safe to run twice at once. How many people it dealt with."""
    desk = desk_of(campaign_id)
    ends_at, done = time.monotonic() + seconds, 0
    while time.monotonic() < ends_at and not stopping.is_stopping() and queueing.has_room(desk.campaign):
        taken = _chunk(desk)
        if not taken:
            break
        done += taken
    return done


@transaction.atomic
def _chunk(desk: Desk) -> int:
    now = timezone.now()
    if not Campaign.objects.filter(pk=desk.campaign.pk, state=Campaign.State.RUNNING).exists():
        return 0
    people = _due(desk.campaign, now)
    if not people:
        return 0
    emails = _emails_of(people)
    against = reasons.to_stop(desk.campaign, people)
    verdicts = {
        person.pk: judge(
            person, desk.plan, emails.get(person.pk, []), reason=against.get(person.pk, ""), now=now
        )
        for person in people
    }
    verdicts |= _capped(desk, [person for person in people if verdicts[person.pk].send], now)
    _write(desk, people, verdicts, emails, now)
    return len(people)


def _due(campaign: Campaign, now: datetime) -> list[Recipient]:
    invited = Recipient.objects.due(at=now).filter(campaign=campaign, state=Recipient.State.INVITED)
    found = locked(invited).select_related("contact__account", "interview__conversation")
    return list(found.prefetch_related("contact__addresses").order_by("pk"))


def _emails_of(people: Iterable[Recipient]) -> dict[int, list[Sent]]:
    """Recipient → their emails since they were last tried from the beginning, oldest first.

    Without a time of sending the time of queueing counts.
    """
    theirs = Delivery.objects.filter(recipient__in=[person.pk for person in people])
    rows = theirs.exclude(key__startswith=queueing.FORMER).order_by("step", "pk")
    found: dict[int, list[Sent]] = {}
    for row in rows.values(
        "recipient_id", "pk", "step", "state", "sent_at", "created_at", "subject", "message_id"
    ):
        at = row["sent_at"] or row["created_at"]
        sent = Sent(row["pk"], row["step"], row["state"], at, row["subject"], row["message_id"])
        found.setdefault(row["recipient_id"], []).append(sent)
    return found


def _capped(desk: Desk, ready: Sequence[Recipient], now: datetime) -> dict[int, Verdict]:
    """Those of them who have reached the cap over all campaigns: put off until it lets one more through."""
    if desk.cap is None or not ready:
        return {}
    contacts = [person.contact_id for person in ready]
    capping.lock(contacts)
    free = capping.free_at(desk.cap, contacts, at=now)
    return {
        person.pk: Verdict(later=free[person.contact_id]) for person in ready if person.contact_id in free
    }


def _write(
    desk: Desk,
    people: Sequence[Recipient],
    verdicts: dict[int, Verdict],
    emails: dict[int, list[Sent]],
    now: datetime,
) -> None:
    sending = [person for person in people if verdicts[person.pk].send]
    refused = _queue(desk, sending, verdicts, emails)
    stops: dict[str, list[int]] = {Stop.FAILED: list(refused)} if refused else {}
    moved, later = [], {}
    for person in people:
        verdict = verdicts[person.pk]
        if verdict.stop:
            stops.setdefault(verdict.stop, []).append(person.pk)
        elif verdict.later:
            later[person.pk] = verdict.later
        elif person.pk not in refused:
            _move(person, desk.plan, verdict, emails=_used(person, emails.get(person.pk, [])), now=now)
            moved.append(person)
    put_off([person for person in people if person.pk in later], later)
    bulk.save_each(moved, ["next_step", "next_at"])
    for reason, ids in stops.items():
        stop(Recipient.objects.filter(pk__in=ids), reason, at=now)


def _used(person: Recipient, emails: Sequence[Sent]) -> int:
    """How many of their emails they have had. The account may know of some that it sent itself."""
    return max(person.emails_sent, sum(one.state != State.CANCELLED for one in emails))


def _move(person: Recipient, plan: Plan, verdict: Verdict, *, emails: int, now: datetime) -> None:
    """Sets the clock for the step after the one that was sent or left out."""
    passed = verdict.send or verdict.leave_out
    if passed is None:
        person.next_at = None
        return
    person.next_step = passed.number + 1
    person.next_at = plan.due_after(passed.number, emails=emails + bool(verdict.send), now=now)


def _queue(
    desk: Desk, people: Sequence[Recipient], verdicts: dict[int, Verdict], emails: dict[int, list[Sent]]
) -> set[int]:
    ways_in = more_ways_in(people)
    skeletons: dict[int, rendering.Skeleton] = {}
    letters = []
    for person in people:
        following = verdicts[person.pk].send
        if following is None or person.pk not in ways_in:
            continue
        step, first = following.step, emails[person.pk][0]
        if step.pk not in skeletons:
            skeletons[step.pk] = rendering.skeleton_of(desk.campaign, step.template)
        skeleton = rendering.in_thread(
            skeletons[step.pk],
            message_id=first.message_id,
            subject=first.subject if step.keeps_subject else "",
        )
        letters.append(Letter(person, ways_in[person.pk], skeleton, following.number))
    return queueing.queue(desk.campaign, letters)
