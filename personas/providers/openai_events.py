"""The events of a streamed answer, read from its bytes.

The SDK asks, authenticates and knows an answer's errors; its own reader of events is made for every kind of
stream it has, and took most of the time of a token. Format: html.spec.whatwg.org, "Server-sent events".
"""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import httpx2
import openai
from openai import AsyncStream

from personas.providers.openai_errors import FAILURES

END = "[DONE]"
LONGEST_EVENT = 1_000_000  # bytes; one of a reply has a few hundred
LAST_BYTES_SECONDS = 0.1  # to wait for the end of a body whose last event is read
WORDLESS_ERROR = "The stream told of an error."


class BareStream(AsyncStream[object]):
    """What the SDK gives of a stream, without the SDK's iterator: never begun, that would be a circle which
    holds the whole answer until the garbage collector comes by.
    """

    def __init__(self, *, response: httpx2.Response, **_more: Any) -> None:
        self.response = response


class Events:
    """What is read of one stream. Raises what `openai_errors.FAILURES` lists."""

    def __init__(self, stream: BareStream) -> None:
        self._response = stream.response
        self._body: AsyncIterator[bytes] = self._response.aiter_bytes()
        self._ready: deque[bytes] = deque()  # read when asked for: a broken one spoils none before it
        self._data: list[bytes] = []  # lines of the event that is not over yet
        self._rest = b""  # of a line
        self._may_skip = False  # the last byte was CR: an LF after it belongs to it
        self._is_over = False

    def at_hand(self) -> object:
        """The next event if it has come already, else None."""
        if not self._ready:
            return None
        text = self._ready.popleft().decode()
        if text.startswith(END):
            self._is_over = True
            self._ready.clear()
            return None
        return self._checked(json.loads(text))

    async def next(self) -> object:
        """The next event; None at the end."""
        while (event := self.at_hand()) is None:
            if self._is_over:
                await self._read_to_the_end()
                return None
            chunk = await anext(self._body, None)
            if chunk is None:
                self._is_over = True
            else:
                self._take(chunk)
        return event

    async def close(self) -> None:
        # The stream may be broken already; closing it is only to free the connection.
        with suppress(*FAILURES):
            await self._response.aclose()

    def _take(self, chunk: bytes) -> None:
        if self._may_skip and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        self._may_skip = chunk.endswith(b"\r")
        lines = (self._rest + chunk).splitlines()
        self._rest = lines.pop() if lines and not chunk.endswith((b"\n", b"\r")) else b""
        for line in lines:
            if line.startswith(b"data:"):
                self._data.append(line[5:].removeprefix(b" "))
            elif not line and self._data:
                self._ready.append(b"\n".join(self._data))
                self._data.clear()
        if len(self._rest) + sum(map(len, self._data)) > LONGEST_EVENT:
            raise ValueError("an event does not end")

    def _checked(self, event: object) -> object:
        """Raises APIError for an error inside the stream."""
        error: Any = event.get("error") if isinstance(event, dict) else None
        if not error:
            # None is the end; JSON's own null is an event, of the wrong shape.
            return event if event is not None else False
        words = error.get("message") if isinstance(error, dict) else None
        raise openai.APIError(str(words or WORDLESS_ERROR), request=self._response.request, body=error)

    async def _read_to_the_end(self) -> None:
        """So that the connection can be used again."""
        with suppress(*FAILURES, TimeoutError):
            async with asyncio.timeout(LAST_BYTES_SECONDS):
                while await anext(self._body, None) is not None:
                    pass
