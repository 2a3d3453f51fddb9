"""Which agent a message is for: whole words, with a reason, and no flapping within a talk."""

import pytest

from personas.agents import GENERAL, SALES, SUPPORT, TECHNICAL
from personas.routing import Choice, asks_a_model, by_model, by_rules
from tests.factories import make_account, make_persona
from tests.fakes.openai_server import Behaviour, OpenAIServer

UTTERANCES = [
    ("How much does the team plan cost?", SALES),
    ("What is the price of model X-200?", SALES),
    ("Do you have a discount for schools?", SALES),
    ("Can I get a demo next week?", SALES),
    ("I want to buy twenty seats", SALES),
    ("Is there a free trial?", SALES),
    ("What are the key features of our CRM system?", SALES),
    ("What features does the product have?", SALES),
    ("How do you compare with your competitors?", SALES),
    ("Please send me a quote for 50 licences.", SALES),
    ("Which plans do you have?", SALES),
    ("We would like to upgrade to the yearly plan", SALES),
    ("what's your pricing", SALES),
    ("I'd like to talk to your sales team", SALES),
    ("Hello, is it expensive?", SALES),
    ("I want a refund", SUPPORT),
    ("I was charged twice this month", SUPPORT),
    ("Where is my invoice?", SUPPORT),
    ("I forgot my password", SUPPORT),
    ("I am locked out", SUPPORT),
    ("How do I cancel?", SUPPORT),
    ("My order has not arrived", SUPPORT),
    ("The screen arrived damaged", SUPPORT),
    ("It stopped working yesterday", SUPPORT),
    ("It doesn't work", SUPPORT),
    ("It doesn’t work at all", SUPPORT),
    ("I have a complaint about the service", SUPPORT),
    ("I'd like to speak to a human", SUPPORT),
    ("What is the warranty of model X-200?", SUPPORT),
    ("Please delete my data", SUPPORT),
    ("Hi, I cannot log in", SUPPORT),
    ("I never got my tracking number", SUPPORT),
    ("This is so frustrating, I give up", SUPPORT),
    ("Is there an API?", TECHNICAL),
    ("Which webhooks do you send?", TECHNICAL),
    ("How do I install it with Docker?", TECHNICAL),
    ("The endpoint answers with error code 422", TECHNICAL),
    ("I get a stack trace on start", TECHNICAL),
    ("Does it integrate with Salesforce?", TECHNICAL),
    ("How do I configure SAML?", TECHNICAL),
    ("Which database does it need?", TECHNICAL),
    ("What are the rate limits?", TECHNICAL),
    ("Where are the log files?", TECHNICAL),
    ("Can I export to JSON from the command line?", TECHNICAL),
    ("How do I migrate from version 1?", TECHNICAL),
    ("Is the firmware encrypted?", TECHNICAL),
    ("Do you have a Python SDK?", TECHNICAL),
    ("The app crashes when it starts", TECHNICAL),
    ("curl says the SSL certificate is wrong", TECHNICAL),
    ("Hello", GENERAL),
    ("Good morning!", GENERAL),
    ("Thanks a lot", GENERAL),
    ("Who are you?", GENERAL),
    ("Hello, how can you help me?", GENERAL),
    ("What can you do?", GENERAL),
    ("Are you a robot?", GENERAL),
    ("When are your opening hours?", GENERAL),
    ("Was kostet das?", SALES),
    ("Ich möchte eine Rückerstattung", SUPPORT),
    ("Wie installiere ich das?", TECHNICAL),
    ("Guten Tag", GENERAL),
    # words inside other words point nowhere
    ("My parents live in a different city", GENERAL),
    ("The capital of the island", GENERAL),
    ("She is a therapist", GENERAL),
    ("Tell me something about the weather", GENERAL),
]


@pytest.mark.parametrize(("text", "agent"), UTTERANCES)
def test_a_message_goes_to_its_agent(text, agent):
    assert by_rules(text).agent == agent


@pytest.mark.parametrize(
    "text", ["hiccup", "apiary", "preprice", "currently", "shipwreck", "codec", "costume"]
)
def test_a_word_inside_another_points_nowhere(text):
    choice = by_rules(text)
    assert (choice.agent, choice.is_sure) == (GENERAL, False)


def test_the_reason_names_the_words_that_decided():
    choice = by_rules("Hello, I want a refund and my money back")
    assert choice.reason == "The message says “refund”, “money back”."
    assert choice.to_json() == {
        "agent": SUPPORT, "reason": choice.reason, "by": "rules", "score": choice.score,
    }  # fmt: skip


@pytest.mark.parametrize("text", ["And in blue?", "Why?", "Thanks, and what about Sunday?", "the second one"])
def test_a_talk_stays_with_its_agent_when_nothing_points_elsewhere(text):
    choice = by_rules(text, current=SALES)
    assert (choice.agent, choice.is_sure) == (SALES, True)


def test_a_clear_message_changes_the_agent_of_a_talk():
    assert by_rules("I want a refund", current=SALES).agent == SUPPORT


def test_words_for_two_agents_leave_the_talk_with_the_one_it_has():
    text = "What is the price of the integration?"
    assert by_rules(text).is_sure is False
    for current in (SALES, TECHNICAL):
        assert by_rules(text, current=current).agent == current


@pytest.mark.parametrize("text", ["", " ", "?!", "\x00", "😀" * 4000, "a" * 4000, "price " * 700])
def test_any_text_gets_an_agent(text):
    assert by_rules(text).agent in (GENERAL, SALES)


def test_what_comes_late_in_a_long_message_does_not_decide():
    assert by_rules("word " * 500 + "refund").agent == GENERAL


# --- a model, where there is one --------------------------------------------------------------

UNSURE = Choice(GENERAL, 0.3, "No word points to an agent.", is_sure=False)


@pytest.fixture
def server(settings):
    with OpenAIServer() as running:
        entry = {**settings.PROVIDERS["openai"], "API_KEY": "sk-test", "BASE_URL": running.base_url}
        settings.PROVIDERS = {**settings.PROVIDERS, "openai": entry}
        yield running


async def chosen(server):
    from config.api.threads import in_database

    account = await in_database(make_account)
    persona = await in_database(make_persona, account, provider_chain=["openai"])
    return await by_model("My kettle sings.", UNSURE, account=account, persona=persona)


@pytest.mark.django_db(transaction=True)
async def test_a_model_decides_where_the_rules_are_unsure(server):
    server.behaviour = Behaviour(reply="support")
    choice = await chosen(server)
    assert (choice.agent, choice.by) == (SUPPORT, "model")
    asked = server.requests[-1].json["messages"]
    assert any("My kettle sings." in message["content"] for message in asked)


@pytest.mark.django_db(transaction=True)
async def test_a_model_that_names_no_agent_changes_nothing(server):
    server.behaviour = Behaviour(reply="none of them")
    assert await chosen(server) is UNSURE


@pytest.mark.django_db(transaction=True)
async def test_a_slow_model_is_not_waited_for(server, monkeypatch):
    monkeypatch.setattr("personas.routing.MODEL_SECONDS", 0.2)
    server.behaviour = Behaviour(reply="support", first_token_seconds=3)
    assert await chosen(server) is UNSURE


@pytest.mark.django_db
def test_no_model_is_asked_when_the_rules_are_sure_or_there_is_none(server):
    offline = make_persona()
    with_model = make_persona(provider_chain=["openai"])
    assert not asks_a_model(UNSURE, offline)
    assert asks_a_model(UNSURE, with_model)
    assert not asks_a_model(by_rules("I want a refund"), with_model)
