"""What went wrong with an OpenAI call, in our one exception and our own words: the SDK's may hold a key."""

import logging
from typing import Any

import aiohttp
import httpx2
import openai

from personas.providers.base import ProviderError
from personas.providers.failures import code_of_status, failure

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
    return failure(code, provider, retry_after=_retry_after(error))


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
    return _BY_VENDOR_CODE.get(str(error.code)) or code_of_status(error.status_code)


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


def _retry_after(error: BaseException) -> str:
    headers = getattr(getattr(error, "response", None), "headers", None)
    return str(headers.get("retry-after", "")) if headers is not None else ""
