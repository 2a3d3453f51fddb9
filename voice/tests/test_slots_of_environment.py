"""Words like "Monday at 10 AM" become times at their next dates."""

from datetime import UTC, datetime, time

import pytest

from tests.factories import make_account, make_contact
from voice import booking, checks
from voice.models import Appointment, TimeSlot
from voice.slots_of_environment import offer, read

NOW = datetime(2027, 3, 24, 12, tzinfo=UTC)  # a Wednesday; clocks go forward in Berlin on Sunday


@pytest.mark.parametrize(
    ("words", "weekday", "at"),
    [
        ("Monday at 10 AM", 0, time(10)),
        ("Tuesday at 2 PM", 1, time(14)),
        ("wednesday 11:30 am", 2, time(11, 30)),
        ("Friday 14:30", 4, time(14, 30)),
        ("Saturday at 12 PM", 5, time(12)),
        ("Sundays at 12 a.m.", 6, time(0)),
    ],
)
def test_days_and_times_are_read(words, weekday, at):
    found = read(words)
    assert (found.weekday, found.at) == (weekday, at)


@pytest.mark.parametrize("words", ["", "soon", "Someday at 10", "Monday at 25", "Monday at 13 PM", "Monday"])
def test_other_words_are_no_time(words):
    assert read(words) is None


def test_a_slot_that_cannot_be_read_stops_the_start(settings):
    settings.CALL_SLOTS, settings.CALL_HOURS = ["Monday at 10 AM", "soon"], (21, 8)
    assert [error.id for error in checks.check_calls()] == ["voice.E001", "voice.E002"]


@pytest.fixture
def home(settings, db):
    settings.CANDIDATE_TIME_ZONE = "Europe/Berlin"
    return make_account("default")


def starts(account):
    return [slot.starts_at for slot in TimeSlot.objects.for_account(account).order_by("starts_at")]


def test_they_are_made_at_their_next_dates_by_the_clock_on_the_wall(home):
    offer(home, now=NOW)
    assert starts(home) == [
        datetime(2027, 3, 25, 14, tzinfo=UTC),  # Thursday at 3 PM, winter time
        datetime(2027, 3, 29, 8, tzinfo=UTC),  # Monday at 10 AM, summer time
        datetime(2027, 3, 30, 12, tzinfo=UTC),
        datetime(2027, 3, 31, 9, tzinfo=UTC),  # today's 11 AM is over
    ]


def test_made_again_they_are_the_same(home):
    offer(home, now=NOW)
    before = starts(home)
    offer(home, now=NOW)
    assert starts(home) == before


def test_after_one_is_booked_the_week_after_is_offered(home):
    offer(home, now=NOW)
    slot = TimeSlot.objects.get(origin="Thursday at 3 PM")
    Appointment.objects.create(account=home, slot=slot, contact=make_contact(home))
    offer(home, now=NOW)
    again = TimeSlot.objects.filter(origin="Thursday at 3 PM").latest("starts_at")
    assert again.starts_at == datetime(2027, 4, 1, 13, tzinfo=UTC)
    assert str(slot.pk) not in [one.id for one in booking.slots_of(home, at=NOW)]


def test_a_cancelled_appointment_frees_its_slot(home):
    offer(home, now=NOW)
    slot = TimeSlot.objects.get(origin="Thursday at 3 PM")
    kept = Appointment.objects.create(account=home, slot=slot, contact=make_contact(home))
    assert booking.cancel(kept)
    assert not booking.cancel(kept)
    assert str(slot.pk) in [one.id for one in booking.slots_of(home, at=NOW)]


def test_another_account_gets_none(home):
    other = make_account("other")
    offer(other, now=NOW)
    assert not starts(other)
