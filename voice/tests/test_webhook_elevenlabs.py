"""ElevenLabs' own webhooks: proved over the raw body, stored first, and right in whatever order they come."""

import base64
import time

import pytest
from django.contrib.auth.models import User
from django.test import Client

from config.api.models import AuditEntry
from crm.models import Contact, ContactAddress, Conversation, Message
from tests.factories import make_account, make_contact
from tests.fakes.elevenlabs_server import event, record, signature
from voice import tasks
from voice.models import ReceivedConversation, VoiceEvent

pytestmark = pytest.mark.django_db(transaction=True)
URL = "/api/v1/webhook/elevenlabs"
SECRET = "wsec_" + "s" * 30


@pytest.fixture(autouse=True)
def secret(settings):
    settings.ELEVENLABS_WEBHOOK_SECRETS = ["an-older-secret", SECRET]


def send(body, header=None):
    header = signature(body, SECRET) if header is None else header
    headers = {"ElevenLabs-Signature": header}
    return Client().post(URL, body, content_type="application/json", headers=headers)


def received(name="conv_1"):
    return ReceivedConversation.objects.get(conversation_id=name)


def test_a_transcript_becomes_a_talk_by_phone():
    assert send(event()).status_code == 200
    tasks.read_inbox()
    talk = Conversation.objects.get()
    assert (talk.external_id, talk.channel) == ("conv_1", "phone")
    assert ContactAddress.objects.get(contact=talk.contact, kind="phone").value == "+48123456789"
    said = list(Message.objects.order_by("seq").values_list("author", "text"))
    assert said == [("persona", "Hello, how can I help?"), ("person", "My order is late.")]
    assert received().summary["text"] == "A late order."


def test_our_own_id_of_the_contact_leads_back_to_them():
    contact = make_contact(make_account("default"))
    variables = {"dynamic_variables": {"contact_id": str(contact.pk)}}
    send(event(data=record(conversation_initiation_client_data=variables)))
    tasks.read_inbox()
    assert received().contact == contact


@pytest.mark.parametrize(
    "header",
    [
        "",
        "nonsense",
        "t=x,v0=00",
        "t=1,v0=00",
        "v0=00",
        "t=99999999999,v0=00",
        "t=now,v0=00",
        "t=now,v0=ü",
    ],
)
def test_a_call_that_proves_nothing_is_refused_and_not_stored(header):
    answer = send(event(), header.replace("now", str(int(time.time()))))
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "SIGNATURE_ERROR"
    assert not VoiceEvent.objects.exists()


@pytest.mark.parametrize(("seconds", "code"), [(-1700, 200), (1700, 200), (-1900, 403), (1900, 403)])
def test_half_an_hour_either_way_is_near_enough(seconds, code):
    body = event()
    assert send(body, signature(body, SECRET, at=int(time.time()) + seconds)).status_code == code


def test_another_body_or_another_secret_is_refused():
    assert send(event() + b" ", signature(event(), SECRET)).status_code == 403
    assert send(event(), signature(event(), "guessed")).status_code == 403


def test_any_matching_v0_of_any_secret_will_do():
    body = event()
    stamp, _, digest = signature(body, "an-older-secret").partition(",")
    assert send(body, f"{stamp},v0=00,{digest}").status_code == 200


def test_without_a_secret_nobody_is_believed(settings):
    settings.ELEVENLABS_WEBHOOK_SECRETS = []
    assert send(event(), signature(event(), "")).status_code == 403


def test_a_repeated_event_is_one_row():
    body = event(at=1_705_314_700)
    for _ in range(3):
        assert send(body).status_code == 200
    assert VoiceEvent.objects.count() == 1


def test_an_older_transcript_that_comes_later_changes_nothing():
    send(event(data=record(words=["New"]), at=1_705_314_900))
    tasks.read_inbox()
    send(event(data=record(words=["Old"]), at=1_705_314_700))
    tasks.read_inbox()
    assert list(Message.objects.values_list("text", flat=True)) == ["New"]


@pytest.mark.parametrize("audio_first", [True, False])
def test_the_recording_finds_its_talk_in_either_order(audio_first):
    data = {"conversation_id": "conv_1", "full_audio": base64.b64encode(b"ID3 sound").decode()}
    bodies = [event(), event("post_call_audio", data)]
    for body in reversed(bodies) if audio_first else bodies:
        send(body)
        tasks.read_inbox()
    row = received()
    with row.recording.file.open() as sound:
        assert sound.read() == b"ID3 sound"
    assert row.recording.contact == row.contact
    assert row.status == "completed"


def test_staff_listen_to_the_recording_which_is_noted():
    data = {"conversation_id": "conv_1", "full_audio": base64.b64encode(b"ID3 sound").decode()}
    send(event("post_call_audio", data))
    tasks.read_inbox()
    staff = Client()
    staff.force_login(User.objects.create_superuser("sue"))
    page = f"/admin/voice/receivedconversation/{received().pk}"
    assert f"{page}/recording" in staff.get(f"{page}/change/").content.decode()
    part = staff.get(f"{page}/recording", headers={"Range": "bytes=0-2"})
    assert (part.status_code, part.content, part.headers["Content-Type"]) == (206, b"ID3", "audio/mpeg")
    assert AuditEntry.objects.filter(action="listen to conversation", actor="sue").count() == 1
    other = Client()
    other.force_login(User.objects.create_user("bob", is_staff=True))
    assert other.get(f"{page}/recording").status_code == 403


def test_without_a_recording_there_is_none_to_listen_to():
    send(event())
    tasks.read_inbox()
    staff = Client()
    staff.force_login(User.objects.create_superuser("sue"))
    page = f"/admin/voice/receivedconversation/{received().pk}"
    assert "<audio" not in staff.get(f"{page}/change/").content.decode()
    assert staff.get(f"{page}/recording").status_code == 404


def test_a_large_recording_is_a_file(settings):
    sound = b"x" * (4 * 1024 * 1024)
    data = {"conversation_id": "conv_1", "full_audio": base64.b64encode(sound).decode()}
    assert send(event("post_call_audio", data)).status_code == 200
    kept = VoiceEvent.objects.get()
    assert kept.file
    assert not kept.body
    tasks.read_inbox()
    assert received().recording.size_bytes == len(sound)


def test_a_call_beyond_the_cap_is_a_413(settings):
    settings.VOICE_AUDIO_MAX_BYTES = 1000
    assert send(event(data=record(words=["x" * 2000]))).status_code == 413


@pytest.mark.parametrize("failure_first", [True, False])
def test_a_transcript_outlives_a_failure_in_either_order(failure_first):
    data = {"conversation_id": "conv_1", "failure_reason": "busy", "metadata": {"type": "twilio", "body": {}}}
    bodies = [event(), event("call_initiation_failure", data)]
    for body in reversed(bodies) if failure_first else bodies:
        send(body)
        tasks.read_inbox()
    assert received().status == "completed"


def test_a_call_that_failed_is_told_with_its_reason():
    contact = make_contact(make_account("default"))
    ContactAddress.objects.create(
        account=contact.account, contact=contact, kind="phone", value="+48123456789", is_primary=True
    )
    body = {"type": "twilio", "body": {"To": "+48 123 456 789"}}
    data = {"conversation_id": "conv_1", "failure_reason": "no-answer", "metadata": body}
    send(event("call_initiation_failure", data))
    tasks.read_inbox()
    assert (received().status, received().reason, received().contact) == ("failed", "no-answer", contact)
    assert contact.timeline.get().kind == "voice_call_failed"


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'{"type": "new_kind", "data": {"x": 1}}', b"\xff\x00"])
def test_what_we_do_not_know_is_kept_and_answered_with_200(body):
    assert send(body).status_code == 200
    tasks.read_inbox()
    kept = VoiceEvent.objects.get()
    assert (kept.state, kept.body.encode("latin-1")) == ("done", body)


def test_the_same_talk_told_by_page_and_vendor_is_one(client, settings):
    from tests.factories import bearer, make_key
    from voice.tests.test_webhook_api import DOCUMENTED

    page = DOCUMENTED.replace("conv_abc123", "conv_1")
    key = bearer(make_key(make_account("default")))
    send(event(at=1_705_314_900))
    client.post("/api/v1/webhook/conversation", page, content_type="application/json", headers=key)
    tasks.read_inbox()
    assert Conversation.objects.count() == 1
    assert received().contact == Contact.objects.get(addresses__value="user@example.com")
