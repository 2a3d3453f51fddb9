"""Requests counted per minute: in memory while they happen, as rows every few seconds."""

import logging
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import Error as DatabaseError
from django.db import IntegrityError
from django.db.models import F

from config.api import measures
from config.system.models import RequestFigure

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Minute:
    requests: int = 0
    errors: int = 0
    milliseconds: float = 0.0
    retrievals: int = 0
    retrieval_seconds: float = 0.0


_lock = threading.Lock()
_minutes: defaultdict[int, Minute] = defaultdict(Minute)


def count(*, status: int, milliseconds: float, at: float) -> None:
    """One finished request. `at` is Unix time."""
    with _lock:
        minute = _minutes[int(at // 60)]
        minute.requests += 1
        minute.errors += status >= 500
        minute.milliseconds += milliseconds


def take() -> dict[int, Minute]:
    """What was counted since the last call, by minute of the epoch."""
    with _lock:
        taken = dict(_minutes)
        _minutes.clear()
    for number, measured in measures.take("retrieval").items():
        minute = taken.setdefault(number, Minute())
        minute.retrievals, minute.retrieval_seconds = measured.calls, measured.seconds
    return taken


def write_alive() -> None:
    """`write`, and a row for this minute even when nobody asked anything: this process was there."""
    with _lock:
        _minutes[int(time.time() // 60)]
    write()


def write() -> None:
    """Add what was counted to the rows. When the database is away it is lost: it is only a figure."""
    for number, minute in take().items():
        try:
            add_to_row(datetime.fromtimestamp(number * 60, tz=UTC), minute)
        except DatabaseError as error:
            log.warning("The request figures were not written: %s", type(error).__name__)
            return


def add_to_row(at: datetime, minute: Minute) -> None:
    """Several processes may write the same minute: add by UPDATE, and insert only where there is no row."""
    if raise_row(at, minute):
        return
    try:
        RequestFigure.objects.create(
            minute=at,
            requests=minute.requests,
            errors=minute.errors,
            total_milliseconds=round(minute.milliseconds),
            retrievals=minute.retrievals,
            retrieval_microseconds=round(minute.retrieval_seconds * 1_000_000),
        )
    except IntegrityError:
        raise_row(at, minute)


def raise_row(at: datetime, minute: Minute) -> bool:
    return bool(
        RequestFigure.objects.filter(minute=at).update(
            requests=F("requests") + minute.requests,
            errors=F("errors") + minute.errors,
            total_milliseconds=F("total_milliseconds") + round(minute.milliseconds),
            retrievals=F("retrievals") + minute.retrievals,
            retrieval_microseconds=F("retrieval_microseconds") + round(minute.retrieval_seconds * 1_000_000),
        )
    )
