"""Every way in which Lyzr may fail, over a real socket and the real client."""

import asyncio
import logging
import time

import pytest

from personas.providers.base import Act, Delta, Prompt, Turn, TurnPlan
from personas.providers.registry import provider
from personas.tests.test_openai_faults import failure_of
from tests.fakes.lyzr_server import SECRET, Behaviour, Fault
from tests.fakes.openai_server import refused_base_url

pytestmark = pytest.mark.usefixtures("lyzr_settings")

WORDS = "one two three four five six"


def talking():
    return Prompt("", [Turn("user", "Hi")], TurnPlan(Act.ANSWER), session="talk-7")


async def failing(lyzr, behaviour):
    lyzr.script(behaviour)
    return await failure_of(provider("lyzr").stream(talking()))


STATUSES = [
    (307, "bad_response", True),
    (400, "invalid_request", False),
    (401, "authentication", False),
    (403, "authentication", False),
    (404, "invalid_request", False),
    (422, "invalid_request", False),
    (429, "rate_limited", True),
    (500, "unavailable", True),
    (503, "unavailable", True),
]


@pytest.mark.parametrize(("status", "code", "retryable"), STATUSES)
async def test_an_http_error_becomes_one_of_ours(lyzr, status, code, retryable):
    said, error = await failing(lyzr, Behaviour(fault=Fault.STATUS, status=status))
    assert (said, error.code, error.retryable, error.provider) == ("", code, retryable, "lyzr")


async def test_it_says_how_long_to_wait(lyzr):
    _, error = await failing(lyzr, Behaviour(fault=Fault.STATUS, status=429, retry_after="7"))
    assert error.retry_after_seconds == 7


BEFORE_THE_FIRST_WORD = [
    (Fault.SILENCE, "timeout"),
    (Fault.DISCONNECT, "unavailable"),
    (Fault.NOT_HTTP, "bad_response"),
    (Fault.HTML, "bad_response"),
    (Fault.WRONG_SHAPE, "bad_response"),
    (Fault.REDIRECT, "bad_response"),
]


@pytest.mark.parametrize("streams", [True, False])
@pytest.mark.parametrize(("fault", "code"), BEFORE_THE_FIRST_WORD)
async def test_an_answer_that_never_begins(lyzr, lyzr_settings, fault, code, streams):
    lyzr_settings.PROVIDERS["lyzr"]["STREAM"] = streams
    said, error = await failing(lyzr, Behaviour(fault=fault))
    assert (said, error.code, error.retryable) == ("", code, True)


INSIDE_THE_STREAM = [
    (Fault.STALL, "timeout"),
    (Fault.PINGS, "timeout"),
    (Fault.ERROR_IN_STREAM, "unavailable"),
    (Fault.ERROR_OBJECT, "unavailable"),
    (Fault.TRUNCATED, "truncated"),
    (Fault.RESET, "truncated"),
    (Fault.NO_DONE, "truncated"),
    (Fault.INVALID_UTF8, "bad_response"),
    (Fault.ENDLESS_LINE, "bad_response"),
]


@pytest.mark.parametrize(("fault", "code"), INSIDE_THE_STREAM)
async def test_a_reply_that_breaks_in_the_middle(lyzr, fault, code):
    said, error = await failing(lyzr, Behaviour(reply=WORDS, fault=fault))
    assert (said, error.code, error.retryable) == ("one two three", code, True)


@pytest.mark.parametrize("reply", ["", "  \n "])
async def test_an_empty_reply_is_an_error(lyzr, reply):
    said, error = await failing(lyzr, Behaviour(reply=reply))
    assert (said, error.code, error.retryable) == ("", "empty", True)


async def test_a_reply_that_does_not_end_is_cut_off(lyzr, monkeypatch):
    monkeypatch.setattr("personas.providers.lyzr.LONGEST_REPLY", 50)
    _, error = await failing(lyzr, Behaviour(reply="word " * 100))
    assert error.code == "bad_response"


async def test_without_an_agent_nothing_is_asked(lyzr, lyzr_settings):
    lyzr_settings.PROVIDERS["lyzr"]["MODEL"] = ""
    _, error = await failing(lyzr, Behaviour())
    assert (error.code, error.retryable) == ("invalid_request", False)
    assert "LYZR_AGENT_ID" in error.message
    assert lyzr.requests == []


async def test_a_refused_connection(lyzr_settings):
    with refused_base_url() as url:
        lyzr_settings.PROVIDERS["lyzr"]["BASE_URL"] = url
        said, error = await failure_of(provider("lyzr").stream(talking()))
    assert (said, error.code, error.retryable) == ("", "refused_connection", True)


@pytest.mark.parametrize("address", ["http://a:99999999", "http://[::1", "http://"])
async def test_an_address_that_makes_no_sense(lyzr_settings, address):
    lyzr_settings.PROVIDERS["lyzr"]["BASE_URL"] = address
    _, error = await failure_of(provider("lyzr").stream(talking()))
    assert (error.code, error.retryable) == ("invalid_request", False)


async def test_a_stream_that_trickles_ends_at_the_total_limit(lyzr, lyzr_settings):
    lyzr_settings.PROVIDERS["lyzr"]["TOTAL_TIMEOUT"] = 0.6
    begun = time.monotonic()
    said, error = await failing(lyzr, Behaviour(reply="word " * 100, tokens_per_second=10))
    assert error.code == "timeout"
    assert 1 <= len(said.split()) <= 8
    assert time.monotonic() - begun < 5


FAULTS_WITH_TEXT = [
    Behaviour(fault=Fault.STATUS, status=500),
    Behaviour(fault=Fault.STATUS, status=401),
    Behaviour(fault=Fault.ERROR_IN_STREAM),
    Behaviour(fault=Fault.ERROR_OBJECT),
]


@pytest.mark.parametrize("behaviour", FAULTS_WITH_TEXT)
async def test_no_word_of_the_vendor_and_no_key_is_in_the_error_or_the_log(lyzr, behaviour, caplog):
    caplog.set_level(logging.DEBUG)
    _, error = await failing(lyzr, behaviour)
    shown = f"{error} {error!r} {error.__cause__} {caplog.text}"
    assert SECRET not in shown
    assert "sk-" not in shown


async def test_when_the_reader_leaves_the_stream_is_closed(lyzr):
    lyzr.script(Behaviour(reply="word " * 500, tokens_per_second=20))
    stream = provider("lyzr").stream(talking())
    assert isinstance(await anext(stream), Delta)
    await stream.aclose()
    assert await asyncio.to_thread(lyzr.wait_until, lambda: lyzr.requests[0].aborted)


async def test_a_reader_who_is_cancelled_closes_it_too(lyzr):
    lyzr.script(Behaviour(reply="word", fault=Fault.STALL))
    reading = asyncio.ensure_future(failure_of(provider("lyzr").stream(talking())))
    assert await asyncio.to_thread(lyzr.wait_until, lambda: bool(lyzr.requests))
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    assert await asyncio.to_thread(lyzr.wait_until, lambda: lyzr.requests[0].aborted)
