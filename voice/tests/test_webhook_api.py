"""The documented webhook API: its body unchanged, its answers, and what it refuses."""

import hashlib
import hmac
import json
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest
from django.db import connection
from django.test import Client

from crm.models import Contact, Conversation, Message, TimelineEntry
from tests.factories import bearer, make_account, make_key
from voice import inbox, tasks
from voice.models import ReceivedConversation, VoiceEvent

pytestmark = pytest.mark.django_db(transaction=True)

URL = "/api/v1/webhook/conversation"
# As the webhook API documents it, letter by letter.
DOCUMENTED = """{
  "emailId": "user@example.com",
  "accountId": "acc123",
  "conversationId": "conv_abc123",
  "transcript": [
    {
      "timestamp": "2024-01-15T10:30:00Z",
      "speaker": "user",
      "content": "Hello, I need help",
      "messageId": "msg_123"
    }
  ],
  "metadata": {
    "sessionId": "sess_456",
    "agentId": "agent_01jxn7fwb2eyq8p6k4m3en4xtm",
    "duration": 300,
    "messageCount": 10,
    "platform": "web",
    "userAgent": "Mozilla/5.0..."
  }
}"""
SECRET = "only-for-tests-" + "k" * 20


@pytest.fixture
def client():
    return Client(raise_request_exception=False, headers=bearer(make_key()))


def body(**changes):
    return {**json.loads(DOCUMENTED), **changes}


def send(client, given=DOCUMENTED, **headers):
    text = given if isinstance(given, str | bytes) else json.dumps(given)
    return client.post(URL, text, content_type="application/json", headers=headers)


def line(number, content, speaker="user"):
    return {
        "timestamp": f"2024-01-15T10:30:{number:02}Z",
        "speaker": speaker,
        "content": content,
        "messageId": f"msg_{number}",
    }


def texts():
    return list(Message.objects.order_by("seq").values_list("author", "text"))


# --- the documented way ----------------------------------------------------------------------


def test_the_documented_body_gets_the_documented_answer(client):
    answer = send(client)
    assert answer.status_code == 200
    told = answer.json()
    assert told["success"] is True
    assert told["message"] == "Conversation data received successfully"
    assert told["data"]["conversationId"] == "conv_abc123"
    assert told["data"]["status"] == "processed"
    assert told["data"]["processedAt"].endswith("Z")
    assert len(told["data"]["webhookId"]) == 40


def test_a_conversation_becomes_a_contact_a_talk_and_its_messages(client):
    send(client, body(transcript=[line(1, "Hello"), line(9, "Hello, Ada", "agent")]))
    tasks.read_inbox()
    contact = Contact.objects.get(addresses__value="user@example.com")
    talk = Conversation.objects.get(contact=contact)
    assert (talk.external_id, talk.state, talk.last_seq) == ("conv_abc123", "closed", 2)
    assert texts() == [("person", "Hello"), ("persona", "Hello, Ada")]
    assert TimelineEntry.objects.get(contact=contact).kind == "voice_conversation"


def test_its_state_is_told_as_documented(client, monkeypatch):
    monkeypatch.setattr(inbox, "wake", lambda: None)  # the reader comes later
    send(client)
    before = client.get("/api/v1/conversations/conv_abc123").json()
    tasks.read_inbox()
    after = client.get("/api/v1/conversations/conv_abc123").json()
    assert (before["status"], after["status"]) == ("processing", "completed")
    assert after["startTime"] == "2024-01-15T10:30:00Z"
    assert after["endTime"] == "2024-01-15T10:35:00Z"
    assert (after["emailId"], after["accountId"]) == ("user@example.com", "acc123")
    assert (after["duration"], after["messageCount"], after["summary"]) == (300, 10, None)


@pytest.mark.parametrize("name", ["a/b", "/a", "50% of ?#", "Gespräch 1", "../../x"])
def test_whatever_its_id_is_it_can_be_asked_for(client, name):
    assert send(client, body(conversationId=name)).status_code == 200
    told = client.get(f"/api/v1/conversations/{quote(name, safe='')}")
    assert (told.status_code, told.json().get("conversationId")) == (200, name)


def test_the_list_has_filters_and_pages(client):
    for number in range(3):
        send(client, body(conversationId=f"c{number}", accountId=f"acc{number % 2}"))
    told = client.get("/api/v1/conversations?account_id=acc0&limit=1").json()
    assert told["data"]["pagination"] == {"page": 1, "limit": 1, "total": 2, "pages": 2}
    assert [row["conversationId"] for row in told["data"]["conversations"]] == ["c2"]
    assert client.get("/api/v1/conversations?accountId=acc1").json()["data"]["pagination"]["total"] == 1
    assert client.get("/api/v1/conversations?limit=500").json()["data"]["pagination"]["limit"] == 100
    assert client.get("/api/v1/conversations?email_id=no@x.org").json()["data"]["pagination"]["pages"] == 0


def test_the_list_costs_the_same_for_more_rows(client, django_assert_max_num_queries):
    for number in range(12):
        send(client, body(conversationId=f"c{number}"))
    with django_assert_max_num_queries(4):
        client.get("/api/v1/conversations")


# --- again, and at once ----------------------------------------------------------------------


def test_the_same_content_again_is_the_first_delivery(client):
    first = send(client).json()["data"]
    again = send(client, json.dumps(json.loads(DOCUMENTED), sort_keys=True, indent=3)).json()["data"]
    assert first == again
    assert VoiceEvent.objects.count() == 1


def test_other_content_is_the_next_version(client):
    send(client, body(transcript=[line(1, "Hello")]))
    send(client, body(transcript=[line(1, "Hello"), line(2, "Bye")]))
    tasks.read_inbox()
    assert texts() == [("person", "Hello"), ("person", "Bye")]
    assert ReceivedConversation.objects.get().version == 2


def test_an_older_version_read_later_changes_nothing(client):
    send(client, body(transcript=[line(1, "Old")]))
    send(client, body(transcript=[line(1, "New")]))
    newest = VoiceEvent.objects.order_by("-content_at").first()
    tasks.inbox_reading.read(newest.pk)
    tasks.read_inbox()
    assert texts() == [("person", "New")]


def test_another_account_there_does_not_overwrite(client):
    send(client)
    answer = send(client, body(accountId="other"))
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "CONFLICT"
    assert ReceivedConversation.objects.get().account_label == "acc123"


def test_reading_twice_writes_once(client):
    send(client)
    tasks.read_inbox()
    inbox.replay(VoiceEvent.objects.all())
    tasks.read_inbox()
    assert (Message.objects.count(), TimelineEntry.objects.count()) == (1, 1)


def test_ten_copies_at_once_make_one_conversation(client):
    key = make_key()

    def one(_number):
        try:
            return send(Client(headers=bearer(key))).json()["data"]["webhookId"]
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as pool:
        ids = set(pool.map(one, range(10)))
    tasks.read_inbox()
    assert len(ids) == 1
    counts = [model.objects.count() for model in (VoiceEvent, ReceivedConversation, Conversation, Message)]
    assert counts == [1, 1, 1, 1]


# --- who may ---------------------------------------------------------------------------------


def test_a_call_without_a_key_is_a_401():
    answer = send(Client())
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.json()["error"]["code"] == "AUTHENTICATION_ERROR"
    assert send(Client(), Authorization="Bearer wrong").status_code == 401


def test_a_key_without_the_scope_is_a_403():
    assert send(Client(headers=bearer(make_key(scopes=["chat"])))).status_code == 403


def test_the_key_of_the_environment_acts_for_its_account(settings):
    settings.API_SECRET_KEY, settings.WEBHOOK_ACCOUNT = SECRET, "webhooks"
    assert send(Client(), Authorization=f"Bearer {SECRET}").status_code == 200
    assert ReceivedConversation.objects.get().account.slug == "webhooks"


def test_a_stranger_sees_nothing_of_another_account(client):
    send(client)
    stranger = Client(headers=bearer(make_key(make_account("other"))))
    answer = stranger.get("/api/v1/conversations/conv_abc123")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "CONVERSATION_NOT_FOUND"
    assert stranger.get("/api/v1/conversations").json()["data"]["pagination"]["total"] == 0
    assert send(stranger).status_code == 200  # the same id there is another conversation


def test_refused_calls_of_an_address_are_limited_and_those_with_a_key_are_not(client, settings):
    settings.WEBHOOK_REFUSED_PER_MINUTE = 3
    stranger = Client(REMOTE_ADDR="203.0.113.9")
    codes = [send(stranger).status_code for _ in range(4)]
    assert codes == [401, 401, 401, 429]
    assert client.post(URL, DOCUMENTED, "application/json", REMOTE_ADDR="203.0.113.9").status_code == 200


def test_a_key_is_limited_by_the_minute(client, settings):
    settings.WEBHOOK_PER_MINUTE = 2
    codes = [client.get("/api/v1/conversations").status_code for _ in range(3)]
    assert codes == [200, 200, 429]


def signed(raw, secret=SECRET):
    return hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()


def test_a_signature_is_over_the_bytes_as_they_came(client, settings):
    settings.WEBHOOK_SECRET = SECRET
    raw = DOCUMENTED.encode()
    assert send(client, raw, **{"X-Webhook-Signature": signed(raw)}).status_code == 200
    again = json.dumps(json.loads(DOCUMENTED)).encode()
    wrong = send(client, raw, **{"X-Webhook-Signature": signed(again)})
    assert wrong.status_code == 403
    assert wrong.json()["error"]["code"] == "SIGNATURE_ERROR"


def test_a_signature_may_be_required(client, settings):
    settings.WEBHOOK_SECRET, settings.WEBHOOK_SIGNATURE_REQUIRED = SECRET, True
    assert send(client).status_code == 403
    assert not VoiceEvent.objects.exists()


# --- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"emailId": "nobody"}, "emailId"),
        ({"accountId": "a"}, "accountId"),
        ({"conversationId": " "}, "conversationId"),
        ({"transcript": []}, "transcript"),
        ({"transcript": [line(1, "x", speaker="bot")]}, "transcript.0.speaker"),
        ({"transcript": [{**line(1, "x"), "timestamp": "yesterday"}]}, "transcript.0.timestamp"),
        ({"transcript": ["x"]}, "transcript.0"),
        ({"metadata": {}}, "metadata.agentId"),
        ({"metadata": {**json.loads(DOCUMENTED)["metadata"], "duration": -1}}, "metadata.duration"),
        ({"metadata": {**json.loads(DOCUMENTED)["metadata"], "duration": True}}, "metadata.duration"),
        ({"summary": {"topic": "x"}}, "summary.sentiment"),
    ],
)
def test_a_wrong_field_is_named(client, change, field):
    answer = send(client, body(**change))
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "VALIDATION_ERROR"
    assert field in answer.json()["error"]["details"]
    assert not VoiceEvent.objects.exists()


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"a": "\\u0000"}', "[" * 5000])
def test_what_is_no_conversation_is_a_400(client, text):
    assert send(client, text).status_code == 400


def test_a_body_of_more_than_ten_megabytes_is_a_413(client):
    answer = send(client, b'"' + b"x" * 10 * 1024 * 1024 + b'"')
    assert answer.status_code == 413
    assert isinstance(answer.json()["detail"], str)


@pytest.mark.parametrize("query", ["limit=0", "page=0", "page=-1", "limit=x", "status=odd", "startDate=x"])
def test_a_wrong_query_is_a_400(client, query):
    assert client.get(f"/api/v1/conversations?{query}").status_code == 400


def test_unknown_keys_are_kept_and_message_ids_may_repeat(client):
    twice = [line(1, "One"), {**line(1, "Two"), "odd": [1]}]
    assert send(client, body(transcript=twice, odd="kept")).status_code == 200
    tasks.read_inbox()
    assert [text for _author, text in texts()] == ["One", "Two"]
    assert '"odd": "kept"' in VoiceEvent.objects.get().body
