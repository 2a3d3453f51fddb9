"""The course of a campaign over time: how many were invited, opened, started and completed by when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any

from django.db.models import CharField, Count, Expression, F, Func, QuerySet
from django.utils import timezone

from campaigns.models import Campaign, Delivery
from interviews.models import Interview

LINES = ("sent", "opened", "started", "completed")
# The longest course that is counted in steps of each, and how much of a time names its step.
STEPS = (
    (timedelta(hours=3), timedelta(minutes=1), "minute"),
    (timedelta(days=8), timedelta(hours=1), "hour"),
    (timedelta(days=3650), timedelta(days=1), "day"),
)
LENGTH = {"minute": 16, "hour": 13, "day": 10}  # of "2026-03-04 15:30"
FORMAT = {"minute": "YYYY-MM-DD HH24:MI", "hour": "YYYY-MM-DD HH24", "day": "YYYY-MM-DD"}


class _Step(Func):
    """The time as text, cut to its step, in UTC. Django's Trunc calls Python for each row of SQLite."""

    output_field = CharField()

    def __init__(self, field: str, *, unit: str) -> None:
        self.unit = unit
        super().__init__(F(field))

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, Any]:
        template = f"substr(%(expressions)s, 1, {LENGTH[self.unit]})"
        return super().as_sql(compiler, connection, template=template, **context)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, Any]:
        template = f"to_char(%(expressions)s AT TIME ZONE 'UTC', '{FORMAT[self.unit]}')"
        return super().as_sql(compiler, connection, template=template, **context)


@dataclass(frozen=True, slots=True)
class Course:
    """Running totals at the end of each step; `unit` is minute, hour or day."""

    unit: str
    times: list[datetime]
    totals: Mapping[str, Sequence[int]]

    @property
    def highest(self) -> int:
        return max((totals[-1] for totals in self.totals.values() if totals), default=0)

    def rows(self) -> list[tuple[datetime, list[int]]]:
        """One row a step, those in which nothing happened left out."""
        table = zip(self.times, zip(*(self.totals[name] for name in LINES), strict=True), strict=True)
        found: list[tuple[datetime, list[int]]] = []
        for at, totals in table:
            if not found or found[-1][1] != list(totals):
                found.append((at, list(totals)))
        return found


def course_of(campaign: Campaign, *, now: datetime | None = None) -> Course | None:
    """None before it has started. Four queries, each grouped in the database."""
    if campaign.started_at is None:
        return None
    until = campaign.finished_at or now or timezone.now()
    last = max(until, _last_answer(campaign) or until)
    span = last - campaign.started_at
    step, unit = next((step, unit) for longest, step, unit in STEPS if span <= longest)
    times = _times(campaign.started_at, last, step)
    counted = {name: _counted(rows, field, unit) for name, rows, field in _events(campaign)}
    totals = {name: _running(counts, times, step) for name, counts in counted.items()}
    return Course(unit, times, totals)


def _events(campaign: Campaign) -> list[tuple[str, QuerySet[Any], str]]:
    emails = campaign.deliveries.filter(state=Delivery.State.SENT, step=0)
    talks = Interview.objects.filter(recipient__campaign=campaign)
    return [
        ("sent", emails, "sent_at"),
        ("opened", talks, "opened_at"),
        ("started", talks, "started_at"),
        ("completed", talks, "completed_at"),
    ]


def _last_answer(campaign: Campaign) -> datetime | None:
    """People go on answering after the last email has left."""
    talks = Interview.objects.filter(recipient__campaign=campaign, started_at__isnull=False)
    found: datetime | None = talks.order_by("-started_at").values_list("started_at", flat=True).first()
    return found


def _times(first: datetime, last: datetime, step: timedelta) -> list[datetime]:
    begin = _floor(first, step)
    return [begin + number * step for number in range((last - begin) // step + 1)]


def _floor(at: datetime, step: timedelta) -> datetime:
    midnight = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + (at - midnight) // step * step


def _counted(rows: QuerySet[Any], field: str, unit: str) -> dict[str, int]:
    step: Expression = _Step(field, unit=unit)
    grouped = rows.filter(**{f"{field}__isnull": False}).order_by().annotate(moment=step)
    return dict(grouped.values("moment").annotate(n=Count("pk")).values_list("moment", "n"))


def _running(counts: Mapping[str, int], times: Sequence[datetime], step: timedelta) -> list[int]:
    length = LENGTH[next(unit for _longest, one, unit in STEPS if one == step)]
    names = [at.strftime("%Y-%m-%d %H:%M")[:length] for at in times]
    before = sum(number for name, number in counts.items() if name < names[0])
    running = list(accumulate((counts.get(name, 0) for name in names), initial=before))
    return running[1:]
