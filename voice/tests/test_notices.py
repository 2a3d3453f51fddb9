"""The email after a booking: once, with a calendar file, and only to whom it may go."""

import email
import email.policy

import pytest
from icalendar import Calendar

from campaigns.models import Delivery
from crm import consent
from voice import notices
from voice.models import Appointment
from voice.tests.conftest import make_callee, make_slots

pytestmark = pytest.mark.django_db(transaction=True)


def agree(ring, person):
    line = ring(person)
    line.answer()
    for key in ("1", "1", "1"):
        line.press(key)
    return Appointment.objects.get(call__sid=line.sid)


def test_the_person_gets_it_in_writing_with_a_calendar_file(ring, account):
    (slot,) = make_slots(account, 1)
    one = agree(ring, make_callee(account, email="ada@example.com", name="Ada", time_zone="Europe/Berlin"))
    delivery = Delivery.objects.get(key=f"appointment:{one.pk}")
    assert delivery.to_email == "ada@example.com"
    assert one.notice == "queued"
    wire = delivery.rendered
    message = email.message_from_bytes(
        wire if isinstance(wire, bytes) else wire.encode(), policy=email.policy.default
    )
    (file,) = [part for part in message.walk() if part.get_content_type() == "text/calendar"]
    assert file.get_filename() == "interview.ics"
    content = file.get_content()
    (event,) = Calendar.from_ical(content).walk("VEVENT")
    assert event.decoded("dtstart") == slot.starts_at
    assert event.decoded("dtend") == slot.ends_at


def test_it_is_sent_once(ring, account):
    make_slots(account, 1)
    one = agree(ring, make_callee(account))
    Appointment.objects.update(notice="pending")
    assert notices.due() == [one.pk]
    notices.tell(one.pk)
    assert Delivery.objects.count() == 1
    assert notices.due() == []


def test_whoever_must_not_be_written_to_is_not(ring, account):
    make_slots(account, 1)
    person = make_callee(account, email="ada@example.com")
    consent.suppress(account, "email", "ada@example.com", "complaint")
    one = agree(ring, person)
    assert one.notice == "impossible"
    assert not Delivery.objects.exists()
