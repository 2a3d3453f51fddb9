"""The socket of one page, as docs/live-chat.md promises it."""

import asyncio
import json

import pytest
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.test import Client

from config.api.models import AuditEntry
from config.api.threads import in_database
from crm import talk
from crm.models import AccessLink, Message
from crm.routing import websocket_urlpatterns
from crm.tests.test_replies import open_talk
from tests.factories import make_contact, make_conversation

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("flushed_layer")]
ORIGIN = (b"origin", b"http://testserver")


class Page:
    """A page with its socket open."""

    def __init__(self, conversation, token="", *, headers=(ORIGIN,), cookie=""):
        cookies = cookie or f"rapport_link={token}"
        self.socket = WebsocketCommunicator(
            URLRouter(websocket_urlpatterns),
            f"/chat/{conversation.pk}/live",
            headers=[*headers, (b"host", b"testserver"), (b"cookie", cookies.encode())],
        )

    async def open(self):
        self.accepted, self.code = await self.socket.connect(timeout=5)
        return self

    async def send(self, **frame):
        await self.socket.send_json_to(frame)

    async def frame(self):
        return await self.socket.receive_json_from(timeout=5)

    async def until(self, kind):
        frames = []
        while not frames or frames[-1]["type"] != kind:
            frames.append(await self.frame())
        return frames

    async def close_code(self):
        while True:
            event = await self.socket.receive_output(timeout=5)
            if event["type"] == "websocket.close":
                return event["code"]

    async def __aenter__(self):
        return await self.open()

    async def __aexit__(self, *exc):
        await self.socket.disconnect(timeout=5)


def with_link(**fields):
    conversation = open_talk(**fields)
    _link, token = AccessLink.issue(conversation.contact, "conversation", conversation=conversation)
    return conversation, token


async def test_hello_says_where_the_talk_stands():
    conversation, token = await in_database(with_link)
    async with Page(conversation, token) as page:
        assert await page.frame() == {
            "type": "hello",
            "conversation": str(conversation.pk),
            "state": "open",
            "last_seq": 1,
            "progress": {
                "answered": 0,
                "total": 2,
                "question_key": "role",
                "topic": "Your work",
                "percent": 0,
            },
            "offline": True,
        }


async def test_a_message_is_accepted_and_its_reply_streams_to_the_end():
    conversation, token = await in_database(with_link)
    async with Page(conversation, token) as page:
        await page.send(type="send", client_message_id="a1", text="I am a nurse.")
        frames = await page.until("done")
        kinds = [frame["type"] for frame in frames]
        assert kinds[:3] == ["hello", "accepted", "reply_started"]
        text = "".join(frame["text"] for frame in frames if frame["type"] == "delta")
        assert frames[-1]["message"]["text"] == text
        assert frames[-1]["message"]["reply_to"] == 2


async def test_the_same_client_id_gives_the_same_message_and_reply():
    conversation, token = await in_database(with_link)
    async with Page(conversation, token) as page:
        await page.send(type="send", client_message_id="a1", text="I am a nurse.")
        first = (await page.until("done"))[-1]
        await page.send(type="send", client_message_id="a1", text="I am a nurse.")
        second = (await page.until("done"))[-1]
    assert first["message"] == second["message"]
    assert await in_database(Message.objects.filter(author="person").count) == 1


async def test_the_last_answer_closes_the_talk():
    conversation, token = await in_database(with_link)
    async with Page(conversation, token) as page:
        await page.send(type="send", client_message_id="a1", text="I am a nurse.")
        await page.until("done")
        await page.send(type="send", client_message_id="a2", text="Word.")
        assert (await page.until("closed"))[-1] == {"type": "closed", "reason": "completed"}
        await page.send(type="send", client_message_id="a3", text="One more thing")
        assert (await page.until("error"))[-1]["code"] == "CONFLICT"


async def test_a_button_says_what_is_meant():
    conversation, token = await in_database(with_link)
    async with Page(conversation, token) as page:
        await page.send(type="send", client_message_id="a1", text="I would like to stop", act="stop")
        assert (await page.until("closed"))[-1]["reason"] == "stopped"


async def test_resume_sends_what_was_missed():
    conversation, token = await in_database(with_link)
    async with Page(conversation, token) as page:
        await page.send(type="send", client_message_id="a1", text="I am a nurse.")
        await page.until("done")
    async with Page(conversation, token) as page:
        await page.send(type="resume", after=1)
        frames = await page.until("resumed")
    assert [frame["message"]["seq"] for frame in frames if frame["type"] == "message"] == [2, 3]
    assert frames[-1]["last_seq"] == 3


async def test_a_reply_in_the_middle_goes_on_for_a_page_that_returns(endless_words):
    conversation, token = await in_database(with_link)
    async with Page(conversation, token) as page:
        await page.send(type="send", client_message_id="a1", text="I am a nurse.")
        await page.until("delta")
    async with Page(conversation, token) as page:
        await page.send(type="resume", after=0)
        text, stopped = "", False
        while True:
            frame = await page.frame()
            if frame["type"] == "message" and frame["message"]["seq"] == 3:
                text = frame["message"]["text"]
            if frame["type"] == "delta":
                assert frame["offset"] == len(text)
                text += frame["text"]
            if frame["type"] == "done":
                break
            if len(text) > 200 and not stopped:
                stopped = True
                await page.send(type="stop")
        assert frame["message"]["text"] == text.rstrip()
        assert stopped


async def test_a_second_tab_is_told_of_both_messages():
    conversation, token = await in_database(with_link)
    async with Page(conversation, token) as first, Page(conversation, token) as second:
        await second.until("hello")
        await asyncio.sleep(0.3)  # its subscription
        await first.send(type="send", client_message_id="a1", text="I am a nurse.")
        await first.until("done")
        seen = [(await second.until("message"))[-1]["message"] for _ in range(2)]
    assert [(message["seq"], message["state"]) for message in seen] == [(2, "complete"), (3, "complete")]


async def test_a_failed_reply_is_retried_on_demand():
    conversation, token = await in_database(with_link, planner="crm.tests.test_replies.broken_planner")
    async with Page(conversation, token) as page:
        await page.send(type="send", client_message_id="a1", text="I am a nurse.")
        failed = (await page.until("failed"))[-1]
        assert (failed["seq"], failed["reply_to"], failed["code"], failed["retryable"]) == (
            3,
            2,
            "internal",
            True,
        )
        await in_database(type(conversation).objects.update, planner="crm.briefs.plan")
        await page.send(type="retry", seq=2)
        assert (await page.until("done"))[-1]["message"]["seq"] == 3


@pytest.mark.parametrize("headers", [(), ((b"origin", b"https://evil.example"),), ((b"origin", b"null"),)])
async def test_a_page_of_another_site_is_not_let_in(headers):
    conversation, token = await in_database(with_link)
    page = await Page(conversation, token, headers=headers).open()
    assert not page.accepted


@pytest.mark.parametrize("kind", ["no cookie", "wrong token", "another talk", "no such talk"])
async def test_a_stranger_is_told_nothing(kind):
    conversation, token = await in_database(with_link)
    other = await in_database(make_conversation)
    where = {"another talk": other}.get(kind, conversation)
    if kind == "no such talk":
        where.pk = other.contact_id
    page = Page(where, {"no cookie": "", "wrong token": "x" * 43}.get(kind, token))
    await page.open()
    assert await page.close_code() == 4404


async def test_a_link_that_ran_out_closes_the_socket_at_the_door_and_in_the_middle():
    conversation, token = await in_database(with_link)
    async with Page(conversation, token) as page:
        await page.frame()
        from django.utils import timezone

        await in_database(AccessLink.objects.update, revoked_at=timezone.now())
        await page.send(type="ping")
        assert await page.close_code() == 4401
    page = await Page(conversation, token).open()
    assert await page.close_code() == 4401


def staff_cookie(user):
    client = Client()
    client.force_login(user)
    return f"sessionid={client.cookies['sessionid'].value}"


async def test_staff_watch_and_it_is_written_down(admin_user):
    conversation, _token = await in_database(with_link)
    cookie = await in_database(staff_cookie, admin_user)
    async with Page(conversation, cookie=cookie) as page:
        assert (await page.frame())["type"] == "hello"
        await page.send(type="send", client_message_id="a1", text="Hello")
        assert (await page.until("error"))[-1]["code"] == "VALIDATION_ERROR"
    assert await in_database(AuditEntry.objects.filter(action="watched conversation").count) == 1


async def test_a_user_who_is_no_staff_is_a_stranger(django_user_model):
    conversation, _token = await in_database(with_link)
    user = await in_database(django_user_model.objects.create_user, "joe")
    page = await Page(conversation, cookie=await in_database(staff_cookie, user)).open()
    assert await page.close_code() == 4404


BAD = ["{", "[]", '"x"', "{}", '{"type": "dance"}', '{"type": 3}', "[" * 60_000]


@pytest.mark.parametrize("text", BAD)
async def test_a_bad_frame_is_refused_and_the_third_closes(text):
    conversation, token = await in_database(with_link)
    async with Page(conversation, token) as page:
        for _ in range(2):
            await page.socket.send_to(text_data=text)
        errors = [(await page.until("error"))[-1] for _ in range(2)]
        assert {error["code"] for error in errors} == {"VALIDATION_ERROR"}
        await page.socket.send_to(bytes_data=b"\x00")
        assert await page.close_code() == 4400


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "send"},
        {"type": "send", "client_message_id": "a", "text": ""},
        {"type": "send", "client_message_id": "a", "text": "x" * 4_001},
        {"type": "send", "client_message_id": "a" * 65, "text": "x"},
        {"type": "send", "client_message_id": 5, "text": "x"},
        {"type": "send", "client_message_id": "a", "text": "\x00"},
        {"type": "send", "client_message_id": "\ud800", "text": "x"},
        {"type": "send", "client_message_id": "a\n", "text": "x"},
        {"type": "send", "client_message_id": "a", "text": "\udfff"},
        {"type": "resume", "after": -1},
        {"type": "resume", "after": "1"},
        {"type": "retry", "seq": True},
    ],
)
async def test_a_wrong_field_is_refused_and_nothing_is_stored(frame):
    conversation, token = await in_database(with_link)
    async with Page(conversation, token) as page:
        await page.send(**frame)
        assert (await page.until("error"))[-1]["code"] == "VALIDATION_ERROR"
    assert await in_database(Message.objects.filter(author="person").count) == 0


async def test_what_cannot_be_stored_in_a_frame_is_left_out():
    conversation, token = await in_database(with_link)
    async with Page(conversation, token) as page:
        await page.send(
            type="send", client_message_id="a\x00", text="One \ud800two", question_key="\x00\udfff"
        )
        message = (await page.until("accepted"))[-1]["message"]
        assert (message["client_message_id"], message["text"], message["question_key"]) == (
            "a",
            "One two",
            "",
        )


async def test_too_many_frames_close_the_socket():
    conversation, token = await in_database(with_link)
    async with Page(conversation, token) as page:
        for _ in range(25):
            await page.send(type="ping")
        assert await page.close_code() == 4408


async def test_a_frame_over_64_kib_closes_the_socket():
    conversation, token = await in_database(with_link)
    async with Page(conversation, token) as page:
        await page.send(type="send", client_message_id="a", text="x" * 66_000)
        assert await page.close_code() == 1009


async def test_chat_goes_on_while_redis_is_away(settings):
    settings.CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": ["redis://127.0.0.1:1"]},
        }
    }
    conversation, token = await in_database(with_link)
    async with Page(conversation, token) as page:
        await page.send(type="send", client_message_id="a1", text="I am a nurse.")
        assert (await page.until("done"))[-1]["message"]["state"] == "complete"


async def test_two_tabs_cannot_mix_their_turns(endless_words):
    conversation, token = await in_database(with_link)
    async with Page(conversation, token) as first, Page(conversation, token) as second:
        await first.send(type="send", client_message_id="a1", text="I am a nurse.")
        await first.until("delta")
        await second.send(type="send", client_message_id="b1", text="I am a doctor.")
        refused = (await second.until("error"))[-1]
        assert (refused["code"], refused["client_message_id"]) == ("CONFLICT", "b1")
        await first.send(type="stop")
        await first.until("done")


def test_frames_are_json_that_any_page_reads():
    conversation = make_conversation(make_contact(name="عائشة"))
    message = talk.say(conversation, "Zażółć 😀")
    from crm.frames import message_frame

    assert json.loads(json.dumps(message_frame(message)))["text"] == "Zażółć 😀"
