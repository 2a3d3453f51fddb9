"""GET and DELETE /conversations…, GET /analytics, GET /: the documented keys, and nobody else's calls."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.factories import bearer, make_account, make_key
from voice.models import Appointment, CallTurn, PhoneCall
from voice.tests.conftest import make_callee, make_slots

pytestmark = pytest.mark.django_db(transaction=True)


def make_call(account, number=1, *, turns=2, **fields):
    person = make_callee(account, phone=f"+49151123{number:05d}")
    fields.setdefault("status", "failed")
    call = PhoneCall.objects.create(
        account=account,
        contact=person,
        sid=f"CA{number}",
        to_number=f"+49151123{number:05d}",
        started_at=timezone.now() + timedelta(seconds=number),
        turn_count=turns,
        **fields,
    )
    for turn in range(turns + 1):
        CallTurn.objects.create(call=call, number=turn, words="yes" if turn else "", said="Well.")
    return call


def test_a_call_has_the_documented_keys(ring, api, account):
    make_slots(account)
    line = ring(make_callee(account, time_zone="UTC"))
    line.answer()
    for key in ("1", "1", "1"):
        line.press(key)
    line.hang_up()
    told = api.get(f"/conversations/{line.sid}").json()
    assert {name: told[name] for name in ("call_sid", "candidate_phone", "status")} == {
        "call_sid": line.sid,
        "candidate_phone": "+4915112345678",
        "status": "completed",
    }
    assert told["confirmed_slot"].endswith("at 10:00")
    assert told["start_time"].endswith("Z")
    assert told["end_time"].endswith("Z")
    assert [turn["turn_number"] for turn in told["turns"]] == [1, 2, 3]
    assert set(told["turns"][0]) == {
        *("turn_number", "candidate_input", "ai_response", "timestamp"),
        *("intent_detected", "confidence_score"),
    }


def test_the_list_is_newest_first_and_leads_on(api, account):
    for number in range(1, 6):
        make_call(account, number)
    first = api.get("/conversations?limit=2")
    assert [call["call_sid"] for call in first.json()["conversations"]] == ["CA5", "CA4"]
    link = first.headers["Link"].partition(">")[0].removeprefix("<")
    assert [call["call_sid"] for call in api.get(link).json()["conversations"]] == ["CA3", "CA2"]


@pytest.mark.parametrize("path", ["/conversations", "/analytics"])
def test_more_calls_are_no_more_queries(api, account, path):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            assert api.get(path).status_code == 200
        return len(captured)

    make_call(account, 1)
    api.get(path)
    few = queries()
    for number in range(2, 12):
        make_call(account, number, turns=4)
    assert queries() == few


def test_another_accounts_calls_are_not_there(api, account):
    make_call(account)
    stranger = Client(headers=bearer(make_key(make_account("other"))))
    assert stranger.get("/conversations").json() == {"conversations": []}
    assert stranger.get("/analytics").json()["total_calls"] == 0
    for method in ("get", "delete"):
        answer = getattr(stranger, method)("/conversations/CA1")
        assert answer.status_code == 404
        assert answer.json()["error"] == "Conversation not found"
    assert PhoneCall.objects.count() == 1


def test_the_figures(api, account):
    assert api.get("/analytics").json() == {
        "total_calls": 0,
        "successful_calls": 0,
        "failed_calls": 0,
        "active_calls": 0,
        "success_rate": 0.0,
        "average_turns_per_call": 0.0,
        "slot_preferences": [],
    }
    wanted = ["Monday at 10 AM", "Monday at 10 AM", "Thursday at 3 PM"]
    for number, slot in enumerate(wanted, 1):
        make_call(account, number, turns=4, status="completed", confirmed_slot=slot)
    make_call(account, 4, turns=3)
    make_call(account, 5, turns=3)
    make_call(account, 6, turns=1, status="active")
    assert api.get("/analytics").json() == {
        "total_calls": 6,
        "successful_calls": 3,
        "failed_calls": 2,
        "active_calls": 1,
        "success_rate": 50.0,
        "average_turns_per_call": 3.17,
        "slot_preferences": [
            {"slot": "Monday at 10 AM", "count": 2},
            {"slot": "Thursday at 3 PM", "count": 1},
        ],
    }


def test_deleting_deletes_the_call_and_keeps_the_appointment(api, account):
    call = make_call(account)
    (slot,) = make_slots(account, 1)
    Appointment.objects.create(account=account, slot=slot, contact=call.contact, call=call)
    answer = api.delete("/conversations/CA1")
    assert answer.json() == {"message": "Conversation deleted successfully"}
    assert not PhoneCall.objects.exists()
    assert not CallTurn.objects.exists()
    assert Appointment.objects.get().call is None
    assert api.delete("/conversations/CA1").status_code == 404


@pytest.mark.parametrize("key", ["", "sk-test"])
def test_the_index_says_whether_there_is_a_key_of_openai(web, settings, key):
    settings.PROVIDERS = {**settings.PROVIDERS, "openai": {**settings.PROVIDERS["openai"], "API_KEY": key}}
    assert web.get("/").json()["config"]["openai_configured"] is bool(key)


def test_a_call_that_is_still_on_is_not_deleted(ring, api, account):
    make_slots(account)
    line = ring(make_callee(account))
    line.answer()
    answer = api.delete(f"/conversations/{line.sid}")
    assert (answer.status_code, answer.json()["error_code"]) == (409, "STILL_ON")
    line.say("stop calling me")
    assert api.delete(f"/conversations/{line.sid}").status_code == 200
    assert not PhoneCall.objects.exists()


def test_the_index_has_the_documented_keys_and_reaches_nobody(web, settings, twilio):
    settings.CANDIDATE_NAME, settings.CANDIDATE_PHONE = "Jo Doe", "+4915123456789"
    settings.CANDIDATE_EMAIL = "jo@example.com"
    make_call(make_account("default"), status="active")
    answer = web.get("/")
    told = answer.json()
    assert told["candidate"]["phone"] == "…6789"
    assert told["active_conversations"] == 1
    assert told["available_slots"][0] == "Monday at 10 AM"
    assert told["config"]["twilio_configured"] is True
    assert told["config"]["webhook_url"] == "https://calls.example/twilio-voice"
    assert told["config"]["database_enabled"] is True
    for private in ("Doe", "+4915123456789", "jo@example.com"):
        assert private not in answer.content.decode()
