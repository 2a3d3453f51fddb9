"""What influencers remember: bounded prompts, summaries, facts that the person sees and takes away."""

import json

import pytest
from django.utils import timezone

from config.api.threads import in_database
from crm import personal_data, remembering
from crm.models import Contact, Conversation, MemoryFact, Message
from crm.tasks import tidy
from crm.tests.persona_chatting import CHATS, Talker, User, make_influencer
from personas import budget
from personas.breaker import breaker
from tests.fakes.openai_server import Behaviour, Fault, OpenAIServer

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("flushed_layer", "signed_tokens"),
]
MEMORIES = "/api/v1/chat/memories"
NOTES = {
    "summary": "They bake.",
    "facts": [
        {"text": "Is called Ada", "from": 1},
        {"text": "Said by the persona", "from": 2},
        {"text": "Out of nowhere", "from": 99},
        {"text": "", "from": 3},
        {"text": "Bakes on Sundays", "from": 3},
        "nonsense",
        {"text": "is called ada", "from": 3},
    ],
}


@pytest.fixture
def server(settings):
    breaker.forget()
    budget.forget()
    with OpenAIServer(Behaviour(reply="Yes.")) as running:
        entry = {**settings.PROVIDERS["openai"], "API_KEY": "sk-test", "BASE_URL": running.base_url}
        settings.PROVIDERS = {**settings.PROVIDERS, "openai": entry}
        yield running
    breaker.forget()
    budget.forget()


@pytest.fixture
def alice():
    return Talker("alice")


async def chat_with(alice, messages, **fields):
    """A chat in which so many messages were said, by the person and the persona in turn."""
    chat = await alice.begin(provider_chain=["openai"], greeting="", **fields)
    await in_database(fill, chat, messages)
    return chat


def fill(chat, messages):
    now = timezone.now()
    Message.objects.bulk_create(
        Message(
            conversation_id=chat,
            seq=number,
            author="person" if number % 2 else "persona",
            text=f"Word {number} " + "x" * 200,
            created_at=now,
        )
        for number in range(1, messages + 1)
    )
    Conversation.objects.filter(pk=chat).update(last_seq=messages, last_activity_at=now)


def prompt_of(server):
    return server.requests[-1].json["messages"]


def facts():
    return in_database(lambda: sorted(MemoryFact.objects.values_list("text", "message__seq")))


async def remembered(alice, server, messages=20, notes=NOTES):
    chat = await chat_with(alice, messages)
    server.behaviour = Behaviour(reply=json.dumps(notes))
    assert await remembering.remember((await in_database(Conversation.objects.get, pk=chat)).pk)
    server.behaviour = Behaviour(reply="Yes.")
    return chat


# --- The prompt ---------------------------------------------------------------------------------


async def test_a_chat_of_ten_thousand_messages_sends_a_bounded_prompt(alice, server):
    chat = await chat_with(alice, 10_000)
    answer = await alice.say(chat, "What now?")
    assert answer.status_code == 200
    messages = prompt_of(server)
    assert messages[-2]["content"] == "What now?"
    assert sum(len(message["content"]) for message in messages) < 16_000
    assert len(messages) <= 43


async def test_the_first_page_of_it_is_counted_not_read(alice, server):
    chat = await chat_with(alice, 10_000)
    body = (await alice.history(chat, limit=2)).json()
    assert (body["total"], len(body["messages"])) == (10_000, 2)


# --- Remembered ---------------------------------------------------------------------------------


async def test_what_is_remembered_is_what_the_person_said(alice, server):
    chat = await remembered(alice, server)
    assert await facts() == [("Bakes on Sundays", 3), ("Is called Ada", 1)]
    conversation = await in_database(Conversation.objects.get, pk=chat)
    assert (conversation.summary, conversation.remembered_seq) == ("They bake.", 20)


async def test_it_is_told_to_the_model_as_data_in_every_chat_with_this_influencer(alice, server):
    chat = await remembered(alice, server)
    await alice.say(chat, "Who am I?")
    told = prompt_of(server)[1]
    assert told["role"] == "user"
    assert "<memory-" in told["content"]
    assert "- Is called Ada" in told["content"]
    assert "They bake." not in told["content"]  # nothing fell out of the window yet
    assert "Is called Ada" not in prompt_of(server)[0]["content"]


async def test_the_summary_stands_for_what_fell_out_of_the_window(alice, server):
    chat = await remembered(alice, server, messages=60)
    await alice.say(chat, "Who am I?")
    assert "They bake." in prompt_of(server)[1]["content"]


async def test_another_influencer_knows_nothing_of_it(alice, server):
    await remembered(alice, server)
    other = await alice.begin(provider_chain=["openai"], greeting="")
    await alice.say(other)
    assert not any("Ada" in message["content"] for message in prompt_of(server))


async def test_the_talk_is_shown_to_the_note_taker_as_data(alice, server):
    await remembered(alice, server)
    ours, told, order = (message["content"] for message in prompt_of(server))
    assert "Word 1" not in ours + order
    assert "1 person: Word 1" in told.split("<talk-")[1]


@pytest.mark.parametrize("said", ["I cannot.", "{", "[1]", '{"summary": 1, "facts": {}}', "{" * 5000])
async def test_an_answer_in_another_form_is_no_memory(alice, server, said):
    chat = await chat_with(alice, 20)
    server.behaviour = Behaviour(reply=said)
    assert await remembering.remember((await in_database(Conversation.objects.get, pk=chat)).pk)
    conversation = await in_database(Conversation.objects.get, pk=chat)
    assert (conversation.summary, conversation.remembered_seq) == ("", 20)
    assert await facts() == []


async def test_a_fault_is_tried_again_later_by_one_reader(alice, server):
    chat = await chat_with(alice, 20)
    key = (await in_database(Conversation.objects.get, pk=chat)).pk
    server.behaviour = Behaviour(fault=Fault.STATUS, status=500)
    assert await in_database(remembering.due) == [key]
    assert not await remembering.remember(key)
    assert await in_database(remembering.due) == []
    await in_database(Conversation.objects.update, remember_after=timezone.now())
    assert await in_database(remembering.due) == [key]


async def test_too_few_messages_are_not_read(alice, server):
    await chat_with(alice, 19)
    assert await in_database(remembering.due) == []


def test_the_sweep_finds_what_is_to_be_remembered(server):
    chat = User("alice").begin(make_influencer(provider_chain=["openai"], greeting=""))
    fill(chat, 20)
    server.behaviour = Behaviour(reply=json.dumps(NOTES))
    tidy()
    assert MemoryFact.objects.count() == 2


# --- Theirs to see and to take away ---------------------------------------------------------------


async def test_the_person_sees_what_is_remembered_and_where_it_comes_from(alice, server):
    chat = await remembered(alice, server)
    body = (await in_database(alice.user.get, MEMORIES)).json()
    assert (body["total"], body["enabled"]) == (2, True)
    first = (await alice.history(chat, order="asc", limit=1)).json()["messages"][0]
    shown = next(memory for memory in body["memories"] if memory["text"] == "Is called Ada")
    assert (shown["conversation_id"], shown["message_id"]) == (chat, first["id"])
    assert set(shown) == {"id", "text", "influencer_id", "conversation_id", "message_id", "created_at"}


async def test_one_is_forgotten_with_the_summary_that_may_hold_it(alice, server):
    chat = await remembered(alice, server)
    memory = (await in_database(alice.user.get, MEMORIES)).json()["memories"][0]
    answer = await in_database(alice.user.delete, f"{MEMORIES}/{memory['id']}")
    assert (answer.status_code, answer.json()["deleted_count"]) == (200, 1)
    assert (await in_database(alice.user.delete, f"{MEMORIES}/{memory['id']}")).status_code == 404
    assert len(await facts()) == 1
    assert (await in_database(Conversation.objects.get, pk=chat)).summary == ""


async def test_all_is_forgotten_and_not_read_again(alice, server):
    await remembered(alice, server, messages=60)
    answer = await in_database(alice.user.delete, MEMORIES)
    assert answer.json() == {"success": True, "deleted_count": 2}
    assert await facts() == []
    assert await in_database(remembering.due) == []


async def test_switched_off_nothing_is_used_and_nothing_new_is_remembered(alice, server):
    chat = await remembered(alice, server, messages=60)
    answer = await in_database(alice.user.put, MEMORIES, {"enabled": False})
    assert answer.json() == {"enabled": False}
    await alice.say(chat, "Who am I?")
    assert not any("Ada" in message["content"] for message in prompt_of(server))
    key = (await in_database(Conversation.objects.get, pk=chat)).pk
    assert not await remembering.remember(key)


async def test_the_installation_can_switch_it_off(alice, server, settings):
    settings.PERSONA_MEMORY = False
    chat = await chat_with(alice, 20)
    assert not await remembering.remember((await in_database(Conversation.objects.get, pk=chat)).pk)


async def test_anothers_memory_is_not_there(alice, server):
    await remembered(alice, server)
    memory = await in_database(MemoryFact.objects.first)
    bob = User("bob")
    assert (await in_database(bob.delete, f"{MEMORIES}/{memory.pk}")).status_code == 404
    assert (await in_database(bob.get, MEMORIES)).json()["memories"] == []
    await in_database(bob.delete, MEMORIES)
    assert len(await facts()) == 2


async def test_a_deleted_chat_takes_its_memories_along(alice, server):
    chat = await remembered(alice, server)
    await in_database(alice.user.delete, f"{CHATS}/{chat}")
    assert await facts() == []


async def test_memories_are_exported_and_erased_with_the_person(alice, server):
    await remembered(alice, server)
    contact = await in_database(Contact.objects.get)
    assert sorted((await in_database(personal_data.collect, contact))["memories"]) == [
        "Bakes on Sundays",
        "Is called Ada",
    ]
    await in_database(personal_data.erase, contact)
    assert await facts() == []
