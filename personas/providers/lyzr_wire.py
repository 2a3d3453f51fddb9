"""Lyzr over HTTP: its addresses, one kept client for each event loop, time limits, and errors in our words.

There is no official specification; the paths and fields are those that public clients of it use.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import aiohttp
import yarl

from personas.providers.base import ProviderError
from personas.providers.failures import code_of_status, failure
from personas.providers.limits import Limits
from personas.providers.loop_clients import LoopClients

AGENT_URL = "https://agent-prod.studio.lyzr.ai"
RAG_URL = "https://rag-prod.studio.lyzr.ai"
USER_ID = "rapport"  # who asks, where no account does
LONGEST_ANSWER = 32 * 1024 * 1024  # bytes; a parsed document of many pages

# All that the client and reading an answer were seen to raise. TimeoutError is an OSError; broken JSON
# or UTF-8 is a ValueError, nested too deep a RecursionError.
FAILURES = (
    aiohttp.ClientError,
    OSError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    RecursionError,
)

log = logging.getLogger(__name__)


class NotThere(ProviderError):  # noqa: N818
    """The vendor knows nothing of that id."""


class LyzrApi:
    """Calls of one key. Methods raise ProviderError and nothing else; no text of the vendor is in it."""

    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        self.name = name
        self.user_id = str(options.get("USER_ID") or USER_ID)
        self.agent_url = str(options.get("BASE_URL") or AGENT_URL).rstrip("/")
        self.rag_url = str(options.get("RAG_URL") or RAG_URL).rstrip("/")
        self.limits = Limits.from_options(options)
        self._key = str(options.get("API_KEY") or "")
        self._most_connections = int(options.get("MAX_CONNECTIONS", 1000))
        self._clients: LoopClients[aiohttp.ClientSession] = LoopClients(self._new_client)

    def _new_client(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._most_connections),
            cookie_jar=aiohttp.DummyCookieJar(),  # what one talk is given is not sent with another
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self.limits.connect_seconds),
            headers={"x-api-key": self._key, "accept": "application/json"},
        )

    @asynccontextmanager
    async def opened(
        self, method: str, url: str, *, by: float, **request: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """An answer whose headers come by that time and say success; it is closed when the block is left."""
        target = self._target(url)
        try:
            client = await self._clients.of_this_loop()
            async with asyncio.timeout_at(by):
                # A redirect would take the key elsewhere.
                response = await client.request(method, target, allow_redirects=False, **request)
        except FAILURES as error:
            raise self.failed(error) from None
        try:
            if response.status // 100 != 2:
                raise self._refused(response)
            yield response
        finally:
            response.close()

    def _target(self, url: str) -> yarl.URL:
        try:
            target = yarl.URL(url, encoded=True)  # by `address`
            if target.host and target.port:
                return target
        except ValueError:
            pass
        raise failure("invalid_request", self.name)

    async def asked(self, method: str, url: str, **request: Any) -> Any:
        """The answer's JSON. It may take the whole time: a file is sent, and read there, before it begins."""
        by = self.limits.start().ends_at
        async with self.opened(method, url, by=by, **request) as response:
            try:
                async with asyncio.timeout_at(by):
                    return json.loads(await _whole(response))
            except FAILURES as error:
                raise self.failed(error) from None

    def failed(self, error: BaseException, *, streaming: bool = False) -> ProviderError:
        """`streaming`: the answer had begun, so a lost connection means a reply that broke off."""
        code = _code(error, streaming)
        # The type says enough; the text may quote the request or the key.
        log.warning("%s failed: %s (%s)", self.name, code, type(error).__name__)
        return failure(code, self.name)

    def _refused(self, response: aiohttp.ClientResponse) -> ProviderError:
        code = code_of_status(response.status)
        log.warning("%s failed: %s (%d)", self.name, code, response.status)
        error = failure(code, self.name, retry_after=response.headers.get("retry-after", ""))
        if response.status == 404:
            return NotThere(error.code, error.message, error.retryable, self.name)
        return error


def address(base: str, *segments: str, slash: bool = True) -> str:
    """An address whose every segment is encoded: an id with `/`, `?` or `#` in it stays an id."""
    path = "/".join(quote(segment, safe="") for segment in segments)
    return f"{base}/{path}{'/' if slash else ''}"


async def _whole(response: aiohttp.ClientResponse) -> bytes:
    pieces: list[bytes] = []
    size = 0
    async for piece in response.content.iter_any():
        size += len(piece)
        if size > LONGEST_ANSWER:
            raise ValueError("the answer does not end")
        pieces.append(piece)
    return b"".join(pieces)


def _code(error: BaseException, streaming: bool) -> str:
    if isinstance(error, aiohttp.InvalidURL):
        return "invalid_request"
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "refused_connection"
    if isinstance(error, aiohttp.ClientResponseError):
        return "bad_response"
    if isinstance(error, (aiohttp.ClientError, OSError)):
        return "truncated" if streaming else "unavailable"
    return "bad_response"
