"""The admin pages of calls, and what is kept of a person."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from voice import personal_data
from voice.models import Appointment, PhoneCall, TimeSlot
from voice.tests.conftest import make_callee, make_slots

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def operator():
    client = Client()
    client.force_login(User.objects.create_superuser("operator"))
    return client


@pytest.fixture
def booked(ring, account):
    make_slots(account)
    line = ring(make_callee(account, time_zone="UTC", name="Ada"))
    line.answer()
    line.say("yes")
    line.press("1")
    line.say("yes")
    return PhoneCall.objects.get()


def test_staff_read_calls_with_their_turns(operator, booked):
    listed = operator.get("/admin/voice/phonecall/")
    assert b"Ada" in listed.content
    page = operator.get(f"/admin/voice/phonecall/{booked.pk}/change/")
    assert page.status_code == 200
    assert b"Shall I book it" in page.content


def test_what_happened_cannot_be_changed(operator, booked):
    path = f"/admin/voice/phonecall/{booked.pk}"
    assert operator.post(f"{path}/change/", {"status": "failed"}).status_code == 403
    assert operator.post(f"{path}/delete/", {"post": "yes"}).status_code == 403
    assert operator.get("/admin/voice/phonecall/add/").status_code == 403


@pytest.mark.parametrize(
    ("starts_in", "lasts", "said"),
    [
        (timedelta(days=-1), timedelta(hours=1), "within two years"),
        (timedelta(days=9000 * 365 // 4), timedelta(hours=1), "within two years"),
        (timedelta(days=3), timedelta(days=30), "within a day"),
        (timedelta(days=3), timedelta(hours=-1), "within a day"),
        (timedelta(days=3), timedelta(hours=1), ""),
    ],
)
def test_a_slip_in_the_date_of_a_slot_is_told(operator, account, starts_in, lasts, said):
    starts_at = timezone.now() + starts_in
    form = {"account": account.pk, "is_offered": "on"}
    for name, moment in (("starts_at", starts_at), ("ends_at", starts_at + lasts)):
        form |= {f"{name}_0": f"{moment:%Y-%m-%d}", f"{name}_1": f"{moment:%H:%M}"}
    answer = operator.post("/admin/voice/timeslot/add/", form)
    assert (answer.status_code, said in answer.content.decode()) == (200 if said else 302, True)
    assert TimeSlot.objects.count() == (0 if said else 1)


def test_staff_see_who_took_a_slot_and_can_cancel(operator, booked):
    assert b"Ada" in operator.get("/admin/voice/timeslot/").content
    appointment = Appointment.objects.get()
    data = {"action": "cancel_appointments", "_selected_action": [str(appointment.pk)]}
    operator.post("/admin/voice/appointment/", data)
    appointment.refresh_from_db()
    assert appointment.state == "cancelled"


def test_a_time_that_somebody_agreed_to_is_not_moved(operator, booked):
    slot = Appointment.objects.get().slot
    page = operator.get(f"/admin/voice/timeslot/{slot.pk}/change/").content.decode()
    assert 'name="starts_at_0"' not in page
    assert operator.post(f"/admin/voice/timeslot/{slot.pk}/delete/", {"post": "yes"}).status_code == 403


def test_a_persons_calls_are_collected_and_erased(booked):
    told = personal_data.collect(booked.contact)
    assert told["phone_calls"][0]["turns"][1]["heard"] == "yes"
    assert len(told["appointments"]) == 1
    removed = personal_data.erase(booked.contact)
    assert (removed["phone_calls"], removed["appointments"]) == (1, 1)
    assert not PhoneCall.objects.exists()
    assert personal_data.erase(booked.contact)["phone_calls"] == 0
