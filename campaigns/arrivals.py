"""Rows of what arrived: taken by one worker at a time, tried again, given up, replayed by staff."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

from django.db import OperationalError
from django.db.models import F, QuerySet
from django.utils import timezone

from campaigns.models.inbound import Arrived

log = logging.getLogger(__name__)
A = TypeVar("A", bound=Arrived)
State = Arrived.State

LEASE = timedelta(minutes=2)  # longer than a task may run
MAX_ATTEMPTS = 5
FIRST_WAIT = timedelta(minutes=1)


def take(kind: type[A], key: UUID) -> A | None:
    """The row, now this worker's, with the attempt counted; None when another has it or it is done.

    The count goes up before the work, so that what kills its worker is given up as well.
    """
    due = kind._default_manager.due().filter(pk=key)  # type: ignore[attr-defined]
    if due.filter(attempts__gte=MAX_ATTEMPTS).update(state=State.DEAD, error="Its worker died each time."):
        return None
    now = timezone.now()
    if not due.update(state=State.TAKEN, attempts=F("attempts") + 1, not_before=now + LEASE):
        return None
    row: A = kind._default_manager.get(pk=key)  # type: ignore[assignment]
    return row


def work_off(row: A, work: Callable[[A], None]) -> None:
    """Does the work. Whatever it raises, the row is tried again later, and given up in the end."""
    try:
        work(row)
    except OperationalError:
        raise  # the database is away: the lease runs out, and the sweep finds the row
    except Exception as error:  # a letter from outside must not stop those after it
        log.exception("%s %s cannot be read.", type(row).__name__, row.pk)
        _again(row, error)


def _again(row: Arrived, error: Exception) -> None:
    """Doubling waits; after MAX_ATTEMPTS it is for people to look at."""
    is_over = row.attempts >= MAX_ATTEMPTS
    type(row)._default_manager.filter(pk=row.pk, state=State.TAKEN).update(
        state=State.DEAD if is_over else State.WAITING,
        not_before=timezone.now() + FIRST_WAIT * 2 ** (row.attempts - 1),
        error=f"{type(error).__name__}: {error}".replace("\0", "")[:1000],
    )


def replay(rows: "QuerySet[A]") -> list[UUID]:
    """Puts rows back to be read anew, as if they had just come. Which; those being read now are left."""
    idle = rows.exclude(state=State.TAKEN)
    ids = list(idle.values_list("pk", flat=True))
    idle.filter(pk__in=ids).update(state=State.WAITING, attempts=0, not_before=timezone.now(), error="")
    return ids


def due_ids(kind: type[A], *, at: datetime | None = None, limit: int = 200) -> list[UUID]:
    """For the sweep: what waits, the oldest first."""
    due = kind._default_manager.due(at=at)  # type: ignore[attr-defined]
    return list(due.order_by("not_before").values_list("pk", flat=True)[:limit])
