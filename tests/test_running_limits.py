"""Limits of a running server, asked in parallel from outside: requests of a caller, sizes of frames."""

import asyncio
import time

import aiohttp
import pytest

from tests.installation import Installation, furnish
from tests.seats import live, take_seats

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("installation")]

PER_MINUTE, PER_SECOND = 60, 20
PATH = "/api/v1/guides?limit=1"
HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    settings = {"RAPPORT_RATE_PER_MINUTE": str(PER_MINUTE), "RAPPORT_RATE_PER_SECOND": str(PER_SECOND)}
    installation = Installation(tmp_path_factory.mktemp("limits"), LOG_LEVEL="WARNING", **settings)
    furnish(installation.folder)
    try:
        yield installation.started()
        installation.stop()
    finally:
        installation.end()


def key_of(house):
    return house.run("manage.py", "apikey", "create", "limits", "--plain").split()[-1]


async def ask(session, house, key):
    headers = {"Authorization": f"Bearer {key}"}
    async with session.get(house.url + PATH, headers=headers) as answer:
        return answer.status, answer.headers, await answer.json()


async def asked_until_the_minute_is_full(house, key):
    """Waves of parallel requests, and what each was answered."""
    answers, started = [], time.monotonic()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        while time.monotonic() - started < 30:
            answers += await asyncio.gather(*(ask(session, house, key) for _ in range(50)))
            if any(body["error"]["details"]["limit_type"] == "per_minute" for body in refusals(answers)):
                break
            await asyncio.sleep(0.1)
    return answers, time.monotonic() - started


def refusals(answers):
    return [body for status, _, body in answers if status == 429]


async def test_of_many_requests_at_once_exactly_the_limit_passes(house):
    answers, took = await asked_until_the_minute_is_full(house, key_of(house))
    passed = [headers for status, headers, _ in answers if status == 200]
    assert len(passed) == PER_MINUTE
    assert len(passed) + len(refusals(answers)) == len(answers)
    # Every window of a second let no more than its share pass, so the minute took that many windows.
    assert took >= PER_MINUTE / PER_SECOND - 1
    assert {body["error"]["details"]["limit_type"] for body in refusals(answers)} == {
        "per_second",
        "per_minute",
    }
    remaining = sorted(int(headers["X-RateLimit-Remaining"]) for headers in passed)
    assert remaining == list(range(PER_MINUTE))


async def test_every_answer_has_the_documented_headers_and_a_refusal_the_documented_body(house):
    key = key_of(house)
    async with aiohttp.ClientSession() as session:
        status, headers, _ = await ask(session, house, key)
        assert status == 200
        assert headers["X-RateLimit-Limit"] == str(PER_MINUTE)
        assert 0 < int(headers["X-RateLimit-Reset"]) - time.time() <= 61
        answers = await asyncio.gather(*(ask(session, house, key) for _ in range(PER_SECOND * 2)))
    refused = [answer for answer in answers if answer[0] == 429]
    assert refused
    for _, headers, body in refused:
        assert all(name in headers for name in HEADERS)
        assert int(headers["Retry-After"]) >= 1
        assert (body["success"], body["error"]["code"]) == (False, "RATE_LIMITED")
        assert body["metadata"]["request_id"] == headers["X-Request-ID"]


async def test_an_unknown_path_is_a_404_in_the_envelope(house):
    async with aiohttp.ClientSession() as session, session.get(f"{house.url}/no/such/path") as answer:
        assert answer.status == 404
        assert (await answer.json())["error"]["code"] == "NOT_FOUND"


@pytest.mark.parametrize("kind", ["text", "binary"])
async def test_a_frame_over_64_kib_closes_its_socket_and_no_other(house, kind):
    (seat,) = take_seats(house, questions=1)
    big = "x" * (64 * 1024 + 1)
    async with aiohttp.ClientSession() as session, live(session, house, seat) as other:
        assert (await other.receive_json())["type"] == "hello"
        async with live(session, house, seat) as socket:
            await socket.receive_json()
            await (socket.send_str(big) if kind == "text" else socket.send_bytes(big.encode()))
            last = await socket.receive(timeout=10)
            assert last.type == aiohttp.WSMsgType.CLOSE
            assert socket.close_code == 1009
        await other.send_json({"type": "ping"})
        assert (await other.receive_json())["type"] == "pong"


async def test_a_frame_of_64_kib_is_read(house):
    (seat,) = take_seats(house, questions=1)
    frame = '{"type": "ping", "pad": "%s"}'
    async with aiohttp.ClientSession() as session, live(session, house, seat) as socket:
        await socket.receive_json()
        await socket.send_str(frame % ("x" * (64 * 1024 - len(frame) + 2)))
        assert (await socket.receive_json(timeout=10))["type"] == "pong"
