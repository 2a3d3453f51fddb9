"""Windows, weekdays and holidays as people's own clocks show them, through every kind of clock change."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.scheduling import (
    Rules,
    day_began,
    invitation_at,
    invited_from,
    moment_of,
    next_open,
    window_of,
)


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


MOMENTS = [
    # zone, day, wall time, is_later, moment in UTC
    ("Europe/Warsaw", "2026-01-15", "09:00", False, "2026-01-15T08:00"),
    ("Europe/Warsaw", "2026-07-15", "09:00", False, "2026-07-15T07:00"),
    # spring: 02:00–03:00 does not exist; the jump is at 01:00 UTC
    ("Europe/Warsaw", "2026-03-29", "01:59", False, "2026-03-29T00:59"),
    ("Europe/Warsaw", "2026-03-29", "02:00", False, "2026-03-29T01:00"),
    ("Europe/Warsaw", "2026-03-29", "02:30", False, "2026-03-29T01:00"),
    ("Europe/Warsaw", "2026-03-29", "02:30", True, "2026-03-29T01:00"),
    ("Europe/Warsaw", "2026-03-29", "03:00", False, "2026-03-29T01:00"),
    # autumn: 02:00–03:00 comes twice
    ("Europe/Warsaw", "2026-10-25", "02:30", False, "2026-10-25T00:30"),
    ("Europe/Warsaw", "2026-10-25", "02:30", True, "2026-10-25T01:30"),
    ("Europe/Warsaw", "2026-10-25", "03:00", True, "2026-10-25T02:00"),
    ("America/New_York", "2026-03-08", "02:30", False, "2026-03-08T07:00"),
    ("America/New_York", "2026-11-01", "01:30", False, "2026-11-01T05:30"),
    ("America/New_York", "2026-11-01", "01:30", True, "2026-11-01T06:30"),
    # the southern half: the other way round in the year
    ("Australia/Sydney", "2026-10-04", "02:30", False, "2026-10-03T16:00"),
    ("Australia/Sydney", "2026-04-05", "02:30", True, "2026-04-04T16:30"),
    # half an hour of summer time, and a jump at midnight
    ("Australia/Lord_Howe", "2026-10-04", "02:15", False, "2026-10-03T15:30"),
    ("Australia/Lord_Howe", "2026-04-05", "01:45", True, "2026-04-04T15:15"),
    ("Africa/Cairo", "2026-04-24", "00:00", False, "2026-04-23T22:00"),
    # a whole day that an island left out
    ("Pacific/Apia", "2011-12-30", "12:00", False, "2011-12-30T10:00"),
    ("Asia/Kathmandu", "2026-06-01", "09:00", False, "2026-06-01T03:15"),
    ("UTC", "2026-06-01", "09:00", True, "2026-06-01T09:00"),
]


@pytest.mark.parametrize(("zone", "day", "wall", "is_later", "expected"), MOMENTS)
def test_a_wall_time_is_one_moment(zone, day, wall, is_later, expected):
    found = moment_of(date.fromisoformat(day), time.fromisoformat(wall), ZoneInfo(zone), is_later=is_later)
    assert found == utc(expected)


OPEN = Rules(send_from=time(9), send_until=time(17), weekdays=frozenset({1, 2, 3, 4, 5}))
NEXT = [
    # zone, asked at (UTC), first open moment (UTC)
    ("Europe/Warsaw", "2026-11-26T07:30", "2026-11-26T08:00"),  # before the window
    ("Europe/Warsaw", "2026-11-26T10:00", "2026-11-26T10:00"),  # inside
    ("Europe/Warsaw", "2026-11-26T16:00", "2026-11-27T08:00"),  # the end is outside
    ("Europe/Warsaw", "2026-11-27T16:30", "2026-11-30T08:00"),  # Friday evening to Monday
    ("Pacific/Auckland", "2026-11-26T19:00", "2026-11-26T20:00"),  # it is Friday morning there
    ("America/Los_Angeles", "2026-11-30T04:00", "2026-11-30T17:00"),  # and still Sunday here
    # over a clock change the window opens at nine by the new time
    ("Europe/Warsaw", "2026-03-27T17:00", "2026-03-30T07:00"),
    ("Europe/Warsaw", "2026-10-23T17:00", "2026-10-26T08:00"),
    ("America/New_York", "2026-03-06T23:00", "2026-03-09T13:00"),
]


@pytest.mark.parametrize(("zone", "asked", "expected"), NEXT)
def test_an_email_waits_for_the_window_of_the_persons_zone(zone, asked, expected):
    assert next_open(OPEN, utc(asked), ZoneInfo(zone)) == utc(expected)


def test_holidays_are_closed():
    rules = Rules(holidays=frozenset({date(2026, 12, 25), date(2026, 12, 26)}))
    assert next_open(rules, utc("2026-12-25T10:00"), ZoneInfo("UTC")) == utc("2026-12-27T00:00")


HOLIDAYS = [
    # country, part, zone, asked at (UTC), first open moment (UTC)
    ("PL", "", "Europe/Warsaw", "2026-11-11T10:00", "2026-11-12T08:00"),  # Independence Day
    ("DE", "BY", "Europe/Berlin", "2026-01-06T10:00", "2026-01-07T08:00"),  # Epiphany, in Bavaria
    ("DE", "", "Europe/Berlin", "2026-01-06T10:00", "2026-01-06T10:00"),  # and not in all of Germany
    ("US", "", "America/New_York", "2026-07-03T14:00", "2026-07-06T13:00"),  # the day off for a Saturday
    # it is still the holiday where the person is, and a working day in the country
    ("PL", "", "America/Los_Angeles", "2026-11-12T05:00", "2026-11-12T17:00"),
    # Easter Monday of 2027 is the day after the clocks change: open on Tuesday, by the new time
    ("PL", "", "Europe/Warsaw", "2027-03-27T20:00", "2027-03-30T07:00"),
    # Austria's national day is the Monday after they change back
    ("AT", "", "Europe/Vienna", "2026-10-26T10:00", "2026-10-27T08:00"),
]


@pytest.mark.parametrize(("country", "part", "zone", "asked", "expected"), HOLIDAYS)
def test_public_holidays_of_a_country_are_closed(country, part, zone, asked, expected):
    rules = replace(OPEN, country=country, part=part)
    assert next_open(rules, utc(asked), ZoneInfo(zone)) == utc(expected)


def test_a_country_closes_days_without_a_window_too():
    rules = Rules(country="PL", holidays=frozenset({date(2026, 12, 27)}))
    assert next_open(rules, utc("2026-12-25T10:00"), ZoneInfo("UTC")) == utc("2026-12-28T00:00")


def test_a_place_the_library_lost_holds_nothing_up():
    rules = Rules(country="ZZ")
    assert next_open(rules, utc("2026-12-25T10:00"), ZoneInfo("UTC")) == utc("2026-12-25T10:00")


def test_a_window_may_go_on_past_midnight():
    rules = Rules(send_from=time(22), send_until=time(2), weekdays=frozenset({5}))
    warsaw = ZoneInfo("Europe/Warsaw")
    assert next_open(rules, utc("2026-11-28T00:30"), warsaw) == utc("2026-11-28T00:30")
    assert next_open(rules, utc("2026-11-28T01:00"), warsaw) == utc("2026-12-04T21:00")


def test_a_window_that_the_clock_jumps_over_is_left_out_that_day():
    rules = Rules(send_from=time(2, 10), send_until=time(2, 50))
    warsaw = ZoneInfo("Europe/Warsaw")
    assert window_of(rules, date(2026, 3, 29), warsaw) is None
    assert next_open(rules, utc("2026-03-29T00:30"), warsaw) == utc("2026-03-30T00:10")


def test_a_window_in_the_hour_that_comes_twice_opens_once():
    rules = Rules(send_from=time(2, 10), send_until=time(2, 50))
    opened = window_of(rules, date(2026, 10, 25), ZoneInfo("Europe/Warsaw"))
    assert opened == (utc("2026-10-25T00:10"), utc("2026-10-25T00:50"))


def test_without_a_window_every_moment_is_open():
    assert next_open(Rules(), utc("2026-03-29T01:30"), ZoneInfo("Europe/Warsaw")) == utc("2026-03-29T01:30")


def test_the_zone_is_the_persons_then_the_schedules():
    rules = Rules(zones=("Asia/Tokyo", "UTC"))
    assert str(rules.zone_of("Europe/Warsaw")) == "Europe/Warsaw"
    assert str(rules.zone_of("Mars/Olympus")) == "Asia/Tokyo"
    assert str(Rules(zones=("", "America/Lima")).zone_of()) == "America/Lima"


def test_new_people_are_taken_in_at_the_days_time():
    rules = Rules(daily_at=time(9), zones=("Europe/Warsaw",))
    assert invited_from(rules, utc("2026-11-26T07:59")) == utc("2026-11-26T08:00")
    assert invited_from(rules, utc("2026-11-26T08:01")) == utc("2026-11-27T08:00")
    assert invited_from(rules, utc("2026-03-28T10:00")) == utc("2026-03-29T07:00")
    assert invited_from(Rules(), utc("2026-11-26T07:59")) == utc("2026-11-26T07:59")


def test_whoever_was_added_long_ago_is_invited_now():
    rules = Rules(daily_at=time(9), zones=("UTC",))
    now = utc("2026-11-26T15:00")
    assert invitation_at(rules, added_at=now - timedelta(days=2), now=now, time_zone="") == now


def test_a_day_begins_at_midnight_of_the_schedules_zone():
    rules = Rules(zones=("America/New_York",))
    assert day_began(rules, utc("2026-11-26T03:00")) == utc("2026-11-25T05:00")


ZONES = st.sampled_from(
    ["Europe/Warsaw", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu", "UTC"]
)
TIMES = st.times().map(lambda at: at.replace(second=0, microsecond=0))
MOMENT = st.datetimes(datetime(2024, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))


@given(zone=ZONES, at=MOMENT, opens=TIMES, closes=TIMES, days=st.sets(st.integers(1, 7), min_size=1))
def test_what_is_open_shows_a_time_inside_the_window_and_is_the_first(zone, at, opens, closes, days):
    if opens == closes:
        return
    zone = ZoneInfo(zone)
    rules = Rules(send_from=opens, send_until=closes, weekdays=frozenset(days))
    found = next_open(rules, at, zone)
    assert found >= at
    assert next_open(rules, found, zone) == found
    wall = found.astimezone(zone).time()
    inside = opens <= wall < closes if opens < closes else wall >= opens or wall < closes
    # The one moment that may show a later time is the jump over the window's opening.
    assert (
        inside
        or found.astimezone(zone).utcoffset() != (found - timedelta(seconds=1)).astimezone(zone).utcoffset()
    )
