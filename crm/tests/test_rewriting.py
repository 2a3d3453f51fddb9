"""The last exchange said anew, by the persona API: another answer, an edit, a stop; nothing is lost by it."""

import json

import pytest

from config.api.threads import in_database
from crm import erasure, remembering, rewriting, turns
from crm.models import Conversation, MemoryFact, Message, MessageVersion
from crm.personal_data import collect
from crm.tests.media_samples import wav
from crm.tests.model_server import model_server
from crm.tests.persona_chatting import CHATS, Talker, make_influencer
from tests.fakes.openai_server import Behaviour, Fault

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("flushed_layer", "signed_tokens", "requests_beside_each_other"),
]


@pytest.fixture
def server(settings):
    with model_server(settings, "With rye flour.", READ_TIMEOUT=20, TOTAL_TIMEOUT=30) as running:
        yield running


@pytest.fixture
def alice():
    return Talker("alice")


async def asked(alice, content="How do I begin?"):
    """A chat in which that was said and answered: its id, and both messages."""
    chat = await alice.begin(provider_chain=["openai"], greeting="Good morning!")
    body = (await alice.say(chat, content)).json()
    return chat, body["user_message"], body["assistant_message"]


async def regenerate(alice, chat, message, **headers):
    return await alice.post(f"{CHATS}/{chat}/messages/{message['id']}/regenerate", {}, **headers)


async def edit(alice, chat, message, content):
    path = f"{CHATS}/{chat}/messages/{message['id']}"
    body, headers = json.dumps({"content": content}), alice.user.headers
    return await alice.client.patch(path, body, content_type="application/json", headers=headers)


async def said(alice, chat):
    body = (await alice.history(chat, order="asc")).json()
    return [message["content"] for message in body["messages"]]


def versions(**which):
    rows = MessageVersion.objects.filter(**which)
    return in_database(lambda: list(rows.order_by("pk").values_list("text", "why")))


def chats_asked(server):
    return [request for request in server.requests if "chat" in request.path]


# --- Another answer -----------------------------------------------------------------------------


async def test_another_answer_takes_the_place_of_the_old_one_which_is_kept(alice, server):
    chat, user_message, answer = await asked(alice)
    server.behaviour = Behaviour(reply="With wheat.")
    body = (await regenerate(alice, chat, answer)).json()
    assert (body["user_message"], body["assistant_message"]["content"]) == (user_message, "With wheat.")
    assert body["assistant_message"]["id"] == answer["id"]
    assert await said(alice, chat) == ["Good morning!", "How do I begin?", "With wheat."]
    assert await versions() == [("With rye flour.", "regenerated")]
    turns_told = chats_asked(server)[-1].json["messages"]
    assert "With rye flour." not in [turn["content"] for turn in turns_told], (
        "it answers as if for the first time"
    )


async def test_another_answer_is_told_as_it_is_written(alice, server):
    chat, _, answer = await asked(alice)
    response = await regenerate(alice, chat, answer, Accept="text/event-stream")
    whole = b"".join([part async for part in response.streaming_content]).decode()
    names = [line.removeprefix("event: ") for line in whole.split("\n") if line.startswith("event: ")]
    assert (names[0], names[-1]) == ("accepted", "done")
    assert "delta" in names


async def test_where_no_other_answer_can_be_written_the_one_before_stays(alice, server):
    chat, _, answer = await asked(alice)
    server.behaviour = Behaviour(fault=Fault.STATUS, status=400)
    failed = await regenerate(alice, chat, answer)
    assert (failed.status_code, failed.json()["error"]) == (503, "service_unavailable")
    assert (await said(alice, chat))[-1] == "With rye flour."
    assert await versions() == []
    server.behaviour = Behaviour(reply="With wheat.")
    assert (await regenerate(alice, chat, answer)).status_code == 200


async def test_only_the_last_answer_can_be_written_anew(alice, server):
    chat, _, answer = await asked(alice)
    await alice.say(chat, "And then?")
    refused = await regenerate(alice, chat, answer)
    assert (refused.status_code, refused.json()["error"]) == (409, "conflict")
    assert "last" in refused.json()["message"]


async def test_a_greeting_answers_nothing(alice, server):
    chat = await alice.begin(provider_chain=["openai"], greeting="Good morning!")
    (greeting,) = (await alice.history(chat)).json()["messages"]
    assert (await regenerate(alice, chat, greeting)).status_code == 409


@pytest.mark.parametrize("message_id", ["x", "9b2e6c1a-0000-8000-8000-000000000001"])
async def test_a_message_that_is_not_there_is_a_404(alice, server, message_id):
    chat, _, _ = await asked(alice)
    assert (await regenerate(alice, chat, {"id": message_id})).status_code == 404


async def test_what_is_another_users_is_a_404(alice, server):
    chat, question, answer = await asked(alice)
    bob = Talker("bob")
    await bob.begin(await in_database(lambda: make_influencer(slug="other")))
    assert (await regenerate(bob, chat, answer)).status_code == 404
    assert (await edit(bob, chat, question, "Mine")).status_code == 404
    assert (await bob.post(f"{CHATS}/{chat}/stop", {})).status_code == 404


async def test_an_answer_is_written_anew_so_often_and_no_more(alice, server, monkeypatch):
    monkeypatch.setattr(rewriting, "MOST_VERSIONS", 1)
    chat, _, answer = await asked(alice)
    assert (await regenerate(alice, chat, answer)).status_code == 200
    assert (await regenerate(alice, chat, answer)).status_code == 409


async def test_while_staff_answer_nothing_is_said_anew(alice, server, django_user_model):
    chat, question, answer = await asked(alice)
    staff = await in_database(lambda: django_user_model.objects.create_superuser("sue"))
    await in_database(lambda: Conversation.objects.filter(pk=chat).update(taken_over_by=staff))
    assert (await regenerate(alice, chat, answer)).status_code == 409
    assert (await edit(alice, chat, question, "Other words")).status_code == 409


# --- An edit ------------------------------------------------------------------------------------


async def test_an_edited_message_is_answered_anew_and_both_are_kept(alice, server):
    chat, question, _ = await asked(alice)
    server.behaviour = Behaviour(reply="In the oven.")
    body = (await edit(alice, chat, question, "How do I bake?")).json()
    assert (body["user_message"]["id"], body["user_message"]["content"]) == (question["id"], "How do I bake?")
    assert await said(alice, chat) == ["Good morning!", "How do I bake?", "In the oven."]
    assert await versions() == [("How do I begin?", "edited"), ("With rye flour.", "edited")]
    told = [turn["content"] for turn in chats_asked(server)[-1].json["messages"]]
    assert "How do I begin?" not in told
    assert "How do I bake?" in told


async def test_the_same_words_again_cost_nothing(alice, server):
    chat, question, answer = await asked(alice)
    for _ in range(2):
        body = (await edit(alice, chat, question, "How do I begin?")).json()
        assert body["assistant_message"] == answer
    assert len(chats_asked(server)) == 1
    assert await versions() == []


async def test_the_answer_to_other_words_is_not_put_back(alice, server):
    chat, question, answer = await asked(alice)
    await regenerate(alice, chat, answer)
    server.behaviour = Behaviour(fault=Fault.STATUS, status=400)
    assert (await edit(alice, chat, question, "How do I bake?")).status_code == 503
    assert await said(alice, chat) == ["Good morning!", "How do I bake?"]
    server.behaviour = Behaviour(reply="In the oven.")
    await edit(alice, chat, question, "How do I bake?")
    assert (await said(alice, chat))[-1] == "In the oven."


@pytest.mark.parametrize("content", ["", "  ", "x" * 4_001])
async def test_words_that_cannot_be_taken_are_refused_and_nothing_changes(alice, server, content):
    chat, question, _ = await asked(alice)
    answer = await edit(alice, chat, question, content)
    assert (answer.status_code, answer.json()["error"]) == (422, "validation_error")
    assert (await said(alice, chat))[1] == "How do I begin?"


async def test_what_a_message_told_before_is_forgotten_with_it(alice, server):
    chat, question, _ = await asked(alice, "I live in Gdańsk.")

    def remembered():
        message = Message.objects.get(author="person")
        fact = MemoryFact(contact=message.conversation.contact, persona=message.conversation.persona)
        fact.message, fact.text = message, "Lives in Gdańsk."
        fact.save()
        Conversation.objects.update(remembered_seq=3)

    await in_database(remembered)
    await edit(alice, chat, question, "I live in Łódź.")
    assert await MemoryFact.objects.acount() == 0
    assert (await Conversation.objects.aget()).remembered_seq == 1


async def test_a_recording_is_not_edited(alice, server):
    chat = await alice.begin(provider_chain=["openai"])

    def kept():
        from crm import media

        contact = Conversation.objects.get(pk=chat).contact
        return str(media.stored(contact, wav(1), "audio").file.name)

    body = {"message_type": "audio", "audio_url": await in_database(kept)}
    message = (await alice.send(chat, body)).json()["user_message"]
    assert (await edit(alice, chat, message, "Words")).status_code == 422


# --- A stop -------------------------------------------------------------------------------------


async def test_a_stopped_answer_is_kept_as_far_as_it_came_and_marked(alice, server):
    server.behaviour = Behaviour(
        reply="One two three four five six seven.", fault=Fault.STALL, after_tokens=3
    )
    chat = await alice.begin(provider_chain=["openai"])
    response = await alice.send(
        chat, {"message_type": "text", "content": "Count"}, Accept="text/event-stream"
    )
    whole = ""
    async for part in response.streaming_content:
        whole += part.decode()
        if "event: delta" in whole and "stop" not in whole:
            answer = await alice.post(f"{CHATS}/{chat}/stop", {})
            assert answer.json() == {"conversation_id": chat, "stopped": True}
            whole += "stop"
    assert "event: done" in whole
    reply = await Message.objects.aget(author="persona")
    assert (reply.state, reply.plan["stopped"]) == ("complete", True)
    assert "One" in reply.text
    assert "seven" not in reply.text


async def test_there_may_be_nothing_to_stop(alice, server):
    chat, _, _ = await asked(alice)
    assert (await alice.post(f"{CHATS}/{chat}/stop", {})).json()["stopped"] is False


@pytest.mark.parametrize(("text", "state"), [("One two ", "complete"), ("", "failed")])
async def test_a_reply_of_another_process_is_stopped_by_its_row(alice, server, text, state):
    await asked(alice)
    rows = Message.objects.filter(author="persona", reply_to__isnull=False)
    await rows.aupdate(state="streaming", text=text, attempts=7)
    assert await in_database(turns.stop_turn, (await Conversation.objects.aget()).pk)
    reply = await rows.aget()
    assert (reply.state, reply.text, reply.heartbeat_at) == (state, text.strip(), None)


# --- What is kept goes with its person ------------------------------------------------------------


async def test_what_was_said_before_is_in_the_export_and_goes_with_the_person(alice, server):
    chat, question, _ = await asked(alice)
    await edit(alice, chat, question, "How do I bake?")

    def forgotten():
        contact = Conversation.objects.get(pk=chat).contact
        exported = collect(contact)["conversations"][0]["said_before"]
        erasure.run(erasure.request(contact).pk)
        return [row["text"] for row in exported], MessageVersion.objects.count()

    assert await in_database(forgotten) == (["How do I begin?", "With rye flour."], 0)


async def test_words_that_were_edited_while_they_were_read_are_not_remembered(alice, server):
    chat, _, _ = await asked(alice, "I live in Gdańsk.")

    def read():
        conversation = Conversation.objects.select_related("contact", "persona").get(pk=chat)
        message = Message.objects.get(author="person")
        part = remembering.Part(conversation, 0, (message,))
        Message.objects.filter(author="person").update(text="I live in Łódź.")
        return remembering._keep(part, "", [(message, "Lives in Gdańsk.")])

    assert await in_database(read)
    assert not await MemoryFact.objects.aexists()


async def test_while_an_answer_is_written_nothing_else_is_said_anew(alice, server):
    chat, question, answer = await asked(alice)
    await Message.objects.filter(reply_to__isnull=False).aupdate(state="streaming")
    assert (await regenerate(alice, chat, answer)).status_code == 409
    assert (await edit(alice, chat, question, "Other words")).status_code == 409


async def test_answers_carry_the_headers_of_the_persona_api(alice, server):
    chat, _, answer = await asked(alice)
    told = await regenerate(alice, chat, answer, **{"X-Correlation-ID": "trace-1"})
    assert (told.headers["X-API-Version"], told.headers["X-Correlation-ID"]) == ("v1", "trace-1")
    made = await regenerate(alice, chat, answer, **{"X-Correlation-ID": "a b\tc"})
    assert len(made.headers["X-Correlation-ID"]) == 36
    assert "X-API-Version" not in (await alice.client.get("/live")).headers
