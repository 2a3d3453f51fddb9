"""The documented time slots, "Monday at 10 AM": words of the environment, made times at their next dates."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings

from config.api.models import Account
from config.api.zones import first_zone
from voice.models import Appointment, TimeSlot

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
WORDS = re.compile(r"(\w+?)s? (?:at )?(\d{1,2})(?:[:.](\d{2}))? ?([ap])?\.?m?\.?", re.I)
LEAD = timedelta(hours=2)  # nobody is offered what begins in a moment
WEEKS_AHEAD = 4


@dataclass(frozen=True, slots=True)
class Weekly:
    """A time of every week."""

    words: str
    weekday: int  # 0 is Monday
    at: time

    def next_dates(self, zone: ZoneInfo, *, now: datetime) -> list[datetime]:
        """Its next dates, in UTC. The clock on the wall counts, also when it is set forward in between."""
        today = now.astimezone(zone).date()
        first = today + timedelta(days=(self.weekday - today.weekday()) % 7)
        days = [first + timedelta(weeks=week) for week in range(WEEKS_AHEAD + 1)]
        times = [datetime.combine(day, self.at, zone).astimezone(UTC) for day in days]
        return [starts_at for starts_at in times if starts_at > now + LEAD]


def read(words: str) -> Weekly | None:
    """None for words that name no weekday and time."""
    found = WORDS.fullmatch(" ".join(words.split()))
    if found is None or found[1].lower() not in WEEKDAYS:
        return None
    hour, minute, half = int(found[2]), int(found[3] or 0), (found[4] or "").lower()
    if half and not 1 <= hour <= 12:
        return None
    if half:
        hour = hour % 12 + (12 if half == "p" else 0)
    if hour > 23 or minute > 59:
        return None
    return Weekly(" ".join(words.split())[:80], WEEKDAYS.index(found[1].lower()), time(hour, minute))


def offer(account: Account, *, now: datetime) -> None:
    """Makes the slot of each of the words at its next date that nobody has; made again, nothing changes."""
    if account.slug != settings.CANDIDATE_ACCOUNT:
        return
    zone = first_zone(settings.CANDIDATE_TIME_ZONE, settings.TIME_ZONE)
    weekly = [found for words in settings.CALL_SLOTS if (found := read(words)) is not None]
    if not weekly:
        return
    known = _known(account, now=now)
    length = timedelta(minutes=settings.CALL_SLOT_MINUTES)
    for one in weekly:
        for starts_at in one.next_dates(zone, now=now):
            if known.get((one.words, starts_at)):
                continue  # booked, or taken off: the week after is offered
            if (one.words, starts_at) not in known:
                TimeSlot.objects.get_or_create(
                    account=account,
                    origin=one.words,
                    starts_at=starts_at,
                    defaults={"ends_at": starts_at + length},
                )
            break


def _known(account: Account, *, now: datetime) -> dict[tuple[str, datetime], bool]:
    """The slots that were made before, and whether each is gone."""
    rows = TimeSlot.objects.for_account(account).filter(starts_at__gt=now).exclude(origin="")
    booked = set(
        Appointment.objects.filter(slot__in=rows, state=Appointment.State.BOOKED).values_list(
            "slot", flat=True
        )
    )
    return {(row.origin, row.starts_at): row.pk in booked or not row.is_offered for row in rows}
