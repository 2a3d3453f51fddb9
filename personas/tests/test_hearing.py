"""Speech is written down by the first of a persona's chain that can hear."""

import asyncio

import pytest

from personas.hearing import transcribe
from personas.models import Usage
from personas.providers.base import Audio, ProviderError
from tests.factories import make_account, make_persona
from tests.fakes import gemini_server, openai_server

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("openai_settings", "gemini_settings", "lyzr_settings"),
]
CHAINS = [
    ("openai",),
    ("gemini",),
    ("lyzr", "gemini"),
    ("gemini", "openai"),
    ("offline",),
    ("lyzr", "offline"),
]
NOTE = Audio(b"ID3 sound", "audio/mpeg")


@pytest.fixture
def account():
    return make_account()


@pytest.fixture
def hear(account):
    """Has a persona with this chain listen."""
    made = {chain: make_persona(account, provider_chain=list(chain)) for chain in CHAINS}

    async def listen(*chain):
        return await transcribe(made[chain], NOTE, account=account)

    return listen


async def test_whoever_comes_first_and_can_hear_is_asked(hear, server, gemini):
    assert (await hear("lyzr", "gemini")).text == gemini.transcription
    assert (await hear("openai")).text == server.transcription
    assert len(server.requests) == len(gemini.requests) == 1


async def test_another_takes_over_when_one_fails(hear, server, gemini):
    gemini.script(gemini_server.Behaviour(fault=gemini_server.Fault.STATUS))
    assert (await hear("gemini", "openai")).text == server.transcription


@pytest.mark.parametrize("chain", [("offline",), ("lyzr", "offline")])
async def test_where_nobody_can_hear_that_is_said(hear, chain):
    with pytest.raises(ProviderError) as caught:
        await hear(*chain)
    assert (caught.value.code, caught.value.retryable) == ("unsupported", False)


async def test_a_server_that_cannot_hear_is_not_asked(hear, server, openai_settings):
    openai_settings.PROVIDERS["openai"]["TRANSCRIPTION_MODEL"] = ""
    with pytest.raises(ProviderError) as caught:
        await hear("openai")
    assert caught.value.code == "unsupported"
    assert server.requests == []


async def test_the_last_failure_is_told(hear, server, gemini):
    gemini.script(gemini_server.Behaviour(fault=gemini_server.Fault.STATUS, status=429))
    server.script(openai_server.Behaviour(fault=openai_server.Fault.STATUS, status=503))
    with pytest.raises(ProviderError) as caught:
        await hear("gemini", "openai")
    assert caught.value.code == "unavailable"


async def test_what_it_took_is_counted_with_the_persona(hear, gemini):
    await hear("gemini")
    while (row := await Usage.objects.afirst()) is None:  # noqa: ASYNC110 it is written soon after
        await asyncio.sleep(0.05)
    assert (row.provider, row.model, row.calls) == ("gemini", "gemini-fake", 1)
    assert row.prompt_tokens > 0
