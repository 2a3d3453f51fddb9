"""The reminder before an appointment: when it is due, once, and only to whom it may go."""

from datetime import timedelta

import pytest
from django.utils import timezone

from campaigns.models import Delivery
from crm import consent
from voice import booking, reminding, tasks
from voice.models import Appointment, TimeSlot
from voice.tests.conftest import make_callee, make_slots
from voice.tests.test_races import at_once

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def booked(ring, account):
    make_slots(account, 2)
    line = ring(make_callee(account, email="ada@example.com"))
    line.answer()
    for key in ("1", "1", "1"):
        line.press(key)
    return Appointment.objects.get()


@pytest.fixture
def due(booked):
    Appointment.objects.update(remind_at=timezone.now() - timedelta(minutes=1))
    booked.refresh_from_db()
    return booked


def reminders():
    return Delivery.objects.filter(key__endswith=":reminder")


def test_it_is_due_a_day_before(booked):
    assert booked.remind_at == booked.slot.starts_at - timedelta(hours=24)
    assert reminding.due() == []
    assert reminding.due(at=booked.remind_at) == [booked.pk]


def test_the_sweep_hands_it_over_once(due):
    tasks.sweep()
    tasks.sweep()
    (delivery,) = reminders()
    assert delivery.subject.startswith("Reminder: your interview")
    assert "text/calendar" in delivery.rendered
    due.refresh_from_db()
    assert due.remind_at is None
    assert due.reminded_at is not None


def test_two_workers_at_once_send_one(due):
    assert sorted(at_once(reminding.remind, [due.pk] * 4)) == [False, False, False, True]
    assert reminders().count() == 1


def test_what_breaks_in_between_leaves_it_due(due, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr("voice.notices.channel", lambda _name: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            reminding.remind(due.pk)
    assert reminding.due() == [due.pk]
    assert reminding.remind(due.pk)


def test_whoever_must_not_be_written_to_is_not(due):
    consent.suppress(due.account, "email", "ada@example.com", "complaint")
    tasks.sweep()
    assert not reminders()
    due.refresh_from_db()
    assert (due.remind_at, due.reminded_at) == (None, None)


def test_whoever_said_no_is_not_written_to(due):
    consent.record(due.contact, "email", "transactional", given=False, source="reply")
    assert not reminding.remind(due.pk)
    assert not reminders()


def test_nobody_is_reminded_of_what_has_begun(due):
    TimeSlot.objects.filter(pk=due.slot_id).update(starts_at=timezone.now() - timedelta(minutes=1))
    tasks.sweep()
    assert not reminders()
    assert reminding.due() == []


def test_a_cancelled_one_has_no_reminder(due):
    booking.cancel(due)
    tasks.sweep()
    assert not reminders()


def test_a_moved_one_is_reminded_of_at_its_new_time(booked, account):
    other = TimeSlot.objects.for_account(account).open().get()
    booking.move(booked, str(other.pk))
    booked.refresh_from_db()
    assert booked.remind_at == other.starts_at - timedelta(hours=24)


@pytest.mark.parametrize(("hours", "ahead"), [(0, 48), (24, 23)])
def test_what_is_soon_or_switched_off_has_none(account, settings, hours, ahead):
    settings.REMINDER_HOURS, now = hours, timezone.now()
    starts_at = now + timedelta(hours=ahead)
    assert reminding.time_for(TimeSlot(starts_at=starts_at), now=now) is None
