"""What went wrong with an OpenAI call, in our one exception and our own words: the SDK's may hold a key."""

import logging
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import httpx2
import openai
from django.utils import timezone

from personas.providers.base import ProviderError

log = logging.getLogger(__name__)

# All that the SDK, its transports and reading a reply were seen to raise. TimeoutError is an OSError;
# broken JSON or UTF-8 is a ValueError, nested too deep a RecursionError; JSON of another shape than the
# documented is any of the four between.
FAILURES = (
    openai.OpenAIError,
    aiohttp.ClientError,
    httpx2.HTTPError,
    OSError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    RecursionError,
)
MOST_RETRY_AFTER = 3600.0  # seconds

_MESSAGES = {
    "refused_connection": "The AI service cannot be reached.",
    "timeout": "The AI service took too long to answer.",
    "rate_limited": "The AI service is busy. Try again in a moment.",
    "unavailable": "The AI service is not available at the moment.",
    "bad_response": "The AI service answered with something that cannot be read.",
    "truncated": "The reply broke off before its end.",
    "content_filter": "The AI service declined to answer this. Other words may help.",
    "authentication": "The AI service did not accept our key.",
    "invalid_request": "The AI service did not accept the request. Check the model and the address.",
    "budget": "The account at the AI service has no credit left.",
}
_NOT_RETRYABLE = frozenset({"authentication", "invalid_request", "budget"})

_BY_STATUS = {401: "authentication", 402: "budget", 403: "authentication", 408: "timeout", 409: "unavailable"}
_BY_VENDOR_CODE = {
    "insufficient_quota": "budget",
    "rate_limit_exceeded": "rate_limited",
    "content_filter": "content_filter",
    "content_policy_violation": "content_filter",
    "invalid_api_key": "authentication",
}


def as_provider_error(error: BaseException, provider: str, *, streaming: bool = False) -> ProviderError:
    """`streaming`: the answer had begun, so a lost connection means a reply that broke off."""
    code = _code(error, streaming)
    # The type and the status say enough; the text may quote the request or the key.
    log.warning("%s failed: %s (%s)", provider, code, _trace(error))
    return ProviderError(
        code=code,
        message=_MESSAGES[code],
        retryable=code not in _NOT_RETRYABLE,
        provider=provider,
        retry_after_seconds=_retry_after(error),
    )


def _trace(error: BaseException) -> str:
    status = getattr(error, "status_code", None)
    return f"{type(error).__name__} {status}" if status else type(error).__name__


def _code(error: BaseException, streaming: bool) -> str:
    if isinstance(error, openai.APIStatusError):
        return _of_status(error)
    if isinstance(error, (openai.APIConnectionError, aiohttp.ClientError, httpx2.HTTPError, OSError)):
        return _of_connection(error, streaming)
    if isinstance(error, openai.APIError) and not isinstance(error, openai.APIResponseValidationError):
        return _of_error_in_stream(error)
    return "bad_response"


def _of_status(error: openai.APIStatusError) -> str:
    if known := _BY_VENDOR_CODE.get(str(error.code)):
        return known
    status = error.status_code
    if status == 429:
        return "rate_limited"
    if status >= 500:
        return "unavailable"
    return _BY_STATUS.get(status, "invalid_request" if status >= 400 else "bad_response")


def _of_error_in_stream(error: openai.APIError) -> str:
    known = _BY_VENDOR_CODE.get(str(error.code)) or _BY_VENDOR_CODE.get(str(error.type))
    return known or ("rate_limited" if str(error.code) == "429" else "unavailable")


def _of_connection(error: BaseException, streaming: bool) -> str:
    """By the first cause: the SDK's own types are no guide (over aiohttp a refusal is an APITimeoutError)."""
    causes = list(_causes(error))
    if any(isinstance(cause, (httpx2.UnsupportedProtocol, aiohttp.InvalidURL)) for cause in causes):
        return "invalid_request"
    if any(isinstance(cause, TimeoutError) for cause in causes):
        return "timeout"
    if streaming:
        return "truncated"
    if any(isinstance(cause, aiohttp.ClientConnectorError) for cause in causes):
        return "refused_connection"
    if any(isinstance(cause, aiohttp.ClientResponseError) for cause in causes):
        return "bad_response"
    return "unavailable"


def _causes(error: BaseException | None) -> Any:
    while error is not None:
        yield error
        error = error.__cause__


def _retry_after(error: BaseException) -> float | None:
    """The wait that the vendor asks for, as seconds or as a date (RFC 9110, 10.2.3)."""
    headers = getattr(getattr(error, "response", None), "headers", None)
    value = headers.get("retry-after", "") if headers is not None else ""
    seconds = _seconds(value)
    return None if seconds is None else min(max(seconds, 0.0), MOST_RETRY_AFTER)


def _seconds(value: str) -> float | None:
    if not value:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        return (parsedate_to_datetime(value) - timezone.now()).total_seconds()
    except (ValueError, TypeError):
        return None
