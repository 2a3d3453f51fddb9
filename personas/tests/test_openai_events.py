"""The events of a stream are the same however its bytes arrive."""

import httpx2
import openai
import pytest

from personas.providers import openai_events
from personas.providers.openai_events import Events

STREAM = (
    b': a comment\r\ndata: {"n": 1, "text": "gr\xc3\xbc\xc3\x9f"}\r\n\r\n'
    b'event: other\ndata:{"n":\ndata: 2}\n\n'
    b'retry: 5\rdata: {"n": 3}\r\r'
    b'data: [DONE]\n\ndata: {"n": 4}\n\n'
)
EVENTS = [{"n": 1, "text": "grüß"}, {"n": 2}, {"n": 3}]


class Stream:
    """What the SDK gives: its response, whose bytes come in these pieces."""

    def __init__(self, *pieces):
        self.response = self
        self.pieces, self.closed = list(pieces), False
        self.request = httpx2.Request("POST", "http://local/v1")

    async def aiter_bytes(self):
        while self.pieces:
            yield self.pieces.pop(0)

    async def aclose(self):
        self.closed = True


async def read(*pieces):
    events, found = Events(Stream(*pieces)), []
    while (event := await events.next()) is not None:
        found.append(event)
    return found


@pytest.mark.parametrize("size", [1, 2, 3, 7, 16, 1000])
async def test_any_cut_gives_the_same_events(size):
    assert await read(*(STREAM[at : at + size] for at in range(0, len(STREAM), size))) == EVENTS


async def test_a_line_feed_in_the_next_piece_belongs_to_the_line_before():
    assert await read(b'data: {"n":\r', b"\ndata: 1}\r", b"\n\r", b"\n") == [{"n": 1}]


async def test_nothing_is_read_after_the_end_but_the_connection_is_emptied():
    stream = Stream(b"data: [DONE]\n\n", b"", b'data: {"n": 1}\n\n')
    events = Events(stream)
    assert await events.next() is None
    assert await events.next() is None
    assert stream.pieces == []
    await events.close()
    assert stream.closed


async def test_an_event_that_is_not_over_when_the_stream_ends_is_none():
    assert await read(b'data: {"n": 1}\n\ndata: {"n": 2}\n') == [{"n": 1}]


async def test_what_has_come_is_at_hand_without_waiting():
    events = Events(Stream(b'data: {"n": 1}\n\ndata: {"n": 2}\n\n'))
    assert events.at_hand() is None
    assert await events.next() == {"n": 1}
    assert events.at_hand() == {"n": 2}
    assert events.at_hand() is None


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        (b'{"error": {"message": "Busy", "code": "rate_limit_exceeded"}}', "rate_limit_exceeded", "Busy"),
        (b'{"error": "went wrong"}', None, openai_events.WORDLESS_ERROR),
    ],
)
async def test_an_error_inside_the_stream_is_raised(body, code, words):
    with pytest.raises(openai.APIError, match=words) as raised:
        await read(b"data: " + body + b"\n\n")
    assert raised.value.code == code


@pytest.mark.parametrize("broken", [b"data: {\n\n", b'data: {"n": "\xff"}\n\n', b"data: " + b"[" * 100_000])
async def test_what_cannot_be_read_is_an_error(broken):
    with pytest.raises((ValueError, RecursionError)):
        await read(broken + b"\n\n")


@pytest.mark.parametrize("broken", [b"{", b'{"n": "\xff"}'])
async def test_what_came_before_a_broken_event_is_read(broken):
    events = Events(Stream(b'data: {"n": 1}\n\ndata: ' + broken + b"\n\n"))
    assert await events.next() == {"n": 1}
    with pytest.raises(ValueError, match=r"column|decode"):
        await events.next()


async def test_the_json_null_is_no_end():
    assert await read(b"data: null\n\n", b'data: {"n": 1}\n\n') == [False, {"n": 1}]


@pytest.mark.parametrize("piece", [b"x" * 1000, b"data: " + b"x" * 992 + b"\n"])
async def test_an_event_that_does_not_end_is_given_up(piece, monkeypatch):
    monkeypatch.setattr(openai_events, "LONGEST_EVENT", 5_000)
    with pytest.raises(ValueError, match="does not end"):
        await read(*[piece] * 20)
