"""A batch of calls at work: who is called next, what came of whom, and when it pauses itself.

Each person is claimed in a row, under the batch's lock, before anything is asked of Twilio; so two workers
never call one person, and never more people at once than the batch allows. What became of a claim is read
from the rows of its calls, also after a kill.
"""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from voice import batches, booking, calls, gates, retrying, slots_of_environment
from voice.models import CallBatch, Callee, PhoneCall

Place, Line = Callee.State, PhoneCall.Line
LEASE = timedelta(minutes=5)  # longer than Twilio may take to answer; then whoever claimed is dead
LATER = timedelta(minutes=15)  # somebody else talks with this person just now
NOT_PLACED = "not_placed"


@dataclass(frozen=True, slots=True)
class Standing:
    """How a person of a batch stands; `next_at` is for those who wait."""

    state: str
    next_at: datetime | None = None
    outcome: str = ""
    reason: str = ""


def dial(batch_id: UUID, *, seconds: float) -> bool:
    """Calls whoever is due, for so long. True when there is more to do at once."""
    ends = time.monotonic() + seconds
    batch = CallBatch.objects.select_related("account").filter(pk=batch_id).first()
    if batch is None:
        return False
    settle_open(batch, now=timezone.now())
    if batch.state == CallBatch.State.CANCELLED:  # a call that went on then is followed by none
        batches.drop_waiting(batch.pk)
    if batch.state != CallBatch.State.RUNNING or batches.finish(batch.pk):
        return False
    if _paused(batch, _keeps_from_calling(batch)):
        return False
    while True:
        if _paused(batch, _failures_in_a_row(batch)):
            return False
        if (callee := claim(batch, now=timezone.now())) is None:
            break
        call(batch, callee)
        if time.monotonic() > ends:
            return True
    batches.finish(batch.pk)
    return False


def at_work() -> set[UUID]:
    """Batches that something is to be done or learnt for: running ones, and calls of others that go on."""
    running = CallBatch.objects.filter(state=CallBatch.State.RUNNING).values_list("pk", flat=True)
    still = Callee.objects.filter(state__in=Callee.OPEN).values_list("batch", flat=True).distinct()
    return {*running, *still}


# --- what keeps a batch from calling ------------------------------------------------------------


def _paused(batch: CallBatch, reason: str) -> bool:
    return bool(reason) and (batches.pause(batch.pk, reason=reason) or True)


def _keeps_from_calling(batch: CallBatch) -> str:
    """What would fail for everybody, in words for people; empty when nothing does."""
    try:
        calls.check_setup()
    except calls.CannotCall as error:
        return error.text
    slots_of_environment.offer(batch.account, now=timezone.now())
    if not booking.slots_of(batch.account):
        return _("No time is on offer. Add time slots, then resume.")
    return ""


def _failures_in_a_row(batch: CallBatch) -> str:
    """Why the batch pauses: its latest calls, so far as known, could all not be placed. Read from rows."""
    since = batch.resumed_at or batch.created_at
    known = batch.people.filter(Q(state=Place.UNKNOWN) | ~Q(outcome=""), called_at__gte=since)
    latest = list(known.order_by("-called_at").values_list("pk", "state", "outcome")[: batch.pause_after])
    failed = [pk for pk, state, outcome in latest if state == Place.UNKNOWN or outcome == NOT_PLACED]
    if len(failed) < batch.pause_after:
        return ""
    errors = PhoneCall.objects.filter(callee=failed[0]).order_by("-attempt").values_list("error", flat=True)
    words = _("%(n)d calls in a row could not be placed. The last: %(why)s")
    return words % {"n": len(failed), "why": errors.first() or _("it is not known whether it rang")}


# --- one person ---------------------------------------------------------------------------------


def claim(batch: CallBatch, *, now: datetime) -> Callee | None:
    """The next who is due, if the batch runs and has room for one more call."""
    with transaction.atomic():
        rows = CallBatch.objects.select_for_update().filter(pk=batch.pk, state=CallBatch.State.RUNNING)
        locked = rows.first()
        if locked is None or _in_progress(locked, now=now) >= locked.calls_at_once:
            return None
        due = locked.people.filter(state=Place.WAITING, next_at__lte=now)
        callee = due.select_related("contact__account").order_by("next_at", "id").first()
        if callee is None:
            return None
        callee.state, callee.next_at, callee.called_at = Place.CLAIMED, None, now
        callee.outcome = callee.reason = ""
        callee.save(update_fields=["state", "next_at", "called_at", "outcome", "reason"])
    return callee


def _in_progress(batch: CallBatch, *, now: datetime) -> int:
    """Calls that are, or may be: an unknown one may ring as long as a call can last."""
    may_ring = Q(state=Place.UNKNOWN, called_at__gt=now - calls.STALE)
    return batch.people.filter(Q(state__in=[Place.CLAIMED, Place.CALLING]) | may_ring).count()


def call(batch: CallBatch, callee: Callee) -> None:
    """Rings whom we claimed, by the rules of any other call, and notes what is known of it then."""
    assert callee.called_at is not None
    latest = _latest(callee)
    try:
        if latest is None:
            contact, by = callee.contact, batch.created_by
            calls.place(contact, _about(batch, callee), by=by, now=callee.called_at, callee=callee)
        else:
            retrying.call_again(latest.pk, now=callee.called_at)
    except calls.CannotCall as error:
        if not _is_asked(callee, _latest(callee)):
            _note(callee, _put_off(callee, error))
            return
    settle(callee, now=timezone.now(), is_dialled=True)


def _about(batch: CallBatch, callee: Callee) -> calls.About:
    company = batch.company or callee.contact.account.name
    return calls.About(company=company, position=batch.position or callee.contact.role)


def _put_off(callee: Callee, error: calls.CannotCall) -> Standing:
    """Nobody was called: later, or not at all."""
    now = timezone.now()
    if error.code in retrying.OF_OUR_SETUP:  # it came about this moment; the next look pauses the batch
        return Standing(Place.WAITING, now)
    if error.code == "ALREADY_CALLING":
        return Standing(Place.WAITING, now + LATER)
    if error.code == "OUTSIDE_HOURS":
        number = gates.number_of(callee.contact)
        if at := gates.next_hour(callee.contact, number, after=now):
            return Standing(Place.WAITING, at)
    return Standing(Place.SKIPPED, reason=reason_of(error.code, error.details))


def reason_of(code: str, details: dict[str, Any]) -> str:
    """One word for why somebody is not called: no_consent, declined, unsubscribe, no_phone_number …"""
    return str(details.get("reason") or code.lower())[:40]


# --- what came of whom --------------------------------------------------------------------------


def settle_open(batch: CallBatch, *, now: datetime) -> None:
    """Those that a call may have ended for, or whose worker may have died."""
    for callee in batch.people.filter(state__in=Callee.OPEN).order_by("called_at"):
        settle(callee, now=now)


def settle(callee: Callee, *, now: datetime, is_dialled: bool = False) -> None:
    """Brings a person's row up to the rows of their calls. `is_dialled`: whoever claimed them is through."""
    found = _standing(callee, _latest(callee), now=now, is_dialled=is_dialled)
    if found is not None and found.state != callee.state:
        _note(callee, found)


def _latest(callee: Callee) -> PhoneCall | None:
    return callee.calls.order_by("-attempt").first()


def _is_asked(callee: Callee, latest: PhoneCall | None) -> bool:
    """Whether this claim has a call of its own."""
    return latest is not None and callee.called_at is not None and latest.started_at >= callee.called_at


def _standing(
    callee: Callee, latest: PhoneCall | None, *, now: datetime, is_dialled: bool
) -> Standing | None:
    """None: nothing is known yet, and somebody is at it."""
    if callee.state == Place.CLAIMED and not _is_asked(callee, latest):
        if not is_dialled and callee.called_at is not None and callee.called_at > now - LEASE:
            return None
        if latest is None:  # its worker died before the call had a row: nobody was rung
            return Standing(Place.WAITING, now)
    if latest is None:  # deleted
        return Standing(Place.DONE)
    if not _is_over(latest, now=now):
        return Standing(Place.UNKNOWN if _is_unknown(latest, now=now) else Place.CALLING)
    if latest.retry_at is not None:
        return Standing(Place.WAITING, latest.retry_at, latest.outcome)
    return Standing(Place.DONE, outcome=latest.outcome)


def _is_over(latest: PhoneCall, *, now: datetime) -> bool:
    """The line is down; or the talk is over, and the report of the line's end is long overdue."""
    talk_is_over = latest.status != PhoneCall.Status.ACTIVE
    return latest.has_ended or (talk_is_over and latest.started_at < now - calls.STALE)


def _is_unknown(latest: PhoneCall, *, now: datetime) -> bool:
    """Twilio was asked to ring, and whether it did nobody has learnt."""
    is_left = latest.line == Line.REQUESTED and latest.started_at < now - LEASE
    return latest.line == Line.UNKNOWN or is_left


def _note(callee: Callee, found: Standing) -> None:
    """Only over what was seen: not over another claim, nor over a person's decision."""
    seen = Callee.objects.filter(pk=callee.pk, state=callee.state, called_at=callee.called_at)
    seen.update(state=found.state, next_at=found.next_at, outcome=found.outcome, reason=found.reason)
