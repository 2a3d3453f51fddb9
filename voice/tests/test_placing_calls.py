"""POST /make-actual-call: whom it rings, whom it does not, and what it does when Twilio fails."""

from datetime import UTC, datetime

import pytest
from django.test import Client

from crm import consent
from crm.models import Consent
from tests.factories import bearer, make_account, make_key
from tests.fakes.twilio_server import SECRET, Behaviour, Fault
from voice import calls, gates
from voice.models import PhoneCall, TimeSlot
from voice.tests.conftest import make_callee, make_slots
from voice.tests.simulator import BASE

pytestmark = pytest.mark.django_db(transaction=True)


def post(client, **body):
    return client.post("/make-actual-call", body, content_type="application/json")


def call(client, person):
    return post(client, candidate_id=str(person.pk))


def test_it_rings_a_person_who_agreed(api, twilio, account):
    person = make_callee(account, name="Ada")
    answer = call(api, person)
    assert answer.status_code == 200
    told = answer.json()
    assert told["status"] == "success"
    assert told["call_sid"] in twilio.calls
    assert told["call_status"] == told["initial_status"] == "queued"
    assert told["webhook_url"] == f"{BASE}/twilio-voice"
    assert told["candidate"] == "Ada"
    assert "+4915112345678" in told["message"]


def test_twilio_is_told_where_to_report_and_not_to_record(api, twilio, account):
    call(api, make_callee(account))
    (form,) = twilio.forms
    row = PhoneCall.objects.get()
    assert form["Url"] == [f"{BASE}/twilio-voice?call={row.pk}"]
    assert form["StatusCallback"] == [f"{BASE}/twilio-status?call={row.pk}"]
    assert form["StatusCallbackEvent"] == ["initiated", "ringing", "answered", "completed"]
    assert form["Record"] == ["false"]
    assert form["Timeout"] == ["30"]
    assert form["MachineDetection"] == ["DetectMessageEnd"]


@pytest.mark.parametrize("language", ["de", "pt-BR", "", "en-GB"])
def test_a_language_without_words_is_spoken_and_listened_to_in_english(ring, account, language):
    """Else a German voice would read English words, and a German ear listen for them."""
    make_slots(account)
    line = ring(make_callee(account, language=language))
    line.answer()
    assert PhoneCall.objects.get().invitation["language"] == "en"
    assert b'language="en-US"' in line.documents[0]
    assert b"de-DE" not in line.documents[0]


def test_a_request_that_is_sent_again_with_its_key_rings_once(api, twilio, account):
    person, key = make_callee(account), {"Idempotency-Key": "monday 7"}
    body = {"candidate_id": str(person.pk)}

    def send():
        return api.post("/make-actual-call", body, content_type="application/json", headers=key)

    first = send().json()
    calls.report(PhoneCall.objects.get().pk, "busy")
    again = send()
    assert (again.status_code, again.json()["call_sid"]) == (200, first["call_sid"])
    assert len(twilio.forms) == 1
    body["candidate_id"] = str(make_callee(account, phone="+4915112345679").pk)
    assert (send().status_code, send().json()["error_code"]) == (409, "KEY_REUSED")
    stranger = Client(headers={**bearer(make_key(make_account("other"))), **key})
    body["candidate_id"] = str(make_callee(make_account("other")).pk)
    assert stranger.post("/make-actual-call", body, content_type="application/json").status_code == 200


def test_a_key_of_a_call_that_twilio_did_not_take_may_be_tried_again(api, twilio, account):
    body = {"candidate_id": str(make_callee(account).pk)}
    twilio.script(Behaviour(Fault.STATUS, status=400, code=20003))
    for status in (502, 200):
        answer = api.post(
            "/make-actual-call", body, content_type="application/json", headers={"Idempotency-Key": "k"}
        )
        assert answer.status_code == status, answer.content


@pytest.mark.parametrize("key", ["k" * 201, "a\tb"])
def test_a_key_that_is_none_is_refused(api, twilio, account, key):
    body = {"candidate_id": str(make_callee(account).pk)}
    answer = api.post(
        "/make-actual-call", body, content_type="application/json", headers={"Idempotency-Key": key}
    )
    assert answer.status_code == 400
    assert not twilio.forms


@pytest.fixture
def candidate(settings, twilio):
    settings.CANDIDATE_NAME, settings.CANDIDATE_PHONE = "Jo Doe", "+49 151 2345 6789"
    settings.CANDIDATE_EMAIL, settings.CANDIDATE_TIME_ZONE = "jo@example.com", "Europe/Berlin"
    settings.CANDIDATE_POSITION, settings.CANDIDATE_COMPANY = "Software Engineer", "TechCorp"
    return Client(headers=bearer(make_key(make_account("default"))))


def test_an_empty_body_calls_the_candidate_of_the_environment(candidate, twilio):
    answer = candidate.post("/make-actual-call")
    assert answer.status_code == 200, answer.content
    assert answer.json()["candidate"] == "Jo Doe"
    assert twilio.forms[0]["To"] == ["+4915123456789"]
    row = PhoneCall.objects.get()
    assert row.invitation["company"] == "TechCorp"
    assert row.invitation["zone"] == "Europe/Berlin"
    said = Consent.objects.get(contact=row.contact)
    assert (said.given, said.source) == (True, "operator")


def test_the_slots_of_the_environment_become_times(candidate):
    candidate.post("/make-actual-call")
    slots = TimeSlot.objects.order_by("origin")
    assert [slot.origin for slot in slots] == [
        "Monday at 10 AM",
        "Thursday at 3 PM",
        "Tuesday at 2 PM",
        "Wednesday at 11 AM",
    ]


def test_the_operators_yes_does_not_undo_the_persons_no(candidate):
    candidate.post("/make-actual-call")
    row = PhoneCall.objects.get()
    calls.report(row.pk, "completed")
    consent.record(row.contact, "phone", "invitation", given=False, source="phone call")
    answer = candidate.post("/make-actual-call")
    assert answer.status_code == 409
    assert answer.json()["reason"] == "declined"


def test_the_candidate_of_the_environment_is_not_another_accounts(candidate, api):
    answer = api.post("/make-actual-call")
    assert answer.status_code == 400
    assert answer.json()["error_code"] == "NO_CANDIDATE"


@pytest.mark.parametrize("number", ["12345", "+1234567890", "+49", "call me"])
def test_a_number_that_cannot_ring_is_refused(candidate, settings, twilio, number):
    settings.CANDIDATE_PHONE = number
    answer = candidate.post("/make-actual-call")
    assert answer.status_code == 400
    assert set(answer.json()) >= {"status", "message", "error", "error_code", "detail"}
    assert not twilio.forms


@pytest.mark.parametrize("agrees", [None, False])
def test_nobody_is_called_without_consent(api, twilio, account, agrees):
    person = make_callee(account, agrees=False)
    if agrees is False:
        consent.record(person, "phone", "invitation", given=False, source="landing page")
    assert call(api, person).status_code == 409
    assert not twilio.forms


def test_a_suppressed_number_is_not_called(api, twilio, account):
    person = make_callee(account)
    consent.suppress(account, "phone", "+49 151 12345678", "manual")
    answer = call(api, person)
    assert (answer.status_code, answer.json()["reason"]) == (409, "manual")
    assert not twilio.forms


def test_nobody_is_rung_twice_at_once(api, twilio, account):
    person = make_callee(account)
    first = call(api, person)
    again = call(api, person)
    assert again.status_code == 409
    assert again.json()["call_sid"] == first.json()["call_sid"]
    assert len(twilio.forms) == 1


def test_nobody_is_called_more_often_than_the_limit(api, twilio, account, settings):
    settings.CALLS_PER_WEEK = 2
    person = make_callee(account)
    for _time in range(2):
        assert call(api, person).status_code == 200
        calls.report(PhoneCall.objects.latest("started_at").pk, "no-answer")
    answer = call(api, person)
    assert answer.status_code == 429
    assert answer.json()["call_limit_reached"] is True
    assert answer.json()["attempts"] == 2


@pytest.mark.parametrize(
    ("hour", "zone", "may"),
    [(6, "", False), (7, "", True), (19, "", True), (20, "", False), (20, "America/New_York", True)],
)
def test_the_phone_rings_only_in_the_persons_own_day(account, settings, hour, zone, may):
    settings.CALL_HOURS = (8, 21)
    person = make_callee(account, time_zone=zone)  # a German number; Berlin is an hour ahead in January
    now = datetime(2027, 1, 12, hour, 30, tzinfo=UTC)
    consent.record(person, "phone", "invitation", given=True, source="x", at=datetime(2026, 1, 1, tzinfo=UTC))
    refusal = gates.refusal(person, now=now)
    assert (refusal is None) is may
    assert may or refusal.code == "OUTSIDE_HOURS"


def test_a_number_of_many_zones_is_called_when_it_is_day_in_all_of_them(account, settings):
    settings.CALL_HOURS = (8, 21)
    person = make_callee(account, phone="+18005551212")  # toll-free: anywhere from Hawaii to Newfoundland
    zones = gates.zones_of(person, "+18005551212")
    assert len(zones) > 3
    at = datetime(2027, 1, 12, 14, tzinfo=UTC)  # morning in New York, night in Honolulu
    assert gates.refusal(person, now=at).code == "OUTSIDE_HOURS"


def test_it_names_the_settings_that_are_missing(api, account, settings, twilio):
    settings.TWILIO_AUTH_TOKEN = ""
    answer = call(api, make_callee(account))
    assert answer.status_code == 409
    assert "TWILIO_AUTH_TOKEN" in answer.json()["message"]


@pytest.mark.parametrize("base", ["http://localhost:8000", "http://127.0.0.1:8000", "http://[::1]:8000"])
def test_an_address_that_twilio_cannot_reach_is_refused(api, account, settings, twilio, base):
    settings.WEBHOOK_BASE_URL = base
    answer = call(api, make_callee(account))
    assert answer.status_code == 409
    assert "suggestion" in answer.json()
    assert not PhoneCall.objects.exists()


@pytest.mark.parametrize(
    ("status", "code", "ours"), [(400, 21211, 400), (401, 20003, 502), (400, 21220, 502), (429, 20429, 502)]
)
def test_a_refusal_of_twilio_is_told_in_our_words(api, twilio, account, status, code, ours):
    twilio.script(Behaviour(Fault.STATUS, status=status, code=code))
    answer = call(api, make_callee(account))
    assert answer.status_code == ours
    assert answer.json()["twilio_error"] == code
    assert SECRET not in answer.content.decode()
    row = PhoneCall.objects.get()
    assert (row.line, row.status, row.outcome) == ("failed", "failed", "not_placed")


@pytest.mark.parametrize("fault", [Fault.LOST_ANSWER, Fault.SILENCE, Fault.HTML])
def test_a_call_whose_answer_was_lost_is_looked_up_and_not_placed_again(
    api, twilio, account, fault, monkeypatch
):
    monkeypatch.setattr("voice.twilio.READ_SECONDS", 0.5)
    twilio.script(Behaviour(fault))
    answer = call(api, make_callee(account))
    assert answer.status_code == 200, answer.content
    assert answer.json()["call_sid"] in twilio.calls
    assert len(twilio.forms) == 1


@pytest.mark.parametrize("behaviour", [Behaviour(Fault.NOT_DONE), Behaviour(Fault.STATUS, status=503)])
def test_a_call_that_twilio_may_yet_place_is_left_unknown(api, twilio, account, behaviour):
    twilio.script(behaviour)
    person = make_callee(account)
    answer = call(api, person)
    assert (answer.status_code, answer.json()["error_code"]) == (502, "ANSWER_LOST")
    row = PhoneCall.objects.get()
    assert (row.line, row.status) == ("unknown", "active")
    assert call(api, person).status_code == 409


def test_a_call_that_never_was_is_closed_by_the_sweep(api, twilio, account):
    from voice.tasks import sweep

    twilio.script(Behaviour(Fault.NOT_DONE))
    call(api, make_callee(account))
    PhoneCall.objects.update(started_at=datetime(2026, 1, 1, tzinfo=UTC))
    sweep()
    row = PhoneCall.objects.get()
    assert (row.line, row.status) == ("failed", "failed")


def test_a_call_whose_end_was_not_reported_is_closed_by_the_sweep(api, twilio, account):
    from voice.tasks import sweep

    sid = call(api, make_callee(account)).json()["call_sid"]
    twilio.calls[sid] |= {"status": "completed", "duration": "33"}
    PhoneCall.objects.update(started_at=datetime(2026, 1, 1, tzinfo=UTC))
    sweep()
    row = PhoneCall.objects.get()
    assert (row.line, row.duration_seconds) == ("completed", 33)


def test_twilio_that_cannot_be_reached_called_nobody(api, twilio, account, settings):
    settings.TWILIO_API_URL = "http://127.0.0.1:9"
    answer = call(api, make_callee(account))
    assert (answer.status_code, answer.json()["error_code"]) == (503, "AWAY")
    assert PhoneCall.objects.get().status == "failed"


def test_a_person_of_another_account_is_not_there(api, twilio):
    stranger = make_callee(make_account("other"))
    assert call(api, stranger).status_code == 404
    assert not twilio.forms


def test_a_key_needs_the_scope(account, twilio):
    client = Client(headers=bearer(make_key(account, scopes=["knowledge"])))
    assert call(client, make_callee(account)).status_code == 403
