"""A talk whose persona speaks through Lyzr: who leads, the agent there or the plan here."""

import pytest

from config.api.threads import in_database
from crm import replies, talk
from crm.models import Message
from crm.tests.test_replies import BRIEF, open_talk
from tests.factories import make_contact, make_conversation, make_persona
from tests.fakes.lyzr_server import Behaviour, Fault

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("flushed_layer", "lyzr_settings"),
]


def talk_with(**persona):
    persona = make_persona(provider_chain=["lyzr", "offline"], model="agent-of-nora", **persona)
    return make_conversation(make_contact(), persona=persona, external_id="acme+ada@example.com")


async def answered(conversation, text):
    """The row of the reply."""
    message, _ = await in_database(talk.record_message, conversation, text)
    async for _event in replies.stream_reply(message.pk):
        pass
    return await in_database(Message.objects.get, reply_to=message)


async def test_a_persona_that_we_tell_nothing_is_led_by_its_agent(lyzr):
    lyzr.script(Behaviour(reply="Much is new."))
    conversation = await in_database(talk_with)
    reply = await answered(conversation, "What is new?")
    assert (reply.text, reply.provider, reply.model) == ("Much is new.", "lyzr", "agent-of-nora")
    asked = lyzr.requests[0].json
    assert (asked["message"], asked["session_id"]) == ("What is new?", "acme+ada@example.com")
    assert asked["user_id"] == "acme"


async def test_a_persona_with_instructions_is_led_from_here(lyzr):
    conversation = await in_database(talk_with, instructions="Speak like a sailor.")
    await answered(conversation, "What is new?")
    asked = lyzr.requests[0].json
    assert "Speak like a sailor." in asked["message"]
    assert asked["session_id"] != "acme+ada@example.com"


async def test_an_interview_keeps_its_questions(lyzr):
    persona = await in_database(make_persona, provider_chain=["lyzr"], model="agent-of-nora")
    conversation = await in_database(open_talk, persona=persona, brief=BRIEF)
    reply = await answered(conversation, "I am a nurse.")
    assert reply.text.endswith("Which tools do you use?")
    assert reply.question_key == "tools"


async def test_when_lyzr_fails_the_next_of_the_chain_speaks(lyzr):
    lyzr.script(*[Behaviour(fault=Fault.STATUS, status=500)] * 5)
    persona = await in_database(make_persona, provider_chain=["lyzr", "offline"], model="agent-of-nora")
    conversation = await in_database(open_talk, persona=persona, brief=BRIEF)
    reply = await answered(conversation, "I am a nurse.")
    assert reply.provider == "offline"
    assert "Which tools do you use?" in reply.text
