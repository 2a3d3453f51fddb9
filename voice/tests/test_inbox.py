"""Events that fail, are given up, replayed, asked for, remembered and forgotten."""

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from crm import erasure
from crm.models import Conversation
from knowledge.models import Document
from tests.factories import bearer, make_key
from tests.fakes.elevenlabs_server import ElevenLabsServer, record
from voice import inbox, received, tasks, webhook_health, webhook_polling
from voice.models import ReceivedConversation, VoiceEvent, VoiceFeed
from voice.tests.test_webhook_api import DOCUMENTED, URL

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sent(client, monkeypatch):
    """An event that its reader has not come to."""
    monkeypatch.setattr(inbox, "wake", lambda: None)
    headers = bearer(make_key())
    assert client.post(URL, DOCUMENTED, content_type="application/json", headers=headers).status_code == 200
    return VoiceEvent.objects.get()


def run_until_given_up():
    for _ in range(inbox.MAX_ATTEMPTS):
        VoiceEvent.objects.update(not_before=timezone.now())
        tasks.read_inbox()


def test_what_cannot_be_read_is_given_up_and_can_be_replayed(sent, monkeypatch, client):
    with monkeypatch.context() as broken:
        broken.setattr(received, "_contact", lambda *_: 1 / 0)
        run_until_given_up()
    dead = VoiceEvent.objects.get()
    assert (dead.state, dead.error) == ("dead", "ZeroDivisionError")
    assert ReceivedConversation.objects.get().status == "failed"
    client.force_login(User.objects.create_superuser("operator"))
    data = {"action": "replay", "_selected_action": [str(dead.pk)]}
    assert client.post("/admin/voice/voiceevent/", data).status_code == 302
    tasks.read_inbox()
    assert ReceivedConversation.objects.get().status == "completed"


def test_an_event_of_a_worker_that_died_is_read_by_the_sweep(sent):
    assert inbox.take(sent.pk) is not None
    assert inbox.take(sent.pk) is None
    VoiceEvent.objects.update(not_before=timezone.now())
    tasks.sweep()
    assert VoiceEvent.objects.get().state == "done"


def test_what_kills_its_worker_is_given_up(sent):
    for _ in range(inbox.MAX_ATTEMPTS):
        assert inbox.take(sent.pk) is not None
        VoiceEvent.objects.update(not_before=timezone.now())
    assert inbox.take(sent.pk) is None
    assert VoiceEvent.objects.get().state == "dead"


def test_bodies_are_encrypted_and_cleared(sent, settings):
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT body FROM voice_voiceevent")
        assert "Hello" not in cursor.fetchone()[0]
    tasks.read_inbox()
    VoiceEvent.objects.update(received_at=timezone.now() - timezone.timedelta(days=31))
    tasks.sweep()
    assert VoiceEvent.objects.get().body == ""
    assert inbox.replay(VoiceEvent.objects.all()) == []


@pytest.mark.parametrize("page", ["voiceevent", "receivedconversation"])
def test_the_pages_of_the_admin_open(sent, client, page):
    client.force_login(User.objects.create_superuser("operator"))
    pk = {"voiceevent": sent.pk, "receivedconversation": sent.received_id}[page]
    assert "conv_abc123" in client.get(f"/admin/voice/{page}/").content.decode()
    shown = client.get(f"/admin/voice/{page}/{pk}/change/")
    assert shown.status_code == 200
    assert b'name="_save"' not in shown.content  # there is nothing to save


# --- the knowledge, and forgetting -----------------------------------------------------------


def test_by_switch_a_talk_is_remembered_and_forgotten_with_its_person(sent, settings):
    settings.VOICE_KNOWLEDGE = True
    tasks.read_inbox()
    document = Document.objects.get()
    assert (document.collection.slug, document.origin_kind) == (
        "voice-conversations",
        "received_conversation",
    )
    row = ReceivedConversation.objects.get()
    assert "user@example.com" in str(erasure.collect(row.contact))
    erasure.run(erasure.request(row.contact).pk)
    row.refresh_from_db()
    assert (row.status, row.email, row.contact) == ("erased", "", None)
    assert VoiceEvent.objects.get().body == ""
    assert not Document.objects.exists()
    assert not Conversation.objects.exists()


def test_without_the_switch_nothing_is_remembered(sent):
    tasks.read_inbox()
    assert not Document.objects.exists()


def test_an_erased_conversation_does_not_come_back(sent, client):
    tasks.read_inbox()
    contact = ReceivedConversation.objects.get().contact
    erasure.run(erasure.request(contact).pk)
    other = DOCUMENTED.replace("need help", "need more help")
    headers = bearer(make_key())
    answer = client.post(URL, other, content_type="application/json", headers=headers)
    assert answer.status_code == 409
    assert not Conversation.objects.exists()


def test_an_event_not_read_yet_is_erased_as_well(sent):
    from crm import contacts

    contact, _made = contacts.resolve(sent.account, email="user@example.com")
    erasure.run(erasure.request(contact).pk)
    assert VoiceEvent.objects.get().body == ""


# --- webhooks that never came ----------------------------------------------------------------


@pytest.fixture
def vendor(settings):
    with ElevenLabsServer(*(record(f"conv_{number}") for number in range(5))) as server:
        settings.ELEVENLABS_API_KEY, settings.ELEVENLABS_BASE_URL = "el-key", server.address
        yield server


def test_what_no_webhook_told_is_asked_for_once(vendor):
    assert webhook_polling.ask() == 5
    tasks.read_inbox()
    assert Conversation.objects.count() == 5
    VoiceFeed.objects.update(not_before=timezone.now())
    asked = len(vendor.requests)
    assert webhook_polling.ask() == 0
    assert len(vendor.requests) - asked == 3  # the pages of the list alone
    assert webhook_health.elevenlabs() == "connected"


def test_it_is_not_asked_more_often_than_every_few_minutes(vendor):
    webhook_polling.ask()
    assert not webhook_polling.is_due()


@pytest.mark.parametrize("status", [401, 429, 500, 302])
def test_a_vendor_that_does_not_answer_is_asked_later(vendor, status, client):
    vendor.status = status
    assert webhook_polling.ask() == 0
    feed = VoiceFeed.objects.get()
    assert feed.last_error == f"Status {status}."
    assert feed.asked_until is None
    assert feed.reading_until is None
    told = client.get("/api/v1/health").json()
    assert told["dependencies"]["elevenlabs"] == "disconnected"


def test_an_answer_that_is_cut_off_is_asked_for_later(vendor):
    vendor.cuts_off = True
    assert webhook_polling.ask() == 0
    feed = VoiceFeed.objects.get()
    assert (bool(feed.last_error), feed.reading_until) == (True, None)
    vendor.cuts_off = False
    VoiceFeed.objects.update(not_before=timezone.now())
    assert webhook_polling.ask() == 5


@pytest.mark.parametrize("fault", ["gone", "another", "too large"])
def test_one_that_is_not_to_be_had_keeps_no_other_from_us(vendor, fault, monkeypatch):
    good = vendor.records["conv_0"]
    monkeypatch.setattr(webhook_polling, "MOST_BYTES", 5000)
    vendor.faulty["conv_0"] = {
        "gone": None,
        "another": {**good, "conversation_id": "conv_9"},
        "too large": {**good, "agent_name": "x" * 6000},
    }[fault]
    assert webhook_polling.ask() == 4
    assert VoiceFeed.objects.get().asked_until is not None
    assert webhook_health.elevenlabs() == "connected"


def test_a_talk_that_is_still_going_on_is_left_alone(vendor):
    vendor.records["conv_1"]["status"] = "in-progress"
    assert webhook_polling.ask() == 4


def test_without_a_key_nobody_is_asked(client):
    assert webhook_polling.ask() == 0
    assert client.get("/api/v1/health").json()["dependencies"]["elevenlabs"] == "not_configured"


def test_health_is_connected_with_a_secret_alone(settings):
    settings.ELEVENLABS_WEBHOOK_SECRETS = ["x"]
    assert webhook_health.elevenlabs() == "connected"
