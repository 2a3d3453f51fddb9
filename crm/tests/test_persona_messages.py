"""Messages to influencers: stored first, answered once, whatever the model does; what was said, in pages."""

import asyncio
import json

import pytest

from config.api import metadata
from config.api.threads import in_database
from crm import persona_messages, talk
from crm.models import Conversation, Message
from crm.tests.model_server import model_server
from crm.tests.persona_chatting import CHATS, GREETING, Talker, make_influencer
from personas import speaking
from personas.breaker import breaker
from personas.models import Persona
from tests.fakes.openai_server import Behaviour, Fault

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("flushed_layer", "signed_tokens", "requests_beside_each_other"),
]
FIELDS = {
    "id", "role", "content", "message_type", "media_urls", "audio_url", "audio_duration_seconds",
    "token_count", "created_at", "status", "is_read",
}  # fmt: skip


@pytest.fixture
def server(settings):
    with model_server(settings, "With rye flour and water.", READ_TIMEOUT=0.8, TOTAL_TIMEOUT=10) as running:
        yield running


@pytest.fixture
def alice():
    return Talker("alice")


async def begun(alice, **fields):
    return await alice.begin(**{"provider_chain": ["openai"], "greeting": GREETING, **fields})


def rows(model, **which):
    return in_database(lambda: list(model.objects.filter(**which).order_by("pk")))


def chats_asked(server):
    return [request for request in server.requests if "chat" in request.path]


# --- A message and its answer -------------------------------------------------------------------


async def test_both_messages_have_every_documented_field(alice, server):
    chat = await begun(alice)
    answer = await alice.say(chat, "How do I begin?")
    body = answer.json()
    assert (answer.status_code, set(body)) == (200, {"user_message", "assistant_message"})
    asked, said = body["user_message"], body["assistant_message"]
    assert set(asked) == set(said) == FIELDS
    assert (asked["role"], asked["content"], asked["message_type"]) == ("user", "How do I begin?", "text")
    assert (said["role"], said["content"]) == ("assistant", "With rye flour and water.")
    assert (asked["media_urls"], asked["audio_url"], asked["audio_duration_seconds"]) == ([], None, None)
    assert (asked["token_count"], said["token_count"]) == (None, 5)
    assert (said["status"], said["is_read"], asked["is_read"]) == ("delivered", False, False)
    assert answer.headers["Cache-Control"] == "no-store"


async def test_an_answer_does_not_wait_until_its_tokens_are_counted(alice, server, monkeypatch):
    answered, waited = asyncio.Event(), asyncio.Event()

    async def held_up(counting):
        await answered.wait()
        await counting
        waited.set()

    monkeypatch.setattr(speaking, "wait_for", held_up)
    chat = await begun(alice)
    async with asyncio.timeout(60):
        answer = await alice.say(chat)
        answered.set()
        await waited.wait()
    assert answer.status_code == 200


async def test_the_model_knows_who_it_is_and_what_was_said(alice, server):
    chat = await begun(alice)
    await alice.say(chat, "How do I begin?")
    await alice.say(chat, "And then?")
    messages = chats_asked(server)[-1].json["messages"]
    assert "marzipan" in messages[0]["content"]
    assert "Tomasz" in messages[0]["content"]
    words = [message["content"] for message in messages[1:-1]]
    assert words == [GREETING, "How do I begin?", "With rye flour and water.", "And then?"]


async def test_without_a_model_it_says_so_and_speaks_by_example(alice):
    examples = [{"person": "How do I start a sourdough?", "persona": "With rye flour."}]
    chat = await alice.begin(provider_chain=["offline"], examples=examples)
    by_example = (await alice.say(chat, "How can I start my sourdough?")).json()["assistant_message"]
    assert by_example["content"].startswith("With rye flour.")
    assert "No AI model is connected" in by_example["content"]
    other = (await alice.say(chat, "Who is the king?")).json()["assistant_message"]
    assert other["content"].startswith("No AI model is connected")
    assert other["token_count"] is None


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        (70, "70"),
        (1.5, "1.5"),
        (True, "true"),
        (["a"], '["a"]'),
        ("  Hello ", "Hello"),
        ("ß" * 4000, "ß" * 4000),
    ],
)
async def test_what_is_said_is_kept_as_text(alice, content, kept):
    chat = await alice.begin()
    assert (await alice.say(chat, content)).json()["user_message"]["content"] == kept


async def test_the_type_may_be_in_upper_case(alice):
    chat = await alice.begin()
    answer = await alice.send(chat, {"message_type": "TEXT", "content": "Hello"})
    assert answer.json()["user_message"]["message_type"] == "text"


BAD = [
    ({}, ["body", "message_type"], "missing"),
    ({"message_type": "video"}, ["body", "message_type"], "invalid_choice"),
    ({"message_type": "text"}, ["body", "content"], "missing"),
    ({"message_type": "text", "content": "   "}, ["body", "content"], "missing"),
    ({"message_type": "text", "content": None}, ["body", "content"], "missing"),
    ({"message_type": "text", "content": "x" * 4001}, ["body", "content"], "max_length"),
    ({"message_type": "image"}, ["body", "media_urls"], "missing"),
    ({"message_type": "multimodal", "content": "x", "media_urls": []}, ["body", "media_urls"], "missing"),
    ({"message_type": "image", "media_urls": ["x"] * 11}, ["body", "media_urls"], "max_length"),
    ({"message_type": "audio"}, ["body", "audio_url"], "missing"),
    (
        {"message_type": "audio", "audio_url": "x", "audio_duration_seconds": 301},
        ["body", "audio_duration_seconds"],
        "max_value",
    ),
    (
        {"message_type": "text", "content": "x", "client_message_id": "x" * 1001},
        ["body", "client_message_id"],
        "max_length",
    ),
    (b"{", ["body"], "json_invalid"),
    (b"[]", ["body"], "json_invalid"),
]


@pytest.mark.parametrize(("body", "loc", "kind"), BAD)
async def test_bad_input_names_its_place(alice, body, loc, kind):
    chat = await alice.begin()
    answer = await alice.send(chat, body)
    found = answer.json()
    assert (answer.status_code, found["error"]) == (422, "validation_error")
    error = found["details"]["errors"][0]
    assert (error["loc"], error["type"]) == (loc, kind)
    assert found["message"] == found["detail"]
    assert not await rows(Message, author="person")


@pytest.mark.parametrize(("status", "word"), [("discontinued", "deleted"), ("coming_soon", "yet")])
async def test_one_that_answers_no_more_says_so(alice, status, word):
    chat = await alice.begin()
    await in_database(Persona.objects.update, status=status)
    answer = await alice.say(chat)
    assert (answer.status_code, answer.json()["error"]) == (403, "forbidden")
    assert word in answer.json()["message"]
    assert (await alice.history(chat)).status_code == 200


# --- Exactly once -------------------------------------------------------------------------------


async def test_the_same_message_twenty_times_at_once_is_one_message_one_reply_one_call(alice, server):
    chat = await begun(alice)
    server.behaviour = Behaviour(reply="Once.", first_token_seconds=0.2)
    answers = await asyncio.gather(*(alice.say(chat, client_message_id="m1") for _number in range(20)))
    bodies = [answer.json() for answer in answers]
    assert {answer.status_code for answer in answers} == {200}
    assert all(body == bodies[0] for body in bodies)
    assert bodies[0]["assistant_message"]["content"] == "Once."
    assert len(await rows(Message)) == 3
    assert len(chats_asked(server)) == 1


async def test_a_replay_gives_the_first_answer_whatever_it_says(alice, server):
    chat = await begun(alice)
    first = (await alice.say(chat, "One", client_message_id="m1")).json()
    await alice.say(chat, "Two", client_message_id="m2")
    assert (await alice.say(chat, "Other words", client_message_id="m1")).json() == first
    assert len(chats_asked(server)) == 2


async def test_a_long_client_id_is_one_too(alice):
    chat = await alice.begin()
    first = (await alice.say(chat, client_message_id="x" * 300)).json()
    assert (await alice.say(chat, client_message_id="x" * 300)).json() == first
    assert (await alice.say(chat, client_message_id="x" * 299)).json() != first


async def test_another_message_waits_for_the_reply(alice, server):
    chat = await begun(alice)
    server.behaviour = Behaviour(reply="Slowly.", first_token_seconds=0.5)
    first = asyncio.create_task(alice.say(chat, "One"))
    await asyncio.to_thread(server.wait_until, lambda: chats_asked(server))
    second = await alice.say(chat, "Two")
    assert (second.status_code, second.json()["error"]) == (409, "conflict")
    assert (await first).status_code == 200


# --- Faults -------------------------------------------------------------------------------------

FAULTS = [
    Behaviour(fault=Fault.STATUS, status=500),
    Behaviour(fault=Fault.STATUS, status=429, retry_after="1"),
    Behaviour(fault=Fault.STATUS, status=401),
    Behaviour(fault=Fault.SILENCE),
    Behaviour(fault=Fault.STALL),
    Behaviour(fault=Fault.ERROR_IN_STREAM),
    Behaviour(fault=Fault.TRUNCATED),
    Behaviour(fault=Fault.INVALID_JSON),
    Behaviour(fault=Fault.EMPTY, after_tokens=0),
    Behaviour(fault=Fault.DISCONNECT),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda behaviour: str(behaviour.fault))
async def test_a_fault_keeps_the_message_and_a_retry_answers_it(alice, server, fault):
    chat = await begun(alice)
    server.behaviour = fault
    answer = await alice.say(chat, "How do I begin?", client_message_id="m1")
    body = answer.json()
    assert (answer.status_code, body["error"]) == (503, "service_unavailable")
    kept = body["details"]["user_message"]
    assert (kept["content"], kept["role"]) == ("How do I begin?", "user")
    assert (await alice.history(chat)).json()["messages"][0] == kept

    breaker.forget()
    server.behaviour = Behaviour(reply="Now.")
    again = await alice.say(chat, "How do I begin?", client_message_id="m1")
    assert again.status_code == 200
    assert again.json()["user_message"] == kept
    assert again.json()["assistant_message"]["content"] == "Now."
    assert len(await rows(Message, author="person")) == 1


async def test_a_failed_reply_hinders_no_further_message(alice, server):
    chat = await begun(alice)
    server.behaviour = FAULTS[0]
    await alice.say(chat, "One", client_message_id="m1")
    breaker.forget()
    server.behaviour = Behaviour(reply="Now.")
    assert (await alice.say(chat, "Two")).status_code == 200
    late = await alice.say(chat, "One", client_message_id="m1")
    assert (late.status_code, late.json()["error"]) == (409, "conflict")
    assert late.json()["details"]["user_message"]["content"] == "One"


async def test_what_the_vendor_will_not_answer_is_a_clear_refusal(alice, server):
    chat = await begun(alice)
    server.behaviour = Behaviour(fault=Fault.CONTENT_FILTER, after_tokens=0)
    answer = await alice.say(chat)
    assert (answer.status_code, answer.json()["error"]) == (422, "content_filter")
    assert answer.json()["details"]["user_message"]["content"] == "Hello"


async def test_the_next_provider_of_the_chain_answers(alice, server):
    chat = await begun(alice, provider_chain=["openai", "offline"])
    server.behaviour = FAULTS[0]
    answer = await alice.say(chat)
    assert answer.status_code == 200
    assert answer.json()["assistant_message"]["content"].startswith("No AI model is connected")


async def test_a_chat_that_is_deleted_while_it_is_answered_is_not_there(alice, server):
    chat = await begun(alice)
    server.behaviour = Behaviour(reply="Late.", first_token_seconds=0.5)
    asked = asyncio.create_task(alice.say(chat))
    await asyncio.to_thread(server.wait_until, lambda: chats_asked(server))
    assert (await in_database(alice.user.delete, f"{CHATS}/{chat}")).status_code == 200
    answer = await asked
    assert (answer.status_code, answer.json()["error"]) == (404, "not_found")
    assert not await rows(Message)


async def test_a_caller_who_leaves_gets_the_answer_later(alice, server):
    chat = await begun(alice)
    server.behaviour = Behaviour(reply="Late.", first_token_seconds=0.3)
    asked = asyncio.create_task(alice.say(chat, client_message_id="m1"))
    await asyncio.to_thread(server.wait_until, lambda: chats_asked(server))
    asked.cancel()
    answer = await alice.say(chat, client_message_id="m1")
    assert answer.json()["assistant_message"]["content"] == "Late."
    assert len(chats_asked(server)) == 1


# --- Streamed -----------------------------------------------------------------------------------


async def test_a_stream_tells_the_message_the_words_and_the_whole(alice, server):
    chat = await begun(alice)
    frames = await alice.stream(chat, "How do I begin?")
    assert [frames[0][0], frames[-1][0]] == ["accepted", "done"]
    assert frames[0][1]["user_message"]["content"] == "How do I begin?"
    words = "".join(data["text"] for name, data in frames if name == "delta")
    assert words == frames[-1][1]["assistant_message"]["content"] == "With rye flour and water."
    assert frames[-1][1]["user_message"] == frames[0][1]["user_message"]


async def test_a_stream_that_breaks_ends_with_the_error_body(alice, server):
    chat = await begun(alice)
    server.behaviour = FAULTS[0]
    name, body = (await alice.stream(chat))[-1]
    assert (name, body["error"]) == ("error", "service_unavailable")
    assert body["details"]["user_message"]["content"] == "Hello"


# --- What was said ------------------------------------------------------------------------------


@pytest.fixture
async def long_chat(alice):
    """The greeting and nine more messages."""
    chat = await alice.begin(greeting="0")

    def fill():
        conversation = Conversation.objects.get(pk=chat)
        for number in range(1, 10):
            talk.record_message(conversation, str(number), author="person" if number % 2 else "persona")

    await in_database(fill)
    return chat


def words(answer):
    return [message["content"] for message in answer.json()["messages"]]


async def test_the_newest_come_first(alice, long_chat):
    body = (await alice.history(long_chat)).json()
    assert set(body) == {"conversation_id", "messages", "total", "limit", "offset", "next"}
    assert (body["conversation_id"], body["total"], body["limit"], body["offset"]) == (long_chat, 10, 50, 0)
    assert [message["content"] for message in body["messages"]] == list("9876543210")
    assert all(set(message) == FIELDS for message in body["messages"])


async def test_pages_by_offset_and_by_cursor_meet(alice, long_chat):
    for order, whole in (("desc", "9876543210"), ("asc", "0123456789")):
        first = await alice.history(long_chat, limit=4, order=order)
        second = await alice.history(long_chat, limit=4, order=order, offset=4)
        by_cursor = await alice.history(long_chat, limit=4, order=order, cursor=first.json()["next"])
        last = await alice.history(long_chat, limit=4, order=order, cursor=by_cursor.json()["next"])
        assert words(second) == words(by_cursor)
        assert "".join(words(first) + words(by_cursor) + words(last)) == whole
        assert last.json()["next"] is None


async def test_a_page_beyond_the_end_is_empty(alice, long_chat):
    body = (await alice.history(long_chat, offset=10)).json()
    assert (body["messages"], body["total"], body["next"]) == ([], 10, None)


async def test_a_page_that_ends_with_the_last_message_has_no_next(alice, long_chat):
    assert (await alice.history(long_chat, limit=10)).json()["next"] is None


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 0},
        {"limit": 201},
        {"limit": ""},
        {"offset": -1},
        {"offset": 10_001},
        {"order": "sideways"},
        {"cursor": "x"},
        {"cursor": "WyJhIiwiYiJd"},
    ],
)
async def test_a_page_that_cannot_be_is_a_422(alice, long_chat, query):
    answer = await alice.history(long_chat, **query)
    if query == {"limit": ""}:
        assert answer.status_code == 200
        return
    (name,) = query
    assert answer.status_code == 422
    assert answer.json()["details"]["errors"][0]["loc"] == ["query", name]


async def test_a_longer_history_costs_no_more_queries(alice, long_chat, monkeypatch):
    # They run on threads of the pool, whose connections only the request's own tally sees.
    seen = []
    facts_for = metadata.facts_for
    monkeypatch.setattr(metadata, "facts_for", lambda request: seen.append(facts_for(request)) or seen[-1])
    for limit in (2, 10):
        assert (await alice.history(long_chat, limit=limit)).status_code == 200
    few, many = (facts.tally.database_queries for facts in seen)
    assert 0 < few == many


async def test_other_methods_are_refused(alice, long_chat):
    path = f"{CHATS}/{long_chat}/messages"
    answer = await alice.client.put(path, json.dumps({}), headers=alice.user.headers)
    assert (answer.status_code, answer.json()["error"]) == (405, "method_not_allowed")


async def test_a_message_is_found_by_its_id(alice, long_chat):
    shown = (await alice.history(long_chat, limit=1)).json()["messages"][0]
    conversation = (await rows(Conversation))[0]
    assert persona_messages.seq_of(conversation.pk, shown["id"]) == 10
    assert persona_messages.seq_of((await in_database(make_influencer)).pk, shown["id"]) is None
    assert persona_messages.seq_of(conversation.pk, "x") is None


# --- Staff --------------------------------------------------------------------------------------


async def test_staff_who_took_over_answer_themselves(alice, admin_user):
    chat = await alice.begin()
    conversation = (await rows(Conversation))[0]
    await in_database(talk.take_over, conversation, admin_user)
    body = (await alice.say(chat)).json()
    assert (body["user_message"]["content"], body["assistant_message"]) == ("Hello", None)


# --- Whose it is --------------------------------------------------------------------------------


async def test_bad_tokens_are_401_with_a_detail(alice):
    chat = await alice.begin()
    for headers, words_of_it in [
        ({}, "Missing authorization header"),
        ({"Authorization": "Bearer x"}, "Invalid token"),
    ]:
        answer = await alice.client.get(f"{CHATS}/{chat}/messages", headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (401, "unauthorized")
        assert words_of_it in answer.json()["detail"]
        assert answer.headers["WWW-Authenticate"] == "Bearer"
