"""Events wait here: taken by one worker at a time, tried again, given up, replayed by staff."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from django.db import OperationalError, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from voice.models import ReceivedConversation, VoiceEvent

log = logging.getLogger(__name__)
State = VoiceEvent.State

LEASE = timedelta(minutes=2)  # longer than a task may run
MAX_ATTEMPTS = 5
FIRST_WAIT = timedelta(minutes=1)
WAKE_SECONDS = 1.0


def take(key: UUID) -> VoiceEvent | None:
    """The row, now this worker's, with the attempt counted; None when another has it or it is done.

    The count goes up before the work, so that what kills its worker is given up as well.
    """
    due = VoiceEvent.objects.due().filter(pk=key)
    if due.filter(attempts__gte=MAX_ATTEMPTS).update(state=State.DEAD, error="Its worker died each time."):
        _note_failure(key, "Its worker died each time.")
        return None
    now = timezone.now()
    if not due.update(state=State.TAKEN, attempts=F("attempts") + 1, not_before=now + LEASE):
        return None
    event: VoiceEvent = VoiceEvent.objects.select_related("account").get(pk=key)
    return event


def work_off(event: VoiceEvent, work: Callable[[VoiceEvent], None]) -> bool:
    """Does the work; whether it is done. Whatever it raises, the row is tried again, and given up at last."""
    try:
        work(event)
    except OperationalError:
        raise  # the database is away: the lease runs out, and the sweep finds the row
    except Exception as error:  # what came from outside must not stop what came after it
        log.exception("Voice event %s cannot be read.", event.pk)
        _again(event, error)
        return False
    VoiceEvent.objects.filter(pk=event.pk, state=State.TAKEN).update(state=State.DONE, error="")
    return True


def _again(event: VoiceEvent, error: Exception) -> None:
    """Doubling waits; after MAX_ATTEMPTS it is for people to look at."""
    is_over = event.attempts >= MAX_ATTEMPTS
    # The kind of error alone: its text may hold what somebody said.
    reason = type(error).__name__
    VoiceEvent.objects.filter(pk=event.pk, state=State.TAKEN).update(
        state=State.DEAD if is_over else State.WAITING,
        not_before=timezone.now() + FIRST_WAIT * 2 ** (event.attempts - 1),
        error=reason,
    )
    if is_over:
        _note_failure(event.pk, reason)


def _note_failure(key: UUID, reason: str) -> None:
    """Its conversation is told as failed, unless another event has brought it meanwhile."""
    Status = ReceivedConversation.Status  # noqa: N806
    rows = ReceivedConversation.objects.filter(events=key, status=Status.PROCESSING)
    rows.update(status=Status.FAILED, reason=reason[:200], processed_at=timezone.now())


def replay(rows: "QuerySet[VoiceEvent]") -> list[UUID]:
    """Puts rows back to be read anew, as if they had just come. Which; not those being read, or cleared."""
    idle = rows.exclude(state=State.TAKEN).exclude(body="", file="")
    ids = list(idle.values_list("pk", flat=True))
    with transaction.atomic():
        VoiceEvent.objects.filter(pk__in=ids).exclude(state=State.TAKEN).update(
            state=State.WAITING, attempts=0, not_before=timezone.now(), error=""
        )
    wake()
    return ids


def due_ids(*, at: datetime | None = None, limit: int = 200) -> list[UUID]:
    """What waits, the oldest first."""
    due = VoiceEvent.objects.due(at=at)
    return list(due.order_by("not_before").values_list("pk", flat=True)[:limit])


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
