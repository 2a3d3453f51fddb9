"""Pictures and voice messages to influencers: whose they are, what a model sees and hears of them."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from config.api.threads import in_database
from crm.models import Message
from crm.tests.media_samples import picture, wav
from crm.tests.model_server import model_server
from crm.tests.persona_chatting import CHATS, Talker
from personas.breaker import breaker
from tests.fakes.openai_server import Behaviour, Fault

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("flushed_layer", "signed_tokens"),
]


@pytest.fixture
def server(settings):
    with model_server(settings, "A loaf.", transcription="How do I begin?") as running:
        yield running


@pytest.fixture
def alice():
    return Talker("alice")


async def uploaded(talker, data=None, name="loaf.jpg", kind="image"):
    def upload():
        file = SimpleUploadedFile(name, data or picture())
        form = {"file": file, "type": kind}
        return talker.user.client.post("/api/v1/media/upload", form, headers=talker.user.headers).json()

    return await in_database(upload)


def opened(talker, url):
    answer = talker.user.client.get(url)
    assert b"".join(answer.streaming_content).startswith(b"\xff\xd8")
    answer.close()
    return answer.status_code


def recording(talker):
    return uploaded(talker, wav(2.2), name="note.wav", kind="audio")


def asked(server, path="chat"):
    return [request for request in server.requests if path in request.path]


def pictures_in(request):
    """How many each message of a prompt holds."""
    contents = [message["content"] for message in request.json["messages"]]
    return [
        sum(part["type"] == "image_url" for part in one) if isinstance(one, list) else 0 for one in contents
    ]


async def begun(alice):
    return await alice.begin(provider_chain=["openai"], greeting="")


# --- Pictures -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["storage_key", "url"])
async def test_a_picture_is_shown_to_the_model_and_back_to_its_owner(alice, server, name):
    chat = await begun(alice)
    file = await uploaded(alice)
    body = {"message_type": "multimodal", "content": "What is this?", "media_urls": [file[name]]}
    answer = await alice.send(chat, body)
    sent = answer.json()["user_message"]
    assert (answer.status_code, sent["message_type"], sent["content"]) == (200, "multimodal", "What is this?")
    (url,) = sent["media_urls"]
    assert await in_database(opened, alice, url) == 200
    assert sum(pictures_in(asked(server)[-1])) == 1
    (shown,) = (await alice.history(chat, limit=1, order="asc")).json()["messages"]
    assert (shown["message_type"], len(shown["media_urls"])) == ("multimodal", 1)


async def test_a_picture_needs_no_words_and_is_remembered(alice, server):
    chat = await begun(alice)
    file = await uploaded(alice)
    answer = await alice.send(chat, {"message_type": "IMAGE", "media_urls": file["storage_key"]})
    sent = answer.json()["user_message"]
    assert (sent["message_type"], sent["content"], len(sent["media_urls"])) == ("image", None, 1)
    await alice.say(chat, "What colour is it?")
    assert sum(pictures_in(asked(server)[-1])) == 1


async def test_ten_pictures_are_all_shown(alice, server):
    chat = await begun(alice)
    keys = [(await uploaded(alice, picture(size=(40 + n, 30))))["storage_key"] for n in range(10)]
    answer = await alice.send(chat, {"message_type": "image", "media_urls": keys})
    assert len(answer.json()["user_message"]["media_urls"]) == 10
    assert sum(pictures_in(asked(server)[-1])) == 10


async def test_anothers_upload_is_refused(alice):
    chat = await alice.begin()
    bob = Talker("bob")
    file = await uploaded(bob)
    for reference in (file["storage_key"], file["url"]):
        answer = await alice.send(chat, {"message_type": "image", "media_urls": [reference]})
        assert answer.status_code == 422
        assert answer.json()["details"]["errors"][0]["loc"] == ["body", "media_urls"]
    assert not await in_database(Message.objects.exists)


@pytest.mark.parametrize(
    "reference", ["https://example.com/a.jpg", "bob/secret.jpg", "file:///etc/passwd", "x"]
)
async def test_what_is_no_upload_is_refused(alice, reference):
    chat = await alice.begin()
    answer = await alice.send(chat, {"message_type": "image", "media_urls": [reference]})
    assert answer.status_code == 422


async def test_a_recording_is_no_picture(alice):
    chat = await alice.begin()
    file = await recording(alice)
    answer = await alice.send(chat, {"message_type": "image", "media_urls": [file["storage_key"]]})
    assert answer.status_code == 422


# --- Voice messages -----------------------------------------------------------------------------


async def test_a_voice_message_is_written_down_and_answered(alice, server):
    chat = await begun(alice)
    file = await recording(alice)
    body = {"message_type": "audio", "audio_url": file["storage_key"], "audio_duration_seconds": 99}
    answer = await alice.send(chat, body)
    sent = answer.json()["user_message"]
    assert (answer.status_code, sent["content"]) == (200, "[Transcribed: How do I begin?]")
    assert (sent["message_type"], sent["audio_duration_seconds"]) == ("audio", 3)
    assert sent["audio_url"]
    words = asked(server)[-1].json["messages"][-2]["content"]
    assert words == "[Transcribed: How do I begin?]"
    (kept,) = (await alice.history(chat, limit=1, order="asc")).json()["messages"]
    assert kept["content"] == "[Transcribed: How do I begin?]"


async def test_what_was_written_beside_it_is_kept(alice, server):
    chat = await begun(alice)
    file = await recording(alice)
    body = {"message_type": "audio", "audio_url": file["storage_key"], "content": "Listen:"}
    sent = (await alice.send(chat, body)).json()["user_message"]
    assert sent["content"] == "Listen:\n[Transcribed: How do I begin?]"


async def test_it_is_written_down_once_however_often_it_is_sent(alice, server):
    chat = await begun(alice)
    file = await recording(alice)
    body = {"message_type": "audio", "audio_url": file["storage_key"], "client_message_id": "m1"}
    server.script(Behaviour(), Behaviour(fault=Fault.STATUS, status=500))
    failed = await alice.send(chat, body)
    assert failed.status_code == 503
    breaker.forget()
    answer = await alice.send(chat, body)
    assert answer.json()["assistant_message"]["content"] == "A loaf."
    assert len(asked(server, "transcriptions")) == 1


async def test_where_nobody_can_hear_it_is_kept_and_answered_clearly(alice):
    chat = await alice.begin(provider_chain=["offline"])
    file = await recording(alice)
    answer = await alice.send(chat, {"message_type": "audio", "audio_url": file["storage_key"]})
    body = answer.json()
    assert (answer.status_code, body["user_message"]["content"]) == (200, "[Voice message]")
    assert body["assistant_message"]["content"].startswith("I cannot listen to recordings here.")


async def test_a_vendor_that_is_away_is_tried_again_by_the_same_message(alice, server):
    chat = await begun(alice)
    file = await recording(alice)
    server.behaviour = Behaviour(fault=Fault.STATUS, status=500)
    body = {"message_type": "audio", "audio_url": file["storage_key"], "client_message_id": "m1"}
    assert (await alice.send(chat, body)).status_code == 503
    breaker.forget()
    server.behaviour = Behaviour(reply="A loaf.")
    answer = await alice.send(chat, body)
    assert answer.json()["user_message"]["content"] == "[Transcribed: How do I begin?]"
    assert answer.status_code == 200


async def test_a_deleted_chat_lets_its_files_go(alice):
    chat = await alice.begin()
    file = await uploaded(alice)
    await alice.send(chat, {"message_type": "image", "media_urls": [file["storage_key"]]})
    assert (await in_database(alice.user.delete, f"{CHATS}/{chat}")).json()["deleted_messages_count"] == 2
