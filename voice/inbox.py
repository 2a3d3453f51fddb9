"""Events wait here: taken by one worker at a time, tried again, given up, replayed by staff."""

import threading
import time
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from config.api import arrivals
from config.api.arrivals import MAX_ATTEMPTS
from config.api.prepared import PreparedUpdate, given
from voice.models import ReceivedConversation, VoiceEvent

__all__ = ["MAX_ATTEMPTS", "due_ids", "replay", "take", "wake", "work_off"]

State = VoiceEvent.State
WAKE_SECONDS = 1.0
_mark_read = PreparedUpdate(
    lambda: (
        VoiceEvent.objects.filter(pk=given(VoiceEvent, "id"), state=State.TAKEN),
        {"state": State.DONE, "error": ""},
    )
)


def take(key: UUID) -> VoiceEvent | None:
    """The row, now this worker's, with the attempt counted; None when another has it or it is done."""
    return arrivals.take(VoiceEvent, key, when_dead=_note_failure)


def work_off(event: VoiceEvent, work: Callable[[VoiceEvent], None]) -> bool:
    """Does the work; whether it is done. Whatever it raises, the row is tried again, and given up at last."""
    # The kind of error alone: its text may hold what somebody said.
    is_done = arrivals.work_off(
        event, work, reason_of=lambda error: type(error).__name__, when_dead=_note_failure
    )
    if is_done:
        _mark_read(id=event.pk)
    return is_done


def _note_failure(key: UUID, reason: str) -> None:
    """Its conversation is told as failed, unless another event has brought it meanwhile."""
    Status = ReceivedConversation.Status  # noqa: N806
    rows = ReceivedConversation.objects.filter(events=key, status=Status.PROCESSING)
    rows.update(status=Status.FAILED, reason=reason[:200], processed_at=timezone.now())


def replay(rows: "QuerySet[VoiceEvent]") -> list[UUID]:
    """Puts rows back to be read anew, as if they had just come. Which; not those being read, or cleared."""
    ids = arrivals.replay(rows.exclude(body="", file=""))
    wake()
    return ids


def due_ids(*, at: datetime | None = None, limit: int = 200) -> list[UUID]:
    """What waits, the oldest first."""
    return arrivals.due_ids(VoiceEvent, at=at, limit=limit)


class _Wakes:
    """When this process last woke the workers, and until when that covers what it stores."""

    lock = threading.Lock()
    covered_until = 0.0


def wake() -> None:
    """Hurries the workers after commit: one task for all that comes within a second, not one for each.

    The first event of a quiet time is read at once. Those in the second after it share a task at its end.
    When the broker is away, the sweep finds the same rows.
    """
    transaction.on_commit(_wake, robust=True)


def _wake() -> None:
    from voice.tasks import read_inbox

    now = time.monotonic()
    with _Wakes.lock:
        if now < _Wakes.covered_until - WAKE_SECONDS:
            return  # the task at the end of this second comes after us
        wait = max(0.0, _Wakes.covered_until - now)
        _Wakes.covered_until = now + wait + WAKE_SECONDS
    if wait:
        read_inbox.apply_async(countdown=wait)
    else:
        read_inbox.delay()
