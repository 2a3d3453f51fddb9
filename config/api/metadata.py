"""Request id, times and query counts of each request, and its one line in the log."""

import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from config.api import measures
from config.logs import redact

API_VERSION = "1.0.0"  # of the documented APIs; the product's own version is settings.VERSION
SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{3,63}")
# The persona API's, whose answers carry two more headers as its makers wrote them.
PERSONA_PATHS = ("/api/v1/chat/", "/api/v2/chat/", "/api/v1/influencers", "/api/v1/media/")
# Asked every few seconds by probes and once per asset by browsers: their successes are not news.
QUIET_PATHS = ("/live", "/ready", "/static/")

logger = logging.getLogger("rapport.request")


@dataclass(slots=True)
class Tally:
    """What one request has cost so far. Threads that work for the request add to the same one."""

    database_queries: int = 0
    database_seconds: float = 0.0
    model_calls: int = 0
    model_seconds: float = 0.0
    retrieval_seconds: float = 0.0
    tokens: int = 0

    def processing_details(self) -> dict[str, int | float]:
        return {
            "database_queries": self.database_queries,
            "database_time": round(self.database_seconds, 6),
            "openai_calls": self.model_calls,
            "openai_time": round(self.model_seconds, 6),
            "rag_retrieval_time": round(self.retrieval_seconds, 6),
            "total_tokens": self.tokens,
        }


@dataclass(slots=True)
class RequestFacts:
    request_id: str
    started: float = field(default_factory=time.perf_counter)
    tally: Tally = field(default_factory=Tally)
    # Headers that something deep inside (the rate limit) wants on the response.
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.started


_current: ContextVar[RequestFacts | None] = ContextVar("rapport_request", default=None)


def current() -> RequestFacts | None:
    """The facts of the request that this code works for; None outside any."""
    return _current.get()


def request_id() -> str:
    facts = _current.get()
    return facts.request_id if facts else ""


def note_model_call(*, seconds: float, tokens: int = 0) -> None:
    if facts := _current.get():
        facts.tally.model_calls += 1
        facts.tally.model_seconds += seconds
        facts.tally.tokens += tokens


def note_retrieval(*, seconds: float) -> None:
    measures.note("retrieval", seconds=seconds)
    if facts := _current.get():
        facts.tally.retrieval_seconds += seconds


def timestamp(at: datetime | None = None) -> str:
    """ISO 8601 in UTC with a Z, as every documented API writes it."""
    return (at or datetime.now(UTC)).astimezone(UTC).isoformat().replace("+00:00", "Z")


def response_metadata() -> dict[str, Any]:
    """The `metadata` of the CRM envelope."""
    facts = _current.get() or RequestFacts(request_id="")
    return {
        "response_time": round(facts.seconds, 6),
        "timestamp": timestamp(),
        "request_id": facts.request_id,
        "api_version": API_VERSION,
        "processing_details": facts.tally.processing_details(),
    }


def count_query(
    execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]
) -> Any:
    facts = _current.get()
    if facts is None:
        return execute(sql, params, many, context)
    started = time.perf_counter()
    try:
        return execute(sql, params, many, context)
    finally:
        facts.tally.database_queries += 1
        facts.tally.database_seconds += time.perf_counter() - started


def count_queries_of(*, connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Receiver of `connection_created`: one wrapper per connection for its life, none per request."""
    if count_query not in connection.execute_wrappers:
        # First, because `connection.execute_wrapper()` takes the last one off when it ends.
        connection.execute_wrappers.insert(0, count_query)


def facts_for(request: HttpRequest) -> RequestFacts:
    given = request.META.get("HTTP_X_REQUEST_ID", "")
    sane = SANE_REQUEST_ID.fullmatch(given)
    return RequestFacts(request_id=given if sane else f"req_{secrets.token_hex(8)}")


def persona_headers(request: HttpRequest) -> dict[str, str]:
    """`X-Correlation-ID` is the caller's own, where it sends one that a log can hold."""
    given = request.META.get("HTTP_X_CORRELATION_ID", "")
    known = given if SANE_REQUEST_ID.fullmatch(given) else str(uuid4())
    return {"X-API-Version": "v1", "X-Correlation-ID": known}


class RequestMetadataMiddleware:
    """Runs in the caller's own context, sync or async: no thread hop on the hot path."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self._answer_async(request)
        facts = facts_for(request)
        token = _current.set(facts)
        try:
            return self._finish(request, self.get_response(request), facts)
        finally:
            _current.reset(token)

    async def _answer_async(self, request: HttpRequest) -> HttpResponseBase:
        facts = facts_for(request)
        token = _current.set(facts)
        try:
            return self._finish(request, await self.get_response(request), facts)
        finally:
            _current.reset(token)

    def _finish(
        self, request: HttpRequest, response: HttpResponseBase, facts: RequestFacts
    ) -> HttpResponseBase:
        response.headers["X-Request-ID"] = facts.request_id
        more = persona_headers(request) if request.path.startswith(PERSONA_PATHS) else {}
        for name, value in (facts.headers | more).items():
            response.headers.setdefault(name, value)
        quiet = response.status_code < 400 and request.path.startswith(QUIET_PATHS)
        if not quiet and logger.isEnabledFor(logging.INFO):
            line = f"{request.method} {redact(request.path)} {response.status_code}"
            # A path may hold a percent-encoded line feed, which would forge a line of the log.
            line = line.replace("\n", "\\n").replace("\r", "\\r")
            logger.info("%s %d ms %s", line, facts.seconds * 1000, facts.request_id)
        return response
