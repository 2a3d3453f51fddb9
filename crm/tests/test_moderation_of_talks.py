"""Moderation of what is no chat with an influencer: `POST /chat`, interviews; and of pictures."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from config.api.threads import in_database
from crm import briefs, moderation, standing
from crm.models import Message, ModerationByVendor, ModerationFlag, ModerationRule
from crm.replies import Failed, Finished
from crm.tests.chatting import Caller
from crm.tests.media_samples import picture
from crm.tests.model_server import model_server
from crm.tests.persona_chatting import Talker
from crm.tests.test_replies import events_of, open_talk, said
from personas import agents, own_keys
from personas.models import Persona
from tests.factories import make_account, make_persona

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("signed_tokens", "flushed_layer"),
]


@pytest.fixture
def model(settings):
    own_keys.forget()
    with model_server(settings, "Good day.") as server:
        yield server


def add_rule(patterns, slug="acme", **fields):
    fields = {"name": patterns, "action": "refuse", **fields}
    return ModerationRule.objects.create(account=make_account(slug), patterns=patterns, **fields)


def by_vendor(slug="acme", **fields):
    return ModerationByVendor.objects.create(account=make_account(slug), provider="openai", **fields)


def paths(server):
    return [request.path for request in server.requests]


async def flags():
    return [(flag.side, flag.found_by, flag.action) async for flag in ModerationFlag.objects.order_by("pk")]


# --- POST /chat -----------------------------------------------------------------------------------


async def test_a_refused_message_to_the_agents_is_kept_and_told():
    await in_database(add_rule, "idiot*")
    caller = await Caller.with_key()
    answer = await caller.say("You idiots, I want a refund")
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (422, "CONTENT_FILTER")
    assert (error["details"]["reason"], error["details"]["retryable"]) == ("content_filter", False)
    kept = await Message.objects.aget(author="person")
    assert (str(kept.pk), kept.act) == (error["details"]["message_id"], "unfit")
    assert await flags() == [("input", "idiot*", "refuse")]


async def test_an_agents_unfit_sentence_is_not_shown():
    await in_database(add_rule, "documents", sides="output")
    caller = await Caller.with_key()
    frames = await caller.stream("I want a refund")
    assert frames[-1][0] == "error"
    assert "documents" not in "".join(data["text"] for name, data in frames if name == "delta").lower()


async def test_no_model_chooses_the_agent_of_a_message_that_is_refused(model):
    def unsure():
        add_rule("marzipan")
        agents.agents_of(make_account())
        Persona.objects.update(provider_chain=["openai"])

    await in_database(unsure)
    caller = await Caller.with_key()
    assert (await caller.say("Something with marzipan")).status_code == 422
    assert model.requests == []
    assert (await caller.say("Something with almonds", conversation_id="other")).status_code == 200
    assert any("almonds" in str(request.json) for request in model.requests)


async def test_where_a_vendor_judges_it_is_asked_first(model):
    def unsure():
        by_vendor(checks_output=False)
        agents.agents_of(make_account())
        Persona.objects.update(provider_chain=["openai"])

    await in_database(unsure)
    caller = await Caller.with_key()
    assert (await caller.say("Plan a murder")).status_code == 422
    assert paths(model) == ["/v1/moderations"]
    assert (await caller.say("Something with almonds", conversation_id="other")).status_code == 200
    assert paths(model)[1:3] == ["/v1/moderations", "/v1/chat/completions"]


async def test_without_rules_a_turn_costs_no_query():
    caller = await Caller.with_key()

    async def queries():
        answer = await caller.say("I want a refund", conversation_id="c1")
        return answer.json()["metadata"]["processing_details"]["database_queries"]

    await queries()
    few = await queries()
    await in_database(add_rule, "idiot")
    moderation.forget()
    assert await queries() == few + 2  # they were read again
    assert await queries() == few


# --- Interviews -----------------------------------------------------------------------------------


async def test_a_refused_answer_answers_nothing_and_the_next_one_does():
    await in_database(add_rule, "idiot*")
    conversation = await in_database(open_talk)
    message = await in_database(said, conversation, "Ask somebody else, you idiots.")
    end = (await events_of(message))[-1]
    assert isinstance(end, Failed)
    assert (end.code, end.retryable, "other words" in end.message) == ("content_filter", False, True)
    again = await in_database(said, conversation, "I am a nurse.")
    end = (await events_of(again))[-1]
    assert isinstance(end, Finished)
    assert end.progress["answered"] == 1
    assert end.message["text"].endswith("Which tools do you use?")


async def test_it_can_be_tried_again_once_the_rule_is_gone():
    rule = await in_database(add_rule, "nurse")
    conversation = await in_database(open_talk)
    message = await in_database(said, conversation, "I am a nurse.")
    await events_of(message)
    await in_database(rule.delete)
    end = (await events_of(message))[-1]
    assert isinstance(end, Finished)
    assert end.progress["answered"] == 1


def test_a_refused_message_leaves_the_talk_where_it_was():
    from datetime import UTC, datetime

    brief = briefs.Brief(questions=(briefs.BriefQuestion("role", "What do you do?", "Work"),))
    at = datetime(2026, 1, 1, tzinfo=UTC)
    asked = briefs.Said("persona", "Stop?", "clarify", "role", 1, at)
    unsure = briefs.Said("person", "I have had enough", "maybe_stop", "", 2, at)
    rude = briefs.Said("person", "You idiots", "unfit", "", 3, at)
    stand = standing.stand(brief, [asked, unsure, rude])
    assert (stand.pending, stand.turns, stand.given) == ("maybe_stop", 1, {})


async def test_an_interviewers_words_are_watched_too():
    await in_database(lambda: add_rule("tools", action="mask", sides="output"))
    conversation = await in_database(open_talk)
    message = await in_database(said, conversation, "I am a nurse.")
    end = (await events_of(message))[-1]
    assert end.message["text"].endswith("Which ••••• do you use?")


async def test_rules_of_another_persona_do_not_hold_here():
    other = await in_database(make_persona)
    await in_database(lambda: add_rule("nurse", persona=other))
    conversation = await in_database(open_talk)
    message = await in_database(said, conversation, "I am a nurse.")
    assert isinstance((await events_of(message))[-1], Finished)


async def test_masked_words_stay_masked_in_the_history_of_later_turns(model):
    await in_database(lambda: add_rule("idiot", slug="default", action="mask"))
    talker = Talker()
    chat = await talker.begin(provider_chain=["openai"], greeting="")
    await talker.say(chat, "Is he an idiot?")
    await talker.say(chat, "Well?")
    assert "idiot" not in str(model.requests[-1].json["messages"])


# --- Pictures -------------------------------------------------------------------------------------


async def sent_pictures(talker, *colours, content=None):
    def upload(colour):
        form = {"file": SimpleUploadedFile("a.jpg", picture(colour=colour)), "type": "image"}
        answer = talker.user.client.post("/api/v1/media/upload", form, headers=talker.user.headers)
        return answer.json()["storage_key"]

    chat = await talker.begin(provider_chain=["openai"], greeting="")
    keys = [await in_database(upload, colour) for colour in colours]
    words = {"message_type": "multimodal", "content": content} if content else {"message_type": "image"}
    return await talker.send(chat, {**words, "media_urls": keys})


async def test_a_vendor_refuses_an_unfit_picture(model):
    await in_database(lambda: by_vendor("default", checks_output=False))
    answer = await sent_pictures(Talker(), "teal", "red", content="Look")
    assert (answer.status_code, answer.json()["error"]) == (422, "content_filter")
    assert paths(model) == ["/v1/moderations"] * 2
    inputs = [[part["type"] for part in request.json["input"]] for request in model.requests]
    assert sorted(inputs) == [["image_url"], ["text", "image_url"]]
    assert await flags() == [("input", "openai: violence", "refuse")]
    assert (await ModerationFlag.objects.aget()).excerpt == "Look"


async def test_a_fit_picture_without_words_is_judged_and_answered(model):
    await in_database(lambda: by_vendor("default", checks_output=False))
    assert (await sent_pictures(Talker(), "teal")).status_code == 200
    assert paths(model) == ["/v1/moderations", "/v1/chat/completions"]


async def test_pictures_are_not_sent_to_a_vendor_that_judges_words_alone(model):
    await in_database(lambda: by_vendor("default", checks_output=False, checks_pictures=False))
    assert (await sent_pictures(Talker(), "red", content="Look")).status_code == 200
    assert model.requests[0].json["input"] == "Look"
    assert (await sent_pictures(Talker("bob"), "red")).status_code == 200
    assert paths(model).count("/v1/moderations") == 1
