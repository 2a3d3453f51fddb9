"""Chats with influencers: one for each pair, listed with what is new, read, deleted."""

import asyncio
from datetime import datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from config.api.threads import in_database
from crm import persona_chats, talk
from crm.api.persona_bodies import message_body
from crm.models import Contact, Conversation, MediaFile, Message, TimelineEntry
from crm.tests.persona_chatting import CHATS, GREETING, INBOX, User, make_influencer
from tests.factories import make_account, make_conversation
from tests.user_tokens import as_user

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("signed_tokens")]


@pytest.fixture
def alice():
    return User("alice")


@pytest.fixture
def baker():
    return make_influencer(
        slug="tomasz", name="Tomasz bakes", greeting=GREETING, suggested_messages=["Why?", "How?"]
    )


def begin(user, influencer):
    return user.post(CHATS, {"influencer_id": str(influencer.pk)})


def said(chat, text="Hello", author="persona"):
    conversation = Conversation.objects.get(pk=chat)
    return talk.record_message(conversation, text, author=author)[0]


# --- Begun ------------------------------------------------------------------------------------


def test_a_new_chat_has_the_greeting_as_its_first_message(alice, baker):
    answer = begin(alice, baker)
    body = answer.json()
    assert answer.status_code == 201
    assert set(body) == {
        "id", "user_id", "influencer", "created_at", "updated_at", "message_count", "last_message",
        "recent_messages",
    }  # fmt: skip
    assert (body["user_id"], body["message_count"]) == ("alice", 1)
    assert body["influencer"] == {
        "id": str(baker.pk),
        "name": "tomasz",
        "display_name": "Tomasz bakes",
        "suggested_messages": ["Why?", "How?"],
    }
    (first,) = body["recent_messages"]
    assert (first["role"], first["content"], first["message_type"]) == ("assistant", GREETING, "text")
    assert datetime.fromisoformat(body["created_at"]).tzinfo is not None


def test_without_a_greeting_a_chat_begins_empty(alice):
    body = begin(alice, make_influencer(greeting="")).json()
    assert body["message_count"] == 0
    assert "recent_messages" not in body
    assert "last_message" not in body


def test_asked_for_again_it_is_the_same_chat(alice, baker):
    first, second = begin(alice, baker), begin(alice, baker)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert Conversation.objects.count() == 1


async def test_twenty_at_once_make_one_chat_with_one_greeting(baker):
    answers = await asyncio.gather(*(in_database(begin, User("alice"), baker) for _number in range(20)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    counts = await in_database(lambda: (Conversation.objects.count(), Message.objects.count()))
    assert counts == (1, 1)
    assert await in_database(Contact.objects.count) == 1


def test_it_is_on_the_contacts_timeline(alice, baker):
    begin(alice, baker)
    assert TimelineEntry.objects.get().title == "Chat with Tomasz bakes"


@pytest.mark.parametrize("status", ["coming_soon", "discontinued"])
def test_with_one_that_cannot_be_talked_with_none_begins(alice, status):
    answer = begin(alice, make_influencer(status=status))
    assert (answer.status_code, answer.json()["error"]) == (404, "not_found")
    assert not Contact.objects.exists()


def test_with_one_of_another_account_none_begins(alice):
    assert begin(alice, make_influencer(make_account("other"))).status_code == 404


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({}, "missing"),
        ({"influencer_id": None}, "null"),
        ({"influencer_id": " "}, "blank"),
        (b"{", "json_invalid"),
    ],
)
def test_what_is_missing_is_a_422_with_its_place(alice, body, kind):
    answer = alice.post(CHATS, body if body else {"x": 1})
    assert (answer.status_code, answer.json()["error"]) == (422, "validation_error")
    error = answer.json()["details"]["errors"][0]
    assert (error["type"], error["loc"][0]) == (kind, "body")


# --- Listed -----------------------------------------------------------------------------------


def test_the_first_list_has_every_documented_field(alice, baker):
    chat = alice.begin(baker)
    said(chat, "And flour?")
    body = alice.get(CHATS).json()
    assert (body["total"], body["limit"], body["offset"], body["next"]) == (1, 20, 0, None)
    (shown,) = body["conversations"]
    assert set(shown) == {
        "id", "user_id", "influencer", "created_at", "updated_at", "message_count", "last_message",
        "recent_messages",
    }  # fmt: skip
    assert shown["influencer"] == {
        "id": str(baker.pk),
        "name": "tomasz",
        "display_name": "Tomasz bakes",
        "avatar_url": None,
        "suggested_messages": None,
    }
    assert shown["message_count"] == 2
    assert shown["last_message"] == {
        "content": "And flour?",
        "role": "assistant",
        "created_at": shown["recent_messages"][0]["created_at"],
    }
    assert [message["content"] for message in shown["recent_messages"]] == ["And flour?", GREETING]


def test_ten_messages_are_recent(alice, baker):
    chat = alice.begin(baker)
    for number in range(12):
        said(chat, f"Word {number}")
    (shown,) = alice.get(CHATS).json()["conversations"]
    assert [message["content"] for message in shown["recent_messages"]] == [
        f"Word {number}" for number in range(11, 1, -1)
    ]
    assert shown["message_count"] == 13


def test_a_reply_that_failed_is_no_message(alice, baker):
    chat = alice.begin(baker)
    said(chat, "Broken")
    Message.objects.filter(text="Broken").update(state="failed")
    (shown,) = alice.get(CHATS).json()["conversations"]
    assert (shown["message_count"], shown["last_message"]["content"]) == (1, GREETING)
    assert alice.messages(chat).json()["total"] == 1


def test_the_second_list_has_what_is_unread(alice, baker):
    chat = alice.begin(baker)
    said(chat, "And flour?")
    (shown,) = alice.get(INBOX).json()["conversations"]
    assert set(shown) == {
        "id", "user_id", "influencer", "created_at", "updated_at", "unread_count", "last_message",
    }  # fmt: skip
    assert shown["influencer"] == {
        "id": str(baker.pk), "display_name": "Tomasz bakes", "avatar_url": None, "is_online": True,
    }  # fmt: skip
    assert shown["unread_count"] == 2
    last = shown["last_message"]
    assert (last["content"], last["role"], last["status"], last["is_read"]) == (
        "And flour?", "assistant", "delivered", False,
    )  # fmt: skip


def test_the_last_spoken_in_comes_first_and_pages_do_not_overlap(alice):
    chats = [alice.begin(make_influencer(name=f"P{number}")) for number in range(5)]
    said(chats[1])
    order = [chats[1], chats[4], chats[3], chats[2], chats[0]]
    first = alice.get(CHATS, limit=2).json()
    assert [row["id"] for row in first["conversations"]] == order[:2]
    assert first["total"] == 5
    by_offset = alice.get(CHATS, limit=2, offset=2).json()
    by_cursor = alice.get(CHATS, limit=2, cursor=first["next"]).json()
    assert by_offset["conversations"] == by_cursor["conversations"]
    last = alice.get(CHATS, limit=2, cursor=by_cursor["next"]).json()
    assert ([row["id"] for row in last["conversations"]], last["next"]) == (order[4:], None)


def test_an_influencer_narrows_the_list(alice, baker):
    alice.begin(make_influencer())
    chat = alice.begin(baker)
    body = alice.get(CHATS, influencer_id=str(baker.pk)).json()
    assert ([row["id"] for row in body["conversations"]], body["total"]) == ([chat], 1)
    assert alice.get(CHATS, influencer_id="nobody").json()["total"] == 0


@pytest.mark.parametrize(
    "query",
    [{"limit": 0}, {"limit": 101}, {"offset": -1}, {"offset": "x"}, {"cursor": "x"}, {"cursor": "W10"}],
)
def test_a_page_that_cannot_be_is_a_422(alice, query):
    answer = alice.get(CHATS, **query)
    (name,) = query
    assert answer.status_code == 422
    assert answer.json()["details"]["errors"][0]["loc"] == ["query", name]


def test_longer_lists_and_longer_chats_cost_no_more_queries(alice, baker):
    for number in range(2):
        said(alice.begin(make_influencer(name=f"P{number}")))
    few = queries_of(alice)
    for number in range(10):
        chat = alice.begin(make_influencer(name=f"Q{number}"))
        for _message in range(3):
            said(chat)
    assert queries_of(alice) == few


def queries_of(user):
    counts = []
    for path in (CHATS, INBOX):
        with CaptureQueriesContext(connection) as caught:
            assert user.get(path).status_code == 200
        counts.append(len(caught))
    return counts


def test_texts_ask_for_no_files_and_pictures_for_all_at_once(alice, baker):
    chat = alice.begin(baker)
    said(chat)
    assert queries_of_history(chat) == 1
    for number in range(3):
        message = said(chat)
        Message.objects.filter(pk=message.pk).update(type="image")
        message.media.add(make_picture(message.conversation, number))
    assert queries_of_history(chat) == 2


def queries_of_history(chat):
    """Of the messages with their files, as a page shows them."""
    conversation = Conversation.objects.get(pk=chat)
    with CaptureQueriesContext(connection) as caught:
        for message in persona_chats.with_files(persona_chats.history(conversation)):
            message_body(message, conversation)
    return len(caught)


def make_picture(conversation, number):
    return MediaFile.objects.create(
        account_id=conversation.account_id, contact_id=conversation.contact_id, kind="image",
        file=f"{number}.jpg", mime="image/jpeg", size_bytes=1, checksum=str(number),
    )  # fmt: skip


def test_somebody_without_chats_is_told_so(alice):
    assert alice.get(CHATS).json()["conversations"] == []
    assert not Contact.objects.exists()


# --- Read, deleted ----------------------------------------------------------------------------


def test_reading_marks_all_there_is(alice, baker):
    chat = alice.begin(baker)
    said(chat)
    answer = alice.post(f"{CHATS}/{chat}/read")
    body = answer.json()
    assert (answer.status_code, set(body)) == (200, {"id", "unread_count", "last_read_at"})
    assert (body["id"], body["unread_count"]) == (chat, 0)
    (shown,) = alice.get(INBOX).json()["conversations"]
    assert (shown["unread_count"], shown["last_message"]["status"], shown["last_message"]["is_read"]) == (
        0, "read", True,
    )  # fmt: skip
    said(chat)
    assert alice.get(INBOX).json()["conversations"][0]["unread_count"] == 1


def test_the_users_own_words_are_not_unread(alice):
    chat = alice.begin(make_influencer())
    said(chat, author="person")
    assert alice.get(INBOX).json()["conversations"][0]["unread_count"] == 0


def test_a_reply_that_is_being_written_is_not_read_yet(alice, baker):
    chat = alice.begin(baker)
    said(chat, "Half a")
    Message.objects.filter(text="Half a").update(state="streaming")
    alice.post(f"{CHATS}/{chat}/read")
    Message.objects.filter(text="Half a").update(state="complete")
    assert alice.get(INBOX).json()["conversations"][0]["unread_count"] == 1


def test_a_deleted_chat_is_gone_with_its_messages(alice, baker):
    chat = alice.begin(baker)
    said(chat)
    answer = alice.delete(f"{CHATS}/{chat}")
    assert answer.status_code == 200
    assert answer.json() == {
        "success": True,
        "message": "Conversation deleted successfully",
        "deleted_conversation_id": chat,
        "deleted_messages_count": 2,
    }
    assert not Conversation.objects.exists()
    assert not Message.objects.exists()
    assert not TimelineEntry.objects.exists()
    assert alice.delete(f"{CHATS}/{chat}").status_code == 404
    assert alice.begin(baker) != chat


def test_the_files_of_a_deleted_chat_are_let_go(alice, baker):
    chat = alice.begin(baker)
    contact = Contact.objects.get()
    file = MediaFile.objects.create(
        account=contact.account, contact=contact, kind="image", file="media/x/y.png", mime="image/png",
        size_bytes=1, checksum="",
    )  # fmt: skip
    said(chat).media.add(file)
    alice.delete(f"{CHATS}/{chat}")
    assert MediaFile.objects.get().unused_after is not None


# --- Strangers --------------------------------------------------------------------------------


def calls(chat):
    return [
        ("get", f"{CHATS}/{chat}/messages"),
        ("post", f"{CHATS}/{chat}/messages"),
        ("post", f"{CHATS}/{chat}/read"),
        ("delete", f"{CHATS}/{chat}"),
    ]


STRANGERS = [
    as_user("bob"),
    as_user("Alice"),
    as_user("alice", iss="https://other.example"),
]


@pytest.mark.parametrize("headers", STRANGERS, ids=["another", "another-case", "another-account"])
def test_anothers_chat_is_not_there(client, alice, baker, headers):
    chat = alice.begin(baker)
    body = '{"message_type": "text", "content": "x"}'
    for method, path in calls(chat):
        answer = client.generic(method.upper(), path, body, content_type="application/json", headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (404, "not_found"), path
    assert Message.objects.count() == 1


@pytest.mark.parametrize("chat", ["x", "01890000-0000-7000-8000-000000000000", "..%2f", "1"])
def test_a_chat_that_is_not_there_is_a_404(client, chat):
    body = '{"message_type": "text", "content": "x"}'
    for method, path in calls(chat):
        answer = client.generic(
            method.upper(), path, body, content_type="application/json", headers=as_user()
        )
        assert answer.status_code == 404, path


def test_a_talk_that_is_no_persona_chat_is_not_there(client, alice, baker):
    alice.begin(baker)
    other = make_conversation(Contact.objects.get(), persona=baker)
    assert alice.messages(other.pk).status_code == 404
    assert alice.get(CHATS).json()["total"] == 1


def test_a_deactivated_user_is_refused(alice, baker):
    alice.begin(baker)
    Contact.objects.update(is_active=False)
    answer = alice.get(CHATS)
    assert (answer.status_code, answer.json()["error"]) == (403, "forbidden")
