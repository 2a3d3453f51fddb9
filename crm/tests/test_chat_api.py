"""`POST /chat`: who writes, in which talk, who answers, and every field of the answer."""

import asyncio
import uuid
from datetime import timedelta
from functools import partial

import pytest
from django.utils import timezone

from config.api.threads import in_database
from crm import agents_chat, talk
from crm.models import Contact, ContactAddress, Conversation, Message, SessionToken
from crm.tests.chatting import Caller, shelf, token_of
from personas.agents import BY_SLUG as AGENTS
from personas.models import Persona
from tests.factories import bearer, make_account, make_contact, make_conversation, make_key, make_persona

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("flushed_layer")]


@pytest.fixture
async def caller():
    return await Caller.with_key()


def rows(model, **which):
    return in_database(lambda: list(model.objects.filter(**which).order_by("pk")))


# --- the answer -------------------------------------------------------------------------------


async def test_the_answer_has_every_documented_field(caller):
    await in_database(shelf)
    response = await caller.say("What is the warranty of model X-200?", conversation_id="conv456")
    body = response.json()

    assert response.status_code == 200
    assert "36 months" in body["response"]
    assert body["conversation_id"] == "conv456"
    assert body["user_info"] == {
        "id": "user123", "name": "", "email": "", "company": "", "phone": "", "role": "",
    }  # fmt: skip
    first = body["rag_context"][0]
    assert "36 months" in first["content"]
    assert first["source"] == first["metadata"]["filename"] == "facts.md"
    assert 0 < first["score"] <= 1
    assert first["metadata"]["chunk_id"].isdigit()
    metadata = body["metadata"]
    assert metadata["agent_used"] == "support_agent"
    assert metadata["rag_documents_retrieved"] == len(body["rag_context"]) >= 1
    assert (metadata["tokens_used"], metadata["openai_model"]) == (0, "offline")
    assert metadata["conversation_length"] == 2
    assert metadata["response_time"] > 0
    assert metadata["timestamp"].endswith("Z")
    assert metadata["request_id"] == response.headers["X-Request-ID"]
    assert metadata["processing_details"]["database_queries"] > 3


async def test_the_answer_has_what_the_public_program_reads(caller):
    await in_database(shelf)
    body = (await caller.say("What is the warranty of model X-200?", session_id="session-1-abc")).json()
    assert body["sources"][0]["source"] == "facts.md"
    assert body["sources"][0]["similarity_score"] == body["rag_context"][0]["score"]
    assert isinstance(body["processing_time"], float)
    assert (body["session_id"], body["user_id"]) == ("session-1-abc", "user123")
    assert set(body["metadata"]["user_info"]) >= {"name", "email", "company", "role", "phone"}


async def test_a_known_person_is_named(caller):
    contact = await in_database(make_contact, email="ada@example.com", company="Acme Corp")
    body = (await caller.say(user_id=str(contact.pk))).json()
    assert body["user_info"]["id"] == str(contact.pk)
    assert (body["user_info"]["name"], body["user_info"]["email"]) == ("Ada Lovelace", "ada@example.com")
    assert body["user_info"]["company"] == "Acme Corp"


async def test_a_question_that_points_back_is_searched_with_the_one_before(caller):
    await in_database(shelf)
    await caller.say("Tell me about model X-300", conversation_id="c1")
    body = (await caller.say("And what does it cost?", conversation_id="c1")).json()
    assert "450 euros" in body["response"]
    new_topic = (await caller.say("When are refunds paid?", conversation_id="c1")).json()
    assert "14 days" in new_topic["response"]


async def test_nothing_in_the_documents_is_said_so(caller):
    body = (await caller.say("Which planet has the price of gold?")).json()
    assert body["response"] == "I did not find an answer to that in our documents."
    assert body["rag_context"] == []


async def test_a_greeting_is_greeted_and_searches_nothing(caller):
    await in_database(shelf)
    body = (await caller.say("Hello, how can you help me?")).json()
    assert body["response"].startswith("Hello.")
    assert (body["rag_context"], body["metadata"]["agent_used"]) == ([], "general_agent")


# --- the agent --------------------------------------------------------------------------------


async def test_the_agent_and_the_reason_are_kept_on_the_reply(caller):
    body = (await caller.say("How much does it cost?")).json()
    reply = (await rows(Message, author="persona"))[0]
    persona = await in_database(Persona.objects.get, pk=reply.persona_id)
    assert persona.slug == body["metadata"]["agent_used"] == "sales_agent"
    assert reply.routing["by"] == body["metadata"]["agent_chosen_by"] == "rules"
    assert "“how much”" in reply.routing["reason"]
    assert body["metadata"]["agent_reason"] == reply.routing["reason"]
    assert body["metadata"]["message_id"] == str(reply.pk)
    assert (await rows(Conversation))[0].category == "sales"


async def test_a_talk_keeps_its_agent_until_something_else_is_meant(caller):
    said = ["How much does it cost?", "And in blue?", "I want a refund", "ok"]
    used = [(await caller.say(text, conversation_id="c1")).json()["metadata"]["agent_used"] for text in said]
    assert used == ["sales_agent", "sales_agent", "support_agent", "support_agent"]
    conversation = (await rows(Conversation))[0]
    assert conversation.category == "support"


async def test_the_agent_that_staff_pinned_answers_whatever_is_asked(caller):
    await caller.say("Hello", conversation_id="c1")
    conversation = (await rows(Conversation))[0]
    technical = (await rows(Persona, slug="technical_agent"))[0]
    await in_database(agents_chat.pin, conversation, technical)
    metadata = (await caller.say("How much does it cost?", conversation_id="c1")).json()["metadata"]
    assert (metadata["agent_used"], metadata["agent_chosen_by"]) == ("technical_agent", "staff")


async def test_a_category_that_staff_gave_stays(caller):
    await caller.say("Hello", conversation_id="c1")
    await in_database(Conversation.objects.update, category="vip")
    await caller.say("How much does it cost?", conversation_id="c1")
    assert (await rows(Conversation))[0].category == "vip"


async def test_what_a_person_filed_is_not_filed_anew(caller):
    """Also under a word that agents use: a category of theirs is only a suggestion."""
    await caller.say("How much does it cost?", conversation_id="c1")
    url, key = "/crm/conversations/user123/c1", caller.headers
    file = partial(caller.client.patch, url, content_type="application/json", headers=key)
    assert (await file({"category": "general"})).status_code == 200
    await caller.say("I want a refund", conversation_id="c1")
    assert (await rows(Conversation))[0].category == "general"


async def test_an_agent_that_is_switched_off_is_not_asked(caller):
    await caller.say("Hello")
    await in_database(Persona.objects.filter(slug="sales_agent").update, status="discontinued")
    metadata = (await caller.say("How much does it cost?")).json()["metadata"]
    assert metadata["agent_used"] == "general_agent"
    assert "switched off" in metadata["agent_reason"]


async def test_the_agents_are_made_once_for_each_account(caller):
    await asyncio.gather(*(caller.say(user_id=f"user{number}") for number in range(8)))
    assert sorted(row.slug for row in await rows(Persona)) == sorted(AGENTS)


async def test_staff_who_took_over_answer_themselves(caller, admin_user):
    await caller.say("Hello", conversation_id="c1")
    conversation = (await rows(Conversation))[0]
    await in_database(talk.take_over, conversation, admin_user)
    response = await caller.say("I want a refund", conversation_id="c1")
    body = response.json()
    assert (response.status_code, body["metadata"]["agent_used"]) == (200, "staff")
    assert body["response"] == "A member of our team answers here."
    assert len(await rows(Message, author="person")) == 2


# --- who writes -------------------------------------------------------------------------------


async def test_an_unknown_user_id_is_a_new_contacts_own_id(caller):
    await caller.say(user_id="user123")
    await caller.say(user_id="user123")
    assert len(await rows(Contact)) == 1
    assert [(row.kind, row.value) for row in await rows(ContactAddress)] == [("external_id", "user123")]


async def test_a_session_id_alone_names_a_visitor(caller):
    body = (await caller.post(body={"message": "Hello", "session_id": "session-9-x"})).json()
    assert body["user_id"] == "session-session-9-x"


async def test_without_any_name_it_is_refused(caller):
    response = await caller.post(body={"message": "Hello"})
    assert (response.status_code, response.json()["error"]["field"]) == (400, "user_id")
    assert not await rows(Message)


async def test_a_deactivated_contact_cannot_chat(caller):
    contact = await in_database(make_contact, is_active=False)
    response = await caller.say(user_id=str(contact.pk))
    assert (response.status_code, response.json()["error"]["code"]) == (403, "FORBIDDEN")
    assert not await rows(Message)


# --- sessions ---------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["body", "header", "bearer"])
async def test_a_session_token_lets_its_contact_in(place):
    contact = await in_database(make_contact)
    token = await in_database(token_of, contact)
    headers = {"header": {"X-Session-Token": token}, "bearer": bearer(token)}.get(place, {})
    fields = {"session_token": token} if place == "body" else {}
    response = await Caller(headers).post(body={"message": "I want a refund", **fields})
    assert response.status_code == 200
    assert response.json()["user_info"]["id"] == str(contact.pk)
    assert token not in response.content.decode()
    assert (await rows(Conversation))[0].contact_id == contact.pk


async def test_a_session_is_one_talk(caller):
    contact = await in_database(make_contact)
    token = await in_database(token_of, contact)
    answers = [
        (await caller.say(text, user_id=str(contact.pk), session_token=token, conversation_id=None)).json()
        for text in ("Hello", "I want a refund")
    ]
    assert answers[0]["conversation_id"] == answers[1]["conversation_id"]
    assert answers[1]["metadata"]["conversation_length"] == 4


async def test_a_session_of_another_contact_is_refused(caller):
    ada, grace = await in_database(make_contact), await in_database(make_contact)
    token = await in_database(token_of, ada)
    response = await caller.say(user_id=str(grace.pk), session_token=token)
    assert (response.status_code, response.json()["error"]["code"]) == (401, "UNAUTHORIZED")
    assert not await rows(Message)


async def test_a_session_of_another_account_is_refused(caller):
    other = await in_database(lambda: make_contact(make_account("other")))
    token = await in_database(token_of, other)
    assert (await caller.say(user_id=str(other.pk), session_token=token)).status_code == 401


@pytest.mark.parametrize("token", ["session_token_here", "x" * 43, "🔑" * 20, "rk_unknown"])
async def test_an_unknown_token_is_refused(token):
    assert (await Caller().say(session_token=token)).status_code == 401


async def test_an_ended_session_is_refused():
    contact = await in_database(make_contact)
    token = await in_database(token_of, contact)
    await in_database(SessionToken.objects.update, expires_at=timezone.now() - timedelta(seconds=1))
    assert (await Caller().say(user_id=str(contact.pk), session_token=token)).status_code == 401


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"message": "Hello", "user_id": "u"}'])
async def test_without_a_credential_nobody_is_told_anything(body):
    response = await Caller().post(body=body)
    assert (response.status_code, response.json()["error"]["code"]) == (401, "UNAUTHORIZED")


async def test_a_key_needs_the_scope():
    key = await in_database(lambda: make_key(scopes=("crm",)))
    assert (await Caller(bearer(key)).say()).status_code == 403


# --- which talk -------------------------------------------------------------------------------


async def test_a_talk_goes_on_under_the_callers_id_and_under_ours(caller):
    first = (await caller.say(conversation_id="conv456")).json()
    ours = str((await rows(Conversation))[0].pk)
    second = (await caller.say("And how long does it take?", conversation_id=ours)).json()
    assert first["conversation_id"] == second["conversation_id"] == "conv456"
    assert second["metadata"]["conversation_length"] == 4


async def test_without_an_id_a_new_talk_begins_and_says_its_id(caller):
    first, second = (await caller.say()).json(), (await caller.say()).json()
    assert first["conversation_id"] != second["conversation_id"]
    again = (await caller.say(conversation_id=first["conversation_id"])).json()
    assert again["metadata"]["conversation_length"] == 4


async def test_a_session_id_names_the_talk(caller):
    for user in ("ada", "ada", "grace"):
        await caller.say(user_id=user, session_id="session-1")
    assert sorted(row.last_seq for row in await rows(Conversation)) == [2, 4]


async def test_the_talk_of_another_contact_is_not_there(caller):
    await caller.say(user_id="ada", conversation_id="conv456")
    ours = str((await rows(Conversation))[0].pk)
    for given in ("conv456", ours):
        response = await caller.say(user_id="grace", conversation_id=given)
        assert (response.status_code, response.json()["error"]["code"]) == (404, "NOT_FOUND")


async def test_an_interview_is_not_answered_here(caller):
    from crm.tests.test_replies import open_talk

    conversation = await in_database(open_talk)
    response = await caller.say(user_id=str(conversation.contact_id), conversation_id=str(conversation.pk))
    assert response.status_code == 404


async def test_two_accounts_with_the_same_ids_never_meet(caller):
    await in_database(shelf)
    other = await Caller.with_key(await in_database(make_account, "other"))
    question = "What is the warranty of model X-200?"
    ours = (await caller.say(question, conversation_id="conv456")).json()
    theirs = (await other.say(question, conversation_id="conv456")).json()
    assert ours["rag_context"]
    assert theirs["rag_context"] == []
    found = await rows(Conversation)
    assert len({row.account_id for row in found}) == len(found) == 2
    # An id of another account is one that we do not know.
    strange = (await other.say(user_id=str(found[0].contact_id), conversation_id=str(found[0].pk))).json()
    assert strange["metadata"]["conversation_length"] == 2
    assert len(await rows(Conversation)) == 3


async def test_a_closed_talk_takes_no_message(caller):
    await caller.say(conversation_id="conv456")
    conversation = (await rows(Conversation))[0]
    await in_database(talk.close, conversation, "archived")
    response = await caller.say(conversation_id="conv456")
    assert (response.status_code, response.json()["error"]["code"]) == (409, "CONFLICT")


async def test_a_session_whose_talk_was_closed_begins_another(caller):
    await caller.say(session_id="s1")
    conversation = (await rows(Conversation))[0]
    await in_database(talk.close, conversation, "archived")
    assert (await caller.say(session_id="s1")).status_code == 200


async def test_after_a_reset_a_session_begins_another_talk_and_goes_on_with_it(caller):
    ada = {"user_id": "ada", "session_id": "s1"}
    talks = [(await caller.say(**ada, client_message_id="m1")).json()["conversation_id"]]
    for number in (2, 3):
        await caller.post("/reset", {"user_id": "ada"})
        talks += [
            (await caller.say(**ada, client_message_id=f"m{number}-{said}")).json()["conversation_id"]
            for said in "ab"
        ]
    assert [talks.index(talk) for talk in talks] == [0, 1, 1, 3, 3]
    again = (await caller.say(**ada, client_message_id="m2-b")).json()
    assert (again["conversation_id"], again["metadata"]["conversation_length"]) == (talks[1], 4)
    assert len(await rows(Message)) == 10


async def test_a_talk_with_another_persona_keeps_it(caller):
    def influencer():
        persona = make_persona(kind="influencer", name="Leo", slug="leo")
        contact = make_contact()
        return make_conversation(contact, persona=persona, planner=agents_chat.PLANNER)

    conversation = await in_database(influencer)
    body = (
        await caller.say(user_id=str(conversation.contact_id), conversation_id=str(conversation.pk))
    ).json()
    assert body["metadata"]["agent_used"] == "leo"


# --- the same message again -------------------------------------------------------------------


@pytest.mark.parametrize("talk_id", ["conv456", None])
async def test_the_same_client_id_gives_the_same_reply(caller, talk_id):
    await in_database(shelf)
    fields = {"conversation_id": talk_id, "client_message_id": "m1"}
    first = (await caller.say("What is the warranty of model X-200?", **fields)).json()
    second = (await caller.say("What is the warranty of model X-200?", **fields)).json()
    for key in ("response", "conversation_id", "rag_context"):
        assert first[key] == second[key]
    for key in ("message_id", "agent_used", "agent_reason", "conversation_length", "client_message_id"):
        assert first["metadata"][key] == second["metadata"][key]
    assert len(await rows(Message)) == 2


async def test_the_same_message_at_once_is_one_message(caller):
    responses = await asyncio.gather(*(caller.say(client_message_id="m1") for _attempt in range(6)))
    assert [response.status_code for response in responses] == [200] * 6
    assert len({response.json()["metadata"]["message_id"] for response in responses}) == 1
    assert len(await rows(Message)) == 2
    assert len(await rows(Contact)) == 1


async def test_a_late_replay_changes_no_agent(caller):
    await caller.say("How much does it cost?", conversation_id="c1", client_message_id="m1")
    await caller.say("I want a refund", conversation_id="c1")
    replayed = (await caller.say("How much?", conversation_id="c1", client_message_id="m1")).json()
    assert replayed["metadata"]["agent_used"] == "sales_agent"
    conversation = (await rows(Conversation))[0]
    assert conversation.category == "support"


# --- bad input --------------------------------------------------------------------------------

BAD = [
    ({"user_id": "u"}, "message"),
    ({"user_id": "u", "message": ""}, "message"),
    ({"user_id": "u", "message": "   "}, "message"),
    ({"user_id": "u", "message": None}, "message"),
    ({"user_id": "u", "message": {"a": 1}}, "message"),
    ({"user_id": "u", "message": "x" * 4001}, "message"),
    ({"user_id": "x" * 321, "message": "Hello"}, "user_id"),
    ({"user_id": "a\nb", "message": "Hello"}, "user_id"),
    ({"user_id": ["u"], "message": "Hello"}, "user_id"),
    ({"user_id": "u", "message": "Hello", "conversation_id": "x" * 201}, "conversation_id"),
    ({"user_id": "u", "message": "Hello", "client_message_id": "x" * 65}, "client_message_id"),
    ({"user_id": "u", "message": "Hello", "client_message_id": "a\tb"}, "client_message_id"),
    ({"user_id": "u", "message": "Hello", "context": "text"}, "context"),
    ({"user_id": "u", "message": "Hello", "context": {"a": "x" * 5000}}, "context"),
    ({"user_id": "u", "message": "Hello", "session_id": {}}, "session_id"),
]


@pytest.mark.parametrize(("body", "field"), BAD)
async def test_bad_input_names_its_field(caller, body, field):
    response = await caller.post(body=body)
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["field"]) == (400, "VALIDATION_ERROR", field)
    assert isinstance(response.json()["detail"], str)
    assert not await rows(Message)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 5000, b'{"message": "\\ud800"}'])
async def test_what_is_no_json_object_is_400(caller, body):
    assert (await caller.post(body=body)).status_code == 400


async def test_4000_characters_of_any_script_are_taken(caller):
    assert (await caller.say("𝄞" * 4000)).status_code == 200


async def test_other_methods_are_refused(caller):
    response = await caller.client.get("/chat", headers=caller.headers)
    assert (response.status_code, response.headers["Allow"]) == (405, "POST")


async def test_the_context_is_kept_with_the_talk(caller):
    await caller.say(conversation_id="c1", context={"additional_context": "page: pricing"})
    brief = (await rows(Conversation))[0].brief
    assert brief["context"] == {"additional_context": "page: pricing"}


# --- what it costs ----------------------------------------------------------------------------


async def test_the_number_of_queries_does_not_grow_with_the_talk(caller):
    await in_database(shelf)

    async def queries():
        response = await caller.say("What is the warranty of model X-200?", conversation_id="c1")
        return response.json()["metadata"]["processing_details"]["database_queries"]

    await queries()
    few = await queries()
    conversation = (await rows(Conversation))[0]

    def fill():
        start = conversation.last_seq + 100
        Message.objects.bulk_create(
            Message(conversation_id=conversation.pk, seq=number, author="persona", text=f"Reply {number}")
            for number in range(start, start + 300)
        )
        Conversation.objects.update(last_seq=start + 300)

    await in_database(fill)
    assert await queries() == few <= 40


async def test_a_talk_begins_on_the_timeline(caller):
    await caller.say()
    contact = (await rows(Contact))[0]
    entries = await in_database(lambda: list(contact.timeline.values_list("kind", "channel")))
    assert entries == [("chat_started", "api")]


async def test_an_unknown_uuid_is_a_callers_own_id_too(caller):
    made_up = str(uuid.uuid4())
    body = (await caller.say(user_id=made_up, conversation_id=made_up)).json()
    assert (body["conversation_id"], body["user_info"]["id"]) == (made_up, made_up)
