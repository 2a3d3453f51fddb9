"""The inbox socket: opened once by a ticket, told what happens in the user's chats and in nobody else's."""

from datetime import timedelta

import pytest
import time_machine
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.utils import timezone

from config.api.threads import in_database
from crm import persona_news
from crm.models import Contact, Conversation
from crm.routing import websocket_urlpatterns
from crm.tests.persona_chatting import CHATS, Talker, User

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("flushed_layer", "signed_tokens"),
]
TICKET = "/api/v1/chat/ws/ticket"


def ticket_of(user):
    return user.post(TICKET).json()


class Inbox:
    def __init__(self, path):
        self.socket = WebsocketCommunicator(URLRouter(websocket_urlpatterns), path)

    @classmethod
    async def of(cls, user):
        return cls((await in_database(ticket_of, user))["path"])

    async def open(self):
        self.accepted, self.code = await self.socket.connect(timeout=5)
        return self

    async def event(self):
        return await self.socket.receive_json_from(timeout=5)

    async def until(self, name):
        events = []
        while not events or events[-1]["event"] != name:
            events.append(await self.event())
        return events

    async def __aenter__(self):
        await self.open()
        assert (await self.event())["event"] == "ready"
        return self

    async def __aexit__(self, *exc):
        await self.socket.disconnect(timeout=5)


@pytest.fixture
def alice():
    return Talker("alice")


def test_a_ticket_is_short_lived_and_says_where_it_leads():
    body = ticket_of(User("alice/1"))
    assert set(body) == {"ticket", "path", "expires_in"}
    assert body["path"] == f"/api/v1/chat/ws/inbox/alice%2F1?ticket={body['ticket']}"
    assert body["expires_in"] == 30


async def test_a_reply_is_told_as_it_is_written_and_when_it_is_there(alice):
    chat = await alice.begin(name="Tomasz", greeting="Hello.")
    async with await Inbox.of(alice.user) as inbox:
        said = (await alice.say(chat)).json()["assistant_message"]
        events = await inbox.until("new_message")
    names = [(event["event"], event["data"].get("is_typing")) for event in events]
    assert names == [("typing_status", True), ("typing_status", False), ("new_message", None)]
    data = events[-1]["data"]
    assert set(data) == {"conversation_id", "message", "influencer_id", "influencer", "unread_count"}
    assert (data["conversation_id"], data["message"]["id"], data["unread_count"]) == (chat, said["id"], 2)
    assert data["influencer"]["display_name"] == "Tomasz"
    assert set(events[0]["data"]) == {"conversation_id", "influencer_id", "is_typing"}


async def test_reading_on_one_device_is_told_to_the_others(alice):
    chat = await alice.begin(greeting="Hello.")
    async with await Inbox.of(alice.user) as inbox:
        body = (await in_database(alice.user.post, f"{CHATS}/{chat}/read")).json()
        event = await inbox.event()
    assert event == {
        "event": "conversation_read",
        "data": {"conversation_id": chat, "unread_count": 0, "read_at": body["last_read_at"]},
    }


async def test_nobody_else_is_told(alice):
    bob = Talker("bob")
    chat = await alice.begin()
    other = await bob.begin()
    async with await Inbox.of(bob.user) as inbox:
        await alice.say(chat)
        await bob.say(other)
        events = await inbox.until("new_message")
    assert {event["data"]["conversation_id"] for event in events} == {other}


async def test_a_ticket_opens_once():
    path = (await in_database(ticket_of, User()))["path"]
    async with Inbox(path):
        second = await Inbox(path).open()
    assert (second.accepted, second.code) == (False, 4401)


@pytest.mark.parametrize("query", ["", "?ticket=", "?ticket=abc", "?ticket=a:b:c", "?token=x"])
async def test_without_a_good_ticket_the_handshake_is_refused(query):
    inbox = await Inbox(f"/api/v1/chat/ws/inbox/alice{query}").open()
    assert (inbox.accepted, inbox.code) == (False, 4401)


async def test_an_old_ticket_is_refused():
    path = (await in_database(ticket_of, User()))["path"]
    with time_machine.travel(timezone.now() + timedelta(seconds=31), tick=True):
        inbox = await Inbox(path).open()
    assert inbox.accepted is False


async def test_a_ticket_opens_no_other_users_inbox():
    path = (await in_database(ticket_of, User("alice")))["path"]
    inbox = await Inbox(path.replace("/alice?", "/bob?")).open()
    assert inbox.accepted
    assert (await inbox.socket.receive_output(timeout=5))["code"] == 4003


async def test_a_deactivated_user_is_shown_out(alice):
    chat = await alice.begin(greeting="Hello.")
    async with await Inbox.of(alice.user) as inbox:
        await in_database(Contact.objects.update, is_active=False)
        conversation = await in_database(Conversation.objects.get, pk=chat)
        await persona_news.tell(conversation, persona_news.READ)
        assert (await inbox.socket.receive_output(timeout=5))["code"] == 4401


async def test_what_a_client_sends_changes_nothing_but_not_at_any_pace():
    async with await Inbox.of(User()) as inbox:
        for _number in range(30):
            await inbox.socket.send_to(text_data="{}")
        assert (await inbox.socket.receive_output(timeout=5))["code"] == 4408
