"""Many at once: one phone rings once, one time has one appointment, one turn is taken once."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test import Client

from tests.factories import bearer, make_key
from voice import booking
from voice.models import Appointment, CallTurn, PhoneCall
from voice.tests.conftest import make_callee, make_slots

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(action, items):
    def run(item):
        try:
            return action(item)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(items)) as pool:
        return list(pool.map(run, items))


def test_a_button_pressed_many_times_rings_once(twilio, account):
    person, headers = make_callee(account), bearer(make_key(account))

    def press(_number):
        body = {"candidate_id": str(person.pk)}
        return Client(headers=headers).post("/make-actual-call", body, content_type="application/json")

    codes = sorted(answer.status_code for answer in at_once(press, range(6)))
    assert codes == [200, 409, 409, 409, 409, 409]
    assert len(twilio.forms) == 1


def test_a_time_that_many_say_yes_to_has_one_appointment(account):
    (slot,) = make_slots(account, 1)
    people = [make_callee(account, phone=f"+4915112300{number:03d}") for number in range(6)]
    calls = [PhoneCall.objects.create(account=account, contact=one, to_number="+49151") for one in people]

    def book(call):
        try:
            return booking.book(call, str(slot.pk))
        except booking.SlotTaken:
            return None

    assert len([one for one in at_once(book, calls) if one]) == 1
    assert Appointment.objects.count() == 1


def test_a_webhook_that_comes_many_times_at_once_is_one_turn(ring, account):
    make_slots(account)
    line = ring()
    line.answer()
    form = {"SpeechResult": "yes", "Confidence": "0.9"}
    answers = at_once(lambda _number: line.post(line.action, **form).content, range(5))
    assert len(set(answers)) == 1
    assert CallTurn.objects.filter(call__sid=line.sid).count() == 2
