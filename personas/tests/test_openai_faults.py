"""Every way in which a vendor is known to fail, over a real socket and the real SDK."""

import asyncio
import logging
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from personas.providers.base import Delta, ProviderError
from personas.providers.registry import provider
from personas.tests.talking import asking, reply_of
from tests.fakes.openai_server import Behaviour, Fault, refused_base_url

pytestmark = pytest.mark.usefixtures("openai_settings")

WORDS = "one two three four five six"


async def failure_of(stream):
    """What was said, and the error."""
    said = []
    with pytest.raises(ProviderError) as caught:  # noqa: PT012 what came before the error matters too
        async for part in stream:
            assert isinstance(part, Delta), "a failed reply has no end"
            said.append(part.text)
    return "".join(said), caught.value


async def failing(server, behaviour):
    server.script(behaviour)
    return await failure_of(provider("openai").stream(asking()))


STATUSES = [
    (400, None, "invalid_request", False),
    (400, "content_filter", "content_filter", True),
    (401, "invalid_api_key", "authentication", False),
    (402, None, "budget", False),
    (403, None, "authentication", False),
    (404, "model_not_found", "invalid_request", False),
    (408, None, "timeout", True),
    (422, None, "invalid_request", False),
    (429, None, "rate_limited", True),
    (429, "insufficient_quota", "budget", False),
    (500, None, "unavailable", True),
    (502, None, "unavailable", True),
    (503, None, "unavailable", True),
    (529, None, "unavailable", True),
]


@pytest.mark.parametrize(("status", "error_code", "code", "retryable"), STATUSES)
async def test_an_http_error_becomes_one_of_ours(server, status, error_code, code, retryable):
    said, error = await failing(server, Behaviour(fault=Fault.STATUS, status=status, error_code=error_code))
    assert (said, error.code, error.retryable, error.provider) == ("", code, retryable, "openai")


BEFORE_THE_FIRST_WORD = [
    (Fault.SILENCE, "timeout"),
    (Fault.DISCONNECT, "unavailable"),
    (Fault.NOT_HTTP, "bad_response"),
    (Fault.HTML, "bad_response"),
]


@pytest.mark.parametrize(("fault", "code"), BEFORE_THE_FIRST_WORD)
async def test_an_answer_that_never_begins(server, fault, code):
    said, error = await failing(server, Behaviour(fault=fault))
    assert (said, error.code, error.retryable) == ("", code, True)


INSIDE_THE_STREAM = [
    (Fault.STALL, "timeout"),
    (Fault.PINGS, "timeout"),
    (Fault.ERROR_IN_STREAM, "unavailable"),
    (Fault.TRUNCATED, "truncated"),
    (Fault.RESET, "truncated"),
    (Fault.NO_FINISH, "truncated"),
    (Fault.INVALID_JSON, "bad_response"),
    (Fault.INVALID_UTF8, "bad_response"),
    (Fault.DEEP_JSON, "bad_response"),
    (Fault.WRONG_SHAPE, "bad_response"),
    (Fault.CONTENT_FILTER, "content_filter"),
    (Fault.REFUSAL, "content_filter"),
]


@pytest.mark.parametrize(("fault", "code"), INSIDE_THE_STREAM)
async def test_a_reply_that_breaks_in_the_middle(server, fault, code):
    said, error = await failing(server, Behaviour(reply=WORDS, fault=fault, after_tokens=3))
    assert (said, error.code, error.retryable) == ("one two three", code, True)


@pytest.mark.parametrize(("fault", "code"), INSIDE_THE_STREAM)
async def test_the_same_before_the_first_word(server, fault, code):
    said, error = await failing(server, Behaviour(reply=WORDS, fault=fault, after_tokens=0))
    assert (said, error.code) == ("", code)


async def test_an_empty_reply_is_an_error(server):
    said, error = await failing(server, Behaviour(fault=Fault.EMPTY, after_tokens=0))
    assert (said, error.code, error.retryable) == ("", "empty", True)


async def test_a_reply_of_blanks_is_empty(server):
    said, error = await failing(server, Behaviour(reply="  \n \n"))
    assert (said, error.code) == ("", "empty")


async def test_a_tool_call_is_no_reply(server):
    _, error = await failing(server, Behaviour(reply="", finish="tool_calls"))
    assert error.code == "bad_response"


async def test_a_refused_connection(openai_settings):
    with refused_base_url() as url:
        openai_settings.PROVIDERS["openai"]["BASE_URL"] = url
        said, error = await failure_of(provider("openai").stream(asking()))
    assert (said, error.code, error.retryable) == ("", "refused_connection", True)


async def test_a_host_that_does_not_exist(openai_settings):
    openai_settings.PROVIDERS["openai"]["BASE_URL"] = "http://no-such-host.invalid/v1"
    _, error = await failure_of(provider("openai").stream(asking()))
    assert error.retryable
    assert error.code in ("refused_connection", "timeout")


@pytest.mark.parametrize("address", ["http://a:99999999/v1", "http://[::1/v1"])
async def test_an_address_that_makes_no_sense(openai_settings, address):
    openai_settings.PROVIDERS["openai"]["BASE_URL"] = address
    _, error = await failure_of(provider("openai").stream(asking()))
    assert (error.code, error.retryable) == ("invalid_request", False)


async def test_it_says_how_long_to_wait(server):
    _, error = await failing(server, Behaviour(fault=Fault.STATUS, status=429, retry_after="7"))
    assert error.retry_after_seconds == 7


async def test_a_date_to_wait_for_is_understood(server):
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    _, error = await failing(server, Behaviour(fault=Fault.STATUS, status=429, retry_after=date))
    assert 25 < error.retry_after_seconds <= 30


@pytest.mark.parametrize("value", [None, "soon", "-5"])
async def test_no_wait_or_a_senseless_one_is_none(server, value):
    _, error = await failing(server, Behaviour(fault=Fault.STATUS, status=429, retry_after=value))
    assert error.retry_after_seconds is None


async def test_silence_ends_after_the_read_limit(server):
    begun = time.monotonic()
    await failing(server, Behaviour(fault=Fault.SILENCE))
    assert 0.7 < time.monotonic() - begun < 8


async def test_a_stream_that_trickles_ends_at_the_total_limit(server, openai_settings):
    openai_settings.PROVIDERS["openai"]["TOTAL_TIMEOUT"] = 0.6
    said, error = await failing(server, Behaviour(reply="word " * 100, tokens_per_second=10))
    assert error.code == "timeout"
    assert 1 <= len(said.split()) <= 8


async def test_it_is_asked_once_and_not_again(server):
    await failing(server, Behaviour(fault=Fault.STATUS, status=500))
    assert len(server.requests) == 1


@pytest.mark.parametrize("fault", [Fault.STATUS, Fault.ERROR_IN_STREAM])
async def test_no_word_of_the_vendor_and_no_key_is_in_the_error_or_the_log(server, fault, caplog):
    caplog.set_level(logging.INFO)
    _, error = await failing(server, Behaviour(fault=fault, status=401))
    shown = f"{error} {error!r} {error.__cause__} {caplog.text}"
    assert "sk-" not in shown
    assert "openai failed" in caplog.text


@pytest.mark.parametrize("leaving", ["closes", "is cancelled"])
async def test_when_the_reader_leaves_the_stream_is_closed(server, leaving):
    server.script(Behaviour(reply="word " * 500, tokens_per_second=20))
    stream = provider("openai").stream(asking())
    await anext(stream)
    if leaving == "closes":
        await stream.aclose()
    else:
        reading = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    assert await asyncio.to_thread(server.wait_until, lambda: server.requests[0].aborted)


async def test_a_connection_serves_the_next_reply(server):
    for _ in range(3):
        await reply_of(provider("openai").stream(asking()))
    assert server.connections == 1
