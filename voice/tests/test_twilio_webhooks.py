"""Who may call our webhooks, and that Twilio always gets a document it can obey."""

import pytest
from django.test import Client
from twilio.request_validator import RequestValidator

from tests.fakes.twilio_server import AUTH_TOKEN
from voice import twilio as seam
from voice.models import PhoneCall
from voice.tests.conftest import make_callee, make_slots
from voice.tests.simulator import BASE, checked_twiml, signature, signed_post

pytestmark = pytest.mark.django_db(transaction=True)
PATHS = ("twilio-voice", "twilio-process", "twilio-status", "twilio-recording")
FORM = {"CallSid": "CA1", "CallStatus": "in-progress"}

# The vendor's own example (contracts/vendors.md).
VECTOR = {
    "CallSid": "CA1234567890ABCDE",
    "Caller": "+12349013030",
    "Digits": "1234",
    "From": "+12349013030",
    "To": "+18005551212",
}
VECTOR_SIGNATURE = "0/KCTR6DLpKmkAf8muzZqo1nDgQ="


def test_the_vendors_own_example_is_proved(settings):
    settings.TWILIO_AUTH_TOKEN, settings.WEBHOOK_BASE_URL = "12345", "https://mycompany.com"
    assert seam.is_signed("/myapp.php", "foo=1&bar=2", VECTOR, VECTOR_SIGNATURE)
    assert not seam.is_signed("/myapp.php", "foo=1&bar=3", VECTOR, VECTOR_SIGNATURE)
    assert not seam.is_signed("/myapp.php", "foo=1&bar=2", {**VECTOR, "Digits": "1"}, VECTOR_SIGNATURE)


def test_without_a_token_nothing_is_proved(settings):
    settings.TWILIO_AUTH_TOKEN = ""
    assert not seam.is_signed("/x", "", {}, RequestValidator("").compute_signature(f"{BASE}/x", {}))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("sent", ["", "nonsense", "é", signature("https://else.example/twilio-voice", FORM)])
def test_what_is_not_signed_by_twilio_is_refused(twilio, web, path, sent):
    headers = {"X-Twilio-Signature": sent} if sent else {}
    answer = web.post(f"/{path}", FORM, headers=headers)
    assert answer.status_code == 403
    body = answer.json()
    assert (body["status"], body["error_code"]) == ("error", "SIGNATURE_ERROR")
    assert isinstance(body["detail"], str)


@pytest.mark.parametrize("path", PATHS)
def test_another_token_signs_nothing(twilio, web, path):
    assert signed_post(web, f"{BASE}/{path}", FORM, token="another").status_code == 403


@pytest.mark.parametrize(
    "base", ["https://calls.example", "https://calls.example:8443", "https://calls.example/in"]
)
def test_the_public_address_is_what_counts_behind_a_proxy(twilio, web, settings, base):
    """Here the request arrives as http, at another port, under the name that the proxy uses."""
    settings.WEBHOOK_BASE_URL = base
    form = {**FORM, "CallSid": "CA-unknown"}
    signed = {"X-Twilio-Signature": signature(f"{base}/twilio-voice", form)}
    answer = web.post("/twilio-voice", form, headers=signed, SERVER_PORT="8001")
    checked_twiml(answer)


def test_twilio_may_sign_with_the_usual_port(twilio, web):
    signed = {"X-Twilio-Signature": signature("https://calls.example:443/twilio-voice", FORM)}
    assert web.post("/twilio-voice", FORM, headers=signed).status_code == 200


def test_a_forged_host_is_refused(twilio, settings):
    settings.ALLOWED_HOSTS = ["calls.example"]
    forger = Client(headers={"Host": "evil.example"}, raise_request_exception=False)
    forged = signature("https://evil.example/twilio-voice", FORM)
    assert forger.post("/twilio-voice", FORM, headers={"X-Twilio-Signature": forged}).status_code in (
        400,
        403,
    )
    ours = Client(headers={"Host": "calls.example"})
    assert ours.post("/twilio-voice", FORM, headers={"X-Twilio-Signature": forged}).status_code == 403


def test_a_forged_forwarded_host_changes_nothing(twilio, web):
    forged = signature("https://evil.example/twilio-voice", FORM)
    headers = {"X-Twilio-Signature": forged, "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
    assert web.post("/twilio-voice", FORM, headers=headers).status_code == 403


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("form", [{}, {"CallSid": ""}, {"CallSid": "CA-unknown"}, {"CallSid": "x" * 5000}])
def test_a_call_that_is_none_of_ours_is_ended(twilio, web, path, form):
    answer = signed_post(web, f"{BASE}/{path}", form)
    assert answer.status_code == 200
    assert b"<Response" in answer.content
    assert b"<Gather" not in answer.content
    assert not PhoneCall.objects.exists()


@pytest.mark.parametrize("path", PATHS)
def test_a_sid_cannot_speak_for_another_call(ring, web, account, path):
    make_slots(account)
    line = ring()
    url = line.voice_url.replace("twilio-voice", path)
    answer = signed_post(web, url, {"CallSid": "CA-other", "CallStatus": "completed"})
    assert answer.status_code == 200
    assert PhoneCall.objects.get().line == "queued"


@pytest.mark.parametrize("path", ["twilio-voice", "twilio-process"])
def test_whatever_breaks_twilio_gets_an_apology(ring, web, account, path, monkeypatch, caplog):
    make_slots(account)
    line = ring()

    def breaks(*_given, **_more):
        raise RuntimeError("a bug")

    monkeypatch.setattr("voice.scheduling.greet", breaks)
    root = checked_twiml(line.post(line.voice_url.replace("twilio-voice", path)))
    assert "sorry" in root.find("Say").text
    assert "a bug" in caplog.text


@pytest.mark.parametrize("confidence", ["", "nan", "inf", "-3", "high", "1e999"])
def test_a_confidence_that_is_no_number_is_no_error(ring, account, confidence):
    make_slots(account)
    line = ring()
    line.answer()
    line.say("yes", confidence=confidence)
    assert PhoneCall.objects.get().turn_count == 1


@pytest.mark.parametrize(
    "words",
    ["\x00", "\x0b\x1f yes", "y" * 20_000, "\U0001f600 yes"],
)
def test_any_words_are_borne(ring, account, words):
    make_slots(account)
    line = ring()
    line.answer()
    line.say(words)
    assert PhoneCall.objects.get().turn_count <= 1


def test_names_are_escaped_and_cleaned(ring, account):
    make_slots(account)
    line = ring(company='A & B <Dial>"x"</Dial>\x0b', position="R&D \x01")
    line.answer()
    assert b"<Dial>" not in line.documents[0]


def test_the_webhook_may_be_faster_than_twilios_answer(ring, account):
    make_slots(account)
    line = ring()
    PhoneCall.objects.update(sid=None, line="requested")
    line.answer()
    row = PhoneCall.objects.get()
    assert (row.sid, row.line) == (line.sid, "in-progress")


def test_who_answered_is_kept_although_the_answer_was_reported_first(ring, account):
    """Twilio reports `answered` at once; it asks for words, and says who it is, when it has listened."""
    make_slots(account)
    line = ring()
    line.report("in-progress")
    line.answer(AnsweredBy="human")
    assert PhoneCall.objects.get().answered_by == "human"
    line.report("completed", AnsweredBy="unknown")
    assert PhoneCall.objects.get().line == "completed"


def test_a_turn_without_its_number_is_the_next(ring, account):
    make_slots(account)
    line = ring()
    line.answer()
    line.action = f"{BASE}/twilio-process"
    line.say("yes")
    assert PhoneCall.objects.get().turn_count == 1


def test_a_turn_that_was_never_given_out_changes_nothing(ring, account):
    make_slots(account)
    line = ring()
    line.answer()
    line.action = line.action.replace("turn=1", "turn=7")
    line.say("yes")
    assert PhoneCall.objects.get().turn_count == 0


def test_the_duration_and_the_end_are_kept(ring, account):
    make_slots(account)
    line = ring()
    line.answer()
    line.hang_up()
    row = PhoneCall.objects.get()
    assert row.duration_seconds == 42
    assert row.answered_at <= row.ended_at


def test_the_token_is_in_no_answer(ring, account):
    make_slots(account)
    line = ring(make_callee(account, phone="+4915111111111"))
    line.answer()
    assert AUTH_TOKEN.encode() not in b"".join(line.documents)
