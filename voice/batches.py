"""The moves of a call batch, each a conditional UPDATE; the people in it, and how far it has come."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Count, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from config.api.models import Account
from crm.models import Consent, Contact
from crm.models.consent import Purpose
from crm.models.contacts import Channel
from voice.models import CallBatch, Callee, PhoneCall

State, Place = CallBatch.State, Callee.State
CHUNK = 500
UNKNOWN_LINES = (PhoneCall.Line.REQUESTED, PhoneCall.Line.UNKNOWN)
GROWING = (State.DRAFT, State.RUNNING, State.PAUSED)


class MoveRefused(Exception):  # noqa: N818
    """The batch is not in a state from which this can be done. The text is for people."""


def _move(batch_id: UUID, to: str, *, start: Collection[str], **changes: Any) -> bool:
    return CallBatch.objects.filter(pk=batch_id, state__in=start).update(state=to, **changes) == 1


def start(batch: CallBatch) -> bool:
    """Draft → running. Raises MoveRefused for a batch without people."""
    if not batch.people.exists():
        raise MoveRefused(_("There is nobody to call yet. Add people first."))
    now = timezone.now()
    begun = _move(batch.pk, State.RUNNING, start=[State.DRAFT], started_at=now, resumed_at=now)
    return begun and wake(batch.pk)


def pause(batch_id: UUID, *, reason: str = "") -> bool:
    """Running → paused. Calls that are in progress go on; nobody else is called."""
    return _move(batch_id, State.PAUSED, start=[State.RUNNING], state_reason=reason[:300])


def resume(batch_id: UUID) -> bool:
    """Paused → running; what failed in a row before is forgiven."""
    now = timezone.now()
    resumed = _move(batch_id, State.RUNNING, start=[State.PAUSED], state_reason="", resumed_at=now)
    return resumed and wake(batch_id)


def cancel(batch_id: UUID) -> bool:
    """Nobody else is called, nor called again. Calls that are in progress go on."""
    with transaction.atomic():
        if not _move(batch_id, State.CANCELLED, start=GROWING, finished_at=timezone.now()):
            return False
        drop_waiting(batch_id)
    return True


def drop_waiting(batch_id: UUID) -> None:
    """Who waits is called no more, and no call of theirs is due."""
    people = Callee.objects.filter(batch=batch_id, state=Place.WAITING)
    PhoneCall.objects.filter(callee__in=people, retry_at__isnull=False).update(retry_at=None)
    people.update(state=Place.CANCELLED, next_at=None)


def finish(batch_id: UUID) -> bool:
    """Running → finished, when nobody waits, is called, or must be decided about."""
    people = Callee.objects.filter(batch=batch_id, state__in=[Place.WAITING, *Callee.OPEN])
    if people.exists():
        return False
    return _move(batch_id, State.FINISHED, start=[State.RUNNING], finished_at=timezone.now())


def wake(batch_id: UUID) -> bool:
    from voice.tasks import dial  # tasks imports this module

    dial.delay_on_commit(str(batch_id))  # type: ignore[attr-defined]
    return True


# --- people -------------------------------------------------------------------------------------


def add(batch: CallBatch, people: "QuerySet[Contact]") -> int:
    """How many were not in it yet. Raises MoveRefused: it is over, or they are too many."""
    theirs = people.filter(account=batch.account_id, is_active=True, erased_at=None)
    with transaction.atomic():
        held = CallBatch.objects.select_for_update().filter(pk=batch.pk, state__in=GROWING).first()
        if held is None:
            raise MoveRefused(_("This batch is over. Make a new one."))
        before = held.people.count()
        missing = theirs.exclude(batch_places__batch=held).order_by("pk").values_list("pk", flat=True)
        new = list(missing[: _most() + 1])
        if before + len(new) > _most():
            raise MoveRefused(_("A batch holds at most %(n)s people.") % {"n": f"{_most():,}"})
        rows = [Callee(batch=held, contact_id=key) for key in new]
        Callee.objects.bulk_create(rows, batch_size=CHUNK, ignore_conflicts=True)
    if new and held.state == State.RUNNING:
        wake(held.pk)
    return len(new)


def _most() -> int:
    return int(settings.BATCH_PEOPLE)


def agreed(account: Account) -> "QuerySet[Contact]":
    """Those who said at some time that they may be called. What they said since is asked before each call."""
    said = Consent.objects.filter(
        contact__account=account, channel=Channel.PHONE, purpose=Purpose.INVITATION, given=True
    )
    return Contact.objects.for_account(account).filter(pk__in=said.values("contact"))


def decide(callee: Callee, *, again: bool) -> bool:
    """A person's word about somebody of whom nobody knows whether their phone rang. False: it is known now.

    Whatever the call was, it counts as failed; with `again` the person is called once more.
    """
    from voice import calls  # calls imports this module

    with transaction.atomic():
        row = Callee.objects.select_for_update().filter(pk=callee.pk, state=Place.UNKNOWN).first()
        call = row.calls.order_by("-attempt").first() if row is not None else None
        if row is None or call is None or call.line not in UNKNOWN_LINES:
            return False
        calls.report(call.pk, PhoneCall.Line.FAILED)
        now = timezone.now()
        PhoneCall.objects.filter(pk=call.pk).update(retry_at=now if again else None)
        row.state, row.next_at = (Place.WAITING, now) if again else (Place.DONE, None)
        row.outcome = call.outcome or "not_placed"
        row.save(update_fields=["state", "next_at", "outcome"])
    return wake(callee.batch_id)


# --- how far it has come ------------------------------------------------------------------------


@dataclass(slots=True)
class Progress:
    """People of one batch, by how they stand; `outcomes` are those of the latest call of whoever is done."""

    people: int = 0
    waiting: int = 0
    in_progress: int = 0
    unknown: int = 0
    done: int = 0
    skipped: int = 0
    cancelled: int = 0
    booked: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    skipped_why: dict[str, int] = field(default_factory=dict)

    @property
    def percent(self) -> int:
        over = self.done + self.skipped + self.cancelled
        return 100 * over // self.people if self.people else 0


_FIGURES = {Place.CLAIMED: "in_progress", Place.CALLING: "in_progress"}


def progress(batch_ids: Iterable[UUID]) -> dict[UUID, Progress]:
    """The figures of many batches, in one query."""
    found = {key: Progress() for key in batch_ids}
    rows = Callee.objects.filter(batch__in=list(found)).order_by()
    grouped = rows.values_list("batch", "state", "outcome", "reason").annotate(count=Count("pk"))
    for key, state, outcome, reason, count in grouped:
        _add(found[key], state, outcome, reason, count)
    return found


def _add(figures: Progress, state: str, outcome: str, reason: str, count: int) -> None:
    name = _FIGURES.get(Place(state), state)
    setattr(figures, name, getattr(figures, name) + count)
    figures.people += count
    if state == Place.DONE:
        figures.booked += count * (outcome == "booked")
        figures.outcomes[outcome] = figures.outcomes.get(outcome, 0) + count
    if state == Place.SKIPPED:
        figures.skipped_why[reason] = figures.skipped_why.get(reason, 0) + count
