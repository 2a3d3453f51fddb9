"""A campaign's course as a drawing and as a table: the numbers of a server-rendered SVG."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _l

from campaigns.courses import LINES, Course
from campaigns.states import Progress

WIDTH, HEIGHT = 640, 200
LEFT, RIGHT, TOP, BOTTOM = 44, 8, 10, 24  # margins for the numbers
LABELS = {"sent": _l("Sent"), "opened": _l("Opened"), "started": _l("Begun"), "completed": _l("Completed")}
WHEN = {"minute": "H:i", "hour": "j M, H:i", "day": "j M Y"}
MOST_ROWS = 50  # of the table; a longer course shows the last of them


@dataclass(frozen=True, slots=True)
class Line:
    name: str
    label: str | Promise
    total: int
    points: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A number or a time beside an axis."""

    text: str
    at: float


@dataclass(frozen=True, slots=True)
class Chart:
    lines: list[Line]
    heights: list[Mark]
    times: list[Mark]
    rows: list[tuple[str, list[int]]]
    rows_left_out: int


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of the funnel, with its share of the people in percent."""

    label: str | Promise
    number: int
    percent: int


def chart_of(course: Course) -> Chart:
    highest = _round_up(course.highest)
    count = len(course.times)
    lines = [
        Line(name, LABELS[name], course.totals[name][-1], _points(course.totals[name], count, highest))
        for name in LINES
    ]
    rows = [(_shown(at, course.unit), totals) for at, totals in course.rows()]
    return Chart(
        lines,
        [Mark(f"{value:,}", _y(value, highest)) for value in sorted({0, highest // 2, highest})],
        [Mark(_shown(course.times[at], course.unit), _x(at, count)) for at in sorted({0, count - 1})],
        rows[-MOST_ROWS:],
        max(0, len(rows) - MOST_ROWS),
    )


def _points(totals: Sequence[int], count: int, highest: int) -> str:
    """The corners of the line; where nothing moved there is none to draw."""
    corners = [
        at
        for at in range(count)
        if at in (0, count - 1) or totals[at] != totals[at - 1] or totals[at] != totals[at + 1]
    ]
    return " ".join(f"{_x(at, count):.1f},{_y(totals[at], highest):.1f}" for at in corners)


def _x(at: int, count: int) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * (at / (count - 1) if count > 1 else 1.0)


def _y(value: int, highest: int) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / highest)


def _round_up(number: int) -> int:
    """The top of the axis: 1, 2 or 5 times a power of ten, and even from 2 on."""
    size = 1
    while True:
        for step in (1, 2, 5):
            if number <= step * size and step * size > 1:
                return step * size
        size *= 10


def _shown(at: datetime, unit: str) -> str:
    return date_format(timezone.localtime(at), WHEN[unit])


def funnel_of(figures: Progress) -> list[Stage]:
    found = [
        (_l("People"), figures.people),
        (_l("Sent"), figures.sent),
        (_l("Opened"), figures.opened),
        (_l("Begun"), figures.started),
        (_l("Completed"), figures.completed),
    ]
    people = max(figures.people, 1)
    return [Stage(label, number, round(100 * number / people)) for label, number in found]
