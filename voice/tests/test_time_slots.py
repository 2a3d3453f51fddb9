"""`/api/v1/time-slots…`: what calls offer, added and taken off by a program."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from config.api.models import AuditEntry
from config.tests.test_url_guards import JUNK
from tests.factories import bearer, make_account, make_key
from voice import booking
from voice.models import Appointment, TimeSlot
from voice.tests.conftest import make_callee, make_slots

pytestmark = pytest.mark.django_db(transaction=True)
PATH = "/api/v1/time-slots"


def post(client, **body):
    return client.post(PATH, body, content_type="application/json")


def times(starts_in=timedelta(days=3), lasts=timedelta(minutes=30)):
    starts_at = timezone.now() + starts_in
    return {"starts_at": starts_at.isoformat(), "ends_at": (starts_at + lasts).isoformat()}


def book(account, slot):
    return Appointment.objects.create(account=account, slot=slot, contact=make_callee(account))


def test_a_time_that_is_added_is_offered_until_it_is_taken_off(api, account):
    made = post(api, **times())
    assert made.status_code == 201, made.content
    told = made.json()["data"]
    assert (told["is_offered"], told["is_taken"]) == (True, False)
    assert [slot.id for slot in booking.slots_of(account)] == [told["id"]]
    one = f"{PATH}/{told['id']}"
    changed = api.patch(one, {"is_offered": False}, content_type="application/json")
    assert changed.json()["data"]["is_offered"] is False
    assert booking.slots_of(account) == []
    assert api.delete(one).status_code == 204
    assert api.get(one).status_code == 404
    actions = list(AuditEntry.objects.order_by("id").values_list("action", flat=True))
    assert actions == ["added time slot", "changed time slot", "deleted time slot"]


def test_they_are_listed_by_state_the_latest_first(api, account):
    free, taken, off = make_slots(account, 3)
    book(account, taken)
    TimeSlot.objects.filter(pk=off.pk).update(is_offered=False)
    at = timezone.now() - timedelta(hours=1)
    past = TimeSlot.objects.create(account=account, starts_at=at, ends_at=at + timedelta(minutes=30))

    def ids(query=""):
        return [one["id"] for one in api.get(PATH + query).json()["data"]]

    assert ids() == [str(one.pk) for one in (off, taken, free, past)]
    found = {state: ids(f"?state={state}") for state in ("free", "taken", "off", "past")}
    assert found == {
        "free": [str(free.pk)],
        "taken": [str(taken.pk)],
        "off": [str(off.pk)],
        "past": [str(past.pk)],
    }
    assert api.get(f"{PATH}?state=odd").status_code == 400


def test_a_time_that_was_agreed_to_is_not_deleted(api, account):
    (slot,) = make_slots(account, 1)
    booking.cancel(book(account, slot))
    assert api.delete(f"{PATH}/{slot.pk}").status_code == 409
    assert TimeSlot.objects.get() == slot
    assert not AuditEntry.objects.filter(action="deleted time slot").exists()


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"starts_at": "soon", "ends_at": "later"},
        times(timedelta(days=-1)),
        times(timedelta(days=800)),
        times(lasts=timedelta(0)),
        times(lasts=timedelta(days=2)),
        {"starts_at": "9999-12-31T23:59:59-12:00", "ends_at": "9999-12-31T23:59:59-12:00"},
    ],
)
def test_a_time_that_makes_no_sense_is_refused(api, body):
    answer = post(api, **body)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "VALIDATION_ERROR"
    assert not TimeSlot.objects.exists()


def test_a_stranger_sees_and_changes_nothing(account):
    (slot,) = make_slots(account, 1)
    stranger = Client(headers=bearer(make_key(make_account("other"))))
    assert stranger.get(PATH).json()["data"] == []
    for method in (stranger.get, stranger.delete):
        assert method(f"{PATH}/{slot.pk}").status_code == 404
    changed = stranger.patch(f"{PATH}/{slot.pk}", {"is_offered": False}, content_type="application/json")
    assert changed.status_code == 404
    assert Client(headers=bearer(make_key(scopes=["voice"]))).get(PATH).status_code == 403


def test_no_view_answers_500_to_junk(api, account):
    (slot,) = make_slots(account, 1)
    for body, kind in JUNK:
        assert api.post(PATH, body, content_type=kind).status_code < 500, body
        assert api.patch(f"{PATH}/{slot.pk}", body, content_type=kind).status_code < 500, body


def test_more_times_are_no_more_queries(api, account, django_assert_max_num_queries):
    make_slots(account, 40)
    api.get(PATH)
    with django_assert_max_num_queries(3):
        api.get(PATH)
