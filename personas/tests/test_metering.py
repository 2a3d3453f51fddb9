"""What a request's answer may say of the models it asked: calls, seconds and tokens, as they were."""

import pytest

from config.api import metadata
from config.api.metadata import RequestFacts
from personas import speaking
from personas.providers.base import ProviderError
from personas.providers.counting import counted, note_tokens
from personas.tests.talking import asking, reply_of
from tests.factories import make_persona
from tests.fakes.openai_server import Behaviour, Fault

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("openai_settings")]


@pytest.fixture
def tally():
    facts = RequestFacts("req_1")
    token = metadata._current.set(facts)
    yield facts.tally
    metadata._current.reset(token)


@pytest.fixture
def persona():
    return make_persona(provider_chain=["openai", "offline"])


async def spoken(persona):
    return await reply_of(speaking.speak(persona, asking("Why?"), account=persona.account))


async def test_a_call_is_counted_with_its_time_and_tokens(persona, server, tally):
    server.script(Behaviour(reply="Because.", first_token_seconds=0.05))
    _, done = await spoken(persona)
    assert tally.model_calls == 1
    assert 0.05 <= tally.model_seconds < 5
    assert tally.tokens == done.prompt_tokens + done.completion_tokens > 0


async def test_a_call_that_failed_was_a_call_too(persona, server, tally):
    server.script(Behaviour(fault=Fault.STATUS, status=500))
    assert (await spoken(persona))[1].provider == "offline"
    assert (tally.model_calls, tally.tokens) == (1, 0)


async def test_a_reply_that_breaks_off_is_one_call(persona, server, tally):
    server.script(Behaviour(reply="one two three", fault=Fault.ERROR_IN_STREAM, after_tokens=2))
    with pytest.raises(ProviderError):
        await spoken(persona)
    assert tally.model_calls == 1


async def test_speaking_without_a_model_asks_none(persona, tally):
    persona.provider_chain = ["offline"]
    await spoken(persona)
    assert (tally.model_calls, tally.tokens) == (0, 0)


async def test_sorting_a_text_is_a_call(persona, server, tally):
    server.script(Behaviour(reply="b"))
    assert await speaking.classify(persona, "Sort.", "text", ["a", "b"], account=persona.account) == "b"
    assert tally.model_calls == 1
    assert tally.tokens > 0


async def test_making_vectors_is_a_call(persona, server, tally):
    await speaking.embedder("openai", persona.account).embed("", ["bread"])
    assert tally.model_calls == 1
    assert tally.model_seconds > 0


@pytest.mark.parametrize(("told", "tokens"), [((), None), ((3, 4), 7), ((None, "x", -1), None), ((0,), 0)])
def test_tokens_told_by_a_vendor_are_added_up(told, tokens):
    with counted() as tally:
        for count in told:
            note_tokens(count)
    assert tally.tokens == tokens
    note_tokens(5)
    assert tally.tokens == tokens
