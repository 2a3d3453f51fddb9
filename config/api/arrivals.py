"""Rows of what arrived: taken by one worker at a time, tried again, given up, replayed by staff."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from typing import Self, TypeVar
from uuid import UUID

from django.conf import settings
from django.db import OperationalError, models
from django.db.models import F, QuerySet
from django.utils import timezone

from config.api.models import AccountQuerySet
from config.api.prepared import PreparedRows, PreparedUpdate, given

log = logging.getLogger(__name__)

# Longer than a task may run, so that two never read one row; after a crash the row is due again.
LEASE = timedelta(seconds=settings.LEASE_SECONDS)
MAX_ATTEMPTS = 5
FIRST_WAIT = timedelta(minutes=1)
WORKER_DIED = "Its worker died each time."


class ArrivedQuerySet(AccountQuerySet):
    def due(self, *, at: datetime | None = None) -> Self:
        """Waits to be read, or was left by a worker that died."""
        now = at or timezone.now()
        return self.filter(state__in=[Arrived.State.WAITING, Arrived.State.TAKEN], not_before__lte=now)


class Arrived(models.Model):
    """Something from outside, stored raw before anything is made of it.

    waiting → taken → done | waiting (again, later) | dead (after too many attempts)
    `not_before` of a taken row is when its lease ends. dead | done → waiting (staff replay it).
    """

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        TAKEN = "taken", "Being read"
        DONE = "done", "Done"
        DEAD = "dead", "Given up"

    state = models.CharField(max_length=8, choices=State, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField(default=timezone.now)
    error = models.TextField(blank=True)
    received_at = models.DateTimeField(default=timezone.now)

    objects = ArrivedQuerySet.as_manager()

    class Meta:
        abstract = True


A = TypeVar("A", bound=Arrived)
State = Arrived.State
WhenDead = Callable[[UUID, str], None]  # told the key of a row that was given up, and why


def no_one_is_told(_key: UUID, _reason: str) -> None:
    """For kinds of which nothing hangs on one row."""


def whole_error(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def take(kind: type[A], key: UUID, *, when_dead: WhenDead = no_one_is_told) -> A | None:
    """The row, now this worker's, with the attempt counted; None when another has it or it is done.

    The count goes up before the work, so that what kills its worker is given up as well.
    """
    now = timezone.now()
    if _take_fresh(kind)(id=key, now=now, until=now + LEASE):
        return _of_key(kind).first(id=key)
    due = kind._default_manager.due(at=now).filter(pk=key)  # type: ignore[attr-defined]
    if due.filter(attempts__gte=MAX_ATTEMPTS).update(state=State.DEAD, error=WORKER_DIED):
        when_dead(key, WORKER_DIED)
    return None


@cache
def _take_fresh(kind: type[A]) -> PreparedUpdate:
    fresh = kind._default_manager.due(at=given(kind, "not_before", name="now"))  # type: ignore[attr-defined]
    taken = {
        "state": State.TAKEN,
        "attempts": F("attempts") + 1,
        "not_before": given(kind, "not_before", name="until"),
    }
    return PreparedUpdate(lambda: (fresh.filter(pk=given(kind, "id"), attempts__lt=MAX_ATTEMPTS), taken))


@cache
def _of_key(kind: type[A]) -> PreparedRows[A]:
    return PreparedRows(lambda: kind._default_manager.filter(pk=given(kind, "id")).order_by())


def work_off(
    row: A,
    work: Callable[[A], None],
    *,
    reason_of: Callable[[Exception], str] = whole_error,
    when_dead: WhenDead = no_one_is_told,
) -> bool:
    """Does the work, which marks the row as done or leaves that to its caller; whether it went through.

    Whatever it raises, the row is tried again later, and given up in the end. `reason_of` says how much of
    an error may stand in the row: its text may hold what somebody wrote.
    """
    try:
        work(row)
    except OperationalError:
        raise  # the database is away: the lease runs out, and the sweep finds the row
    except Exception as error:  # what came from outside must not stop what came after it
        log.exception("%s %s cannot be read.", type(row).__name__, row.pk)
        reason = reason_of(error).replace("\0", "")[:1000]
        if _again(row, reason):
            when_dead(row.pk, reason)
        return False
    return True


def _again(row: Arrived, reason: str) -> bool:
    """Doubling waits; after MAX_ATTEMPTS it is for people to look at, which is what is returned."""
    is_over = row.attempts >= MAX_ATTEMPTS
    type(row)._default_manager.filter(pk=row.pk, state=State.TAKEN).update(
        state=State.DEAD if is_over else State.WAITING,
        not_before=timezone.now() + FIRST_WAIT * 2 ** (row.attempts - 1),
        error=reason,
    )
    return is_over


def replay(rows: "QuerySet[A]") -> list[UUID]:
    """Puts rows back to be read anew, as if they had just come. Which; those being read now are left."""
    idle = rows.exclude(state=State.TAKEN)
    ids = list(idle.values_list("pk", flat=True))
    idle.filter(pk__in=ids).update(state=State.WAITING, attempts=0, not_before=timezone.now(), error="")
    return ids


def due_ids(kind: type[A], *, at: datetime | None = None, limit: int = 200) -> list[UUID]:
    """What waits, the oldest first."""
    due = kind._default_manager.due(at=at)  # type: ignore[attr-defined]
    return list(due.order_by("not_before").values_list("pk", flat=True)[:limit])
