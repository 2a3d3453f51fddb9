"""When an email may leave: windows, weekdays and holidays in the person's own time zone.

Wall times become moments by one rule. A time that the clock jumps over (spring) is the moment of the jump. Of
a time that comes twice (autumn) a window takes the later one to open and the earlier one to close, so that
no email leaves outside it; only where that would leave nothing, the earlier one opens it too.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings

from campaigns import public_holidays
from campaigns.models import Campaign, Schedule, Step
from campaigns.models.schedules import EVERY_DAY
from config.api.prepared import PreparedRows, among
from config.api.zones import first_zone

DAY = timedelta(days=1)
MIDNIGHT = time(0)
# A repeated step whose condition never holds ends somewhere.
LAST_NUMBER = 10_000
# A schedule has a weekday, at most 1,000 holidays of its own, and a country that leaves every second of its
# days (public_holidays.check), so that one of so many days is open.
LONGEST_WAIT_DAYS = 2 * 7 * 1001


@dataclass(frozen=True, slots=True)
class Rules:
    """A campaign's schedule, as a value. `zones` are the names tried after the person's own."""

    send_from: time | None = None
    send_until: time | None = None
    weekdays: frozenset[int] = frozenset(range(1, 8))
    holidays: frozenset[date] = frozenset()
    country: str = ""
    part: str = ""  # of the country
    zones: tuple[str, ...] = ()
    max_emails: int | None = None
    interval: timedelta = timedelta(0)
    daily_at: time | None = None
    max_invitations_a_day: int | None = None
    repeats_last_step: bool = False

    @property
    def is_any_day(self) -> bool:
        return len(self.weekdays) == 7 and not self.holidays and not self.country

    def is_open_on(self, day: date) -> bool:
        if day.isoweekday() not in self.weekdays or day in self.holidays:
            return False
        return not public_holidays.is_holiday(self.country, self.part, day)

    def zone_of(self, time_zone: str = "") -> ZoneInfo:
        """The person's own, else the schedule's, the account's, the installation's."""
        return first_zone(time_zone, *self.zones)


@dataclass(frozen=True, slots=True)
class Following:
    """One follow-up as it comes to one person. `number` goes on when the last step is repeated."""

    number: int
    step: Step


@dataclass(frozen=True, slots=True)
class Plan:
    """A campaign's steps under its rules."""

    rules: Rules
    steps: Sequence[Step] = field(default=())

    def following(self, number: int) -> Following | None:
        """The follow-up that comes at this number or after it; None behind the last one."""
        for step in self.steps:
            if step.position >= number:
                return Following(step.position, step)
        if not self.steps or not self.rules.repeats_last_step or number > LAST_NUMBER:
            return None
        return Following(number, self.steps[-1])

    def due_after(self, number: int, *, emails: int, now: datetime) -> datetime | None:
        """When the follow-up after this number is looked at, for who has so many emails; None: never."""
        following = self.following(number + 1)
        most = self.rules.max_emails
        if following is None or (most is not None and emails >= most):
            return None
        return now + self.wait_before(following)

    def wait_before(self, following: Following) -> timedelta:
        return max(timedelta(minutes=following.step.delay_minutes), self.rules.interval)


def rules_of(campaign: Campaign) -> Rules:
    """Reads the schedule, and the account for its zone."""
    row: Schedule | None = getattr(campaign, "schedule", None)
    zones = (campaign.account.time_zone, settings.TIME_ZONE)
    if row is None:
        return Rules(zones=zones)
    return Rules(
        send_from=row.send_from,
        send_until=row.send_until,
        weekdays=frozenset(int(day) for day in row.weekdays or EVERY_DAY),
        holidays=frozenset(date.fromisoformat(day) for day in row.holidays),
        country=row.holiday_country,
        part=row.holiday_subdivision,
        zones=(row.time_zone, *zones),
        max_emails=row.max_emails,
        interval=timedelta(minutes=row.interval_minutes),
        daily_at=row.daily_at,
        max_invitations_a_day=row.max_invitations_a_day,
        repeats_last_step=row.repeats_last_step,
    )


def steps_of(campaigns: Iterable[UUID]) -> dict[UUID, list[Step]]:
    """Campaign → its steps in order, with their templates, in one query."""
    found: dict[UUID, list[Step]] = {}
    for step in _steps(campaigns=list(campaigns)):
        found.setdefault(step.campaign_id, []).append(step)
    return found


_steps = PreparedRows(
    lambda: (
        Step.objects.filter(among(Step, "campaign", name="campaigns"))
        .select_related("template")
        .order_by("position")
    )
)


def plan_of(campaign: Campaign) -> Plan:
    return Plan(rules_of(campaign), steps_of([campaign.pk]).get(campaign.pk, ()))


# --- Wall times and moments -----------------------------------------------------------------------------


def moment_of(day: date, at: time, zone: ZoneInfo, *, is_later: bool = False) -> datetime:
    """The moment in UTC when the clocks of a zone show this time, or have jumped over it."""
    wall = datetime.combine(day, at, tzinfo=zone)
    early, late = wall.astimezone(UTC), wall.replace(fold=1).astimezone(UTC)
    if early <= late:  # the usual time, or one that comes twice
        return late if is_later else early
    return _jump(late, early, zone)


def _jump(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The moment between the two at which the zone's clocks jump forward."""
    old = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) / 2
        if middle.astimezone(zone).utcoffset() == old:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)


def window_of(rules: Rules, day: date, zone: ZoneInfo) -> tuple[datetime, datetime] | None:
    """From when until when emails may leave in the window that opens on this day; None on a day without."""
    if not rules.is_open_on(day):
        return None
    first, last = rules.send_from or MIDNIGHT, rules.send_until or MIDNIGHT
    closes_on = day if last > first else day + DAY
    closes = moment_of(closes_on, last, zone)
    opens = moment_of(day, first, zone, is_later=True)
    if opens >= closes:
        opens = moment_of(day, first, zone)
    return (opens, closes) if opens < closes else None


def next_open(rules: Rules, at: datetime, zone: ZoneInfo) -> datetime:
    """The first moment, this one or later, at which an email may leave to somebody in this zone."""
    if rules.send_from is None and rules.is_any_day:
        return at
    day = at.astimezone(zone).date() - DAY  # whose window may go on past midnight
    for _number in range(LONGEST_WAIT_DAYS + 2):
        window = window_of(rules, day, zone)
        if window is not None and at < window[1]:
            return max(at, window[0])
        day += DAY
    raise ValueError("This schedule has no open day.")


# --- New people ------------------------------------------------------------------------------------------


def invited_from(rules: Rules, added_at: datetime) -> datetime:
    """When somebody who was added at this moment may be invited: at once, or at the day's time."""
    if rules.daily_at is None:
        return added_at
    zone = rules.zone_of()
    day = added_at.astimezone(zone).date()
    today = moment_of(day, rules.daily_at, zone)
    return today if added_at <= today else moment_of(day + DAY, rules.daily_at, zone)


def invitation_at(rules: Rules, *, added_at: datetime, now: datetime, time_zone: str) -> datetime:
    """When the invitation of somebody who waits is due: now or later."""
    return next_open(rules, max(now, invited_from(rules, added_at)), rules.zone_of(time_zone))


def day_began(rules: Rules, now: datetime) -> datetime:
    """When the present day began for the greatest number of invitations a day."""
    zone = rules.zone_of()
    return moment_of(now.astimezone(zone).date(), MIDNIGHT, zone)
