"""Every way in which Gemini is known to fail, over a real socket and the real SDK."""

import asyncio
import logging

import pytest

from personas.providers.base import Audio, Delta, ProviderError
from personas.providers.registry import provider
from personas.tests.talking import asking, reply_of
from tests.fakes.gemini_server import Behaviour, Fault
from tests.fakes.openai_server import refused_base_url

pytestmark = pytest.mark.usefixtures("gemini_settings")

WORDS = "one two three four five six"


async def failure_of(stream):
    """What was said, and the error."""
    said = []
    with pytest.raises(ProviderError) as caught:  # noqa: PT012 what came before the error matters too
        async for part in stream:
            assert isinstance(part, Delta), "a failed reply has no end"
            said.append(part.text)
    return "".join(said), caught.value


async def failing(gemini, behaviour):
    gemini.script(behaviour)
    return await failure_of(provider("gemini").stream(asking()))


STATUSES = [
    (400, "", "invalid_request", False),
    (400, "API_KEY_INVALID", "authentication", False),
    (401, "", "authentication", False),
    (403, "", "authentication", False),
    (404, "", "invalid_request", False),
    (429, "", "rate_limited", True),
    (500, "", "unavailable", True),
    (503, "", "unavailable", True),
    (504, "", "unavailable", True),
]


@pytest.mark.parametrize(("status", "reason", "code", "retryable"), STATUSES)
async def test_an_http_error_becomes_one_of_ours(gemini, status, reason, code, retryable):
    said, error = await failing(gemini, Behaviour(fault=Fault.STATUS, status=status, reason=reason))
    assert (said, error.code, error.retryable, error.provider) == ("", code, retryable, "gemini")
    assert len(gemini.requests) == 1, "it is asked once and not again"


BEFORE_THE_FIRST_WORD = [
    (Fault.SILENCE, "timeout"),
    (Fault.DISCONNECT, "unavailable"),
    (Fault.NOT_HTTP, "bad_response"),
    (Fault.HTML, "bad_response"),
    (Fault.REDIRECT, "bad_response"),
]


@pytest.mark.parametrize(("fault", "code"), BEFORE_THE_FIRST_WORD)
async def test_an_answer_that_never_begins(gemini, fault, code):
    said, error = await failing(gemini, Behaviour(fault=fault))
    assert (said, error.code, error.retryable) == ("", code, True)
    assert len(gemini.requests) == 1, "no key goes anywhere else"


INSIDE_THE_STREAM = [
    (Fault.STALL, "timeout"),
    (Fault.PINGS, "timeout"),
    (Fault.ERROR_IN_STREAM, "unavailable"),
    (Fault.TRUNCATED, "truncated"),
    (Fault.RESET, "truncated"),
    (Fault.NO_FINISH, "truncated"),
    (Fault.UNFINISHED, "truncated"),
    (Fault.INVALID_JSON, "bad_response"),
    (Fault.INVALID_UTF8, "bad_response"),
    (Fault.DEEP_JSON, "bad_response"),
    (Fault.WRONG_SHAPE, "bad_response"),
    (Fault.MALFORMED, "bad_response"),
    (Fault.SAFETY, "content_filter"),
    (Fault.BLOCKED_PROMPT, "content_filter"),
]


@pytest.mark.parametrize(("fault", "code"), INSIDE_THE_STREAM)
async def test_a_reply_that_breaks_in_the_middle(gemini, fault, code):
    said, error = await failing(gemini, Behaviour(reply=WORDS, fault=fault, after_tokens=3))
    assert (said, error.code, error.retryable) == ("one two three", code, True)


NOTHING_AT_ALL = {Fault.NO_FINISH, Fault.INVALID_UTF8, Fault.TRUNCATED, Fault.UNFINISHED}


SAID_NOTHING = [one for one in INSIDE_THE_STREAM if one[0] not in NOTHING_AT_ALL]


@pytest.mark.parametrize(("fault", "code"), SAID_NOTHING)
async def test_the_same_before_the_first_word(gemini, fault, code):
    said, error = await failing(gemini, Behaviour(reply=WORDS, fault=fault, after_tokens=0))
    assert said == ""
    assert error.code in (code, "unavailable") if fault == Fault.RESET else error.code == code


async def test_an_empty_reply_is_an_error(gemini):
    said, error = await failing(gemini, Behaviour(fault=Fault.EMPTY, after_tokens=0))
    assert (said, error.code, error.retryable) == ("", "empty", True)


async def test_an_empty_array_is_no_reply(gemini):
    _, error = await failing(gemini, Behaviour(fault=Fault.NO_FINISH, after_tokens=0))
    assert error.code == "bad_response"


async def test_a_refused_connection(gemini_settings):
    with refused_base_url() as url:
        gemini_settings.PROVIDERS["gemini"]["BASE_URL"] = url.removesuffix("/v1")
        said, error = await failure_of(provider("gemini").stream(asking()))
    assert (said, error.code, error.retryable) == ("", "refused_connection", True)


@pytest.mark.parametrize("address", ["http://a:99999999", "http://[::1"])
async def test_an_address_that_makes_no_sense(gemini_settings, address):
    gemini_settings.PROVIDERS["gemini"]["BASE_URL"] = address
    _, error = await failure_of(provider("gemini").stream(asking()))
    assert (error.code, error.retryable) == ("invalid_request", False)


@pytest.mark.parametrize(
    ("wait", "seconds"),
    [({"retry_after": "7"}, 7), ({"retry_delay": "34s"}, 34), ({"retry_delay": "1.5s"}, 1), ({}, None)],
)
async def test_it_says_how_long_to_wait(gemini, wait, seconds):
    _, error = await failing(gemini, Behaviour(fault=Fault.STATUS, status=429, **wait))
    assert error.retry_after_seconds == seconds


async def test_a_stream_that_trickles_ends_at_the_total_limit(gemini, gemini_settings):
    gemini_settings.PROVIDERS["gemini"]["TOTAL_TIMEOUT"] = 0.6
    gemini_settings.PROVIDERS["gemini"]["READ_TIMEOUT"] = 0.5
    said, error = await failing(gemini, Behaviour(reply="word " * 100, tokens_per_second=10))
    assert error.code == "timeout"
    assert len(said.split()) < 100


@pytest.mark.parametrize("fault", [Fault.STATUS, Fault.ERROR_IN_STREAM])
async def test_no_word_of_the_vendor_and_no_key_is_in_the_error_or_the_log(gemini, fault, caplog):
    caplog.set_level(logging.INFO)
    _, error = await failing(gemini, Behaviour(fault=fault, status=401))
    assert "key-secret" not in f"{error} {error!r} {error.__cause__} {caplog.text}"


@pytest.mark.parametrize("leaving", ["closes", "is cancelled"])
async def test_when_the_reader_leaves_the_stream_is_closed(gemini, leaving):
    gemini.script(Behaviour(reply="word " * 500, tokens_per_second=20))
    stream = provider("gemini").stream(asking())
    await anext(stream)
    if leaving == "closes":
        await stream.aclose()
    else:
        reading = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    assert await asyncio.to_thread(gemini.wait_until, lambda: gemini.requests[0].aborted)


async def test_who_leaves_before_the_answer_begins_frees_the_thread(gemini, gemini_settings):
    gemini_settings.PROVIDERS["gemini"]["READ_TIMEOUT"] = 300
    gemini.script(Behaviour(fault=Fault.SILENCE))
    reading = asyncio.ensure_future(reply_of(provider("gemini").stream(asking())))
    assert await asyncio.to_thread(gemini.wait_until, lambda: len(gemini.requests) == 1)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    assert await asyncio.to_thread(gemini.wait_until, lambda: gemini.requests[0].aborted)
    assert (await reply_of(provider("gemini").stream(asking("Again?"))))[0] == "Again?"


async def test_a_recording_that_is_refused_is_not_silence(gemini):
    gemini.script(Behaviour(fault=Fault.BLOCKED_PROMPT, after_tokens=0))
    with pytest.raises(ProviderError) as caught:
        await provider("gemini").transcribe(Audio(b"ID3", "audio/mpeg"))
    assert caught.value.code == "content_filter"
