"""Which days and times a person asked for, and whether a moment fits. Pure. Times are local minutes."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Literal

Relative = Literal["", "later", "earlier", "other_day", "other"]

DAY_MINUTES = 24 * 60
_SHORT = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class Range:
    """Days and times said in one breath; what was not said is open.

    `windows` are (from, until before), `at` are exact times: both are alternatives, and "ten" alone is two of
    them, in the morning and in the evening.
    """

    dates: frozenset[date] = frozenset()
    weekdays: frozenset[int] = frozenset()  # Monday is 0
    windows: frozenset[tuple[int, int]] = frozenset()
    at: frozenset[int] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.dates or self.weekdays or self.windows or self.at)

    def has_day(self, day: date) -> bool:
        if not self.dates or not self.weekdays:
            return day in self.dates or day.weekday() in self.weekdays or not (self.dates or self.weekdays)
        # "Thursday the third" is one day, and must be both; "tomorrow or Thursday" is two.
        both = frozenset(date_ for date_ in self.dates if date_.weekday() in self.weekdays)
        return day in both if both else day in self.dates or day.weekday() in self.weekdays

    def has_time(self, minute: int) -> bool:
        if self.at and minute not in self.at:
            return False
        return not self.windows or any(start <= minute < end for start, end in self.windows)


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for, what was ruled out, and the limits on both."""

    wanted: Range = field(default_factory=Range)
    unwanted: tuple[Range, ...] = ()
    first: date | None = None
    last: date | None = None
    earliest: int | None = None
    latest: int | None = None  # a start must be before it
    relative: Relative = ""

    def __bool__(self) -> bool:
        return self.has_limits or bool(self.relative)

    @property
    def has_limits(self) -> bool:
        limits = (self.first, self.last, self.earliest, self.latest)
        return bool(self.wanted or self.unwanted) or any(limit is not None for limit in limits)

    def fits(self, local: datetime) -> bool:
        return self.fits_day(local.date()) and self._fits_time(local)

    def fits_day(self, day: date) -> bool:
        if (self.first and day < self.first) or (self.last and day > self.last):
            return False
        whole_days = (each for each in self.unwanted if not each.windows and not each.at)
        return self.wanted.has_day(day) and not any(each.has_day(day) for each in whole_days)

    def _fits_time(self, local: datetime) -> bool:
        minute = local.hour * 60 + local.minute
        if self.earliest is not None and minute < self.earliest:
            return False
        if self.latest is not None and minute >= self.latest:
            return False
        ruled_out = any(each.has_day(local.date()) and each.has_time(minute) for each in self.unwanted)
        return self.wanted.has_time(minute) and not ruled_out


def described(wish: Wish) -> str:
    """A wish in a few words for staff: "thu 12:00-18:00; not fri; from 10:00"."""
    limits = (
        ("from", clock(wish.earliest)),
        ("before", clock(wish.latest)),
        ("since", wish.first.isoformat() if wish.first else ""),
        ("to", wish.last.isoformat() if wish.last else ""),
        ("", wish.relative),
    )
    parts = [_range(wish.wanted), *(f"not {_range(each)}" for each in wish.unwanted)]
    parts += [f"{name} {value}".strip() for name, value in limits if value]
    return "; ".join(part for part in parts if part)


def _range(said: Range) -> str:
    parts = [day.isoformat() for day in sorted(said.dates)]
    parts += [_SHORT[day] for day in sorted(said.weekdays)]
    parts += [f"{clock(start)}-{clock(end)}" for start, end in sorted(said.windows)]
    if said.at:
        parts.append("at " + "/".join(clock(minute) for minute in sorted(said.at)))
    return " ".join(parts)


def clock(minute: int | None) -> str:
    return "" if minute is None else f"{minute // 60:02}:{minute % 60:02}"


def minute_of(text: str) -> int:
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)


def monday_of(day: date) -> date:
    return day - timedelta(days=day.weekday())
