"""What went wrong with a call of Gemini, in our one exception and our own words."""

import logging
from collections.abc import Iterator
from http.client import BadStatusLine, RemoteDisconnected
from typing import Any

import requests
import urllib3

from personas.providers.base import ProviderError
from personas.providers.failures import code_of_status, failure

log = logging.getLogger(__name__)

_TIMEOUTS = (TimeoutError, requests.Timeout, urllib3.exceptions.TimeoutError)
# The SDK's word for a JSON array that ends in the middle.
_UNFINISHED = "Unfinished stream"


def as_provider_error(error: BaseException, provider: str, *, streaming: bool) -> ProviderError:
    """`streaming`: the answer had begun, so a lost connection means a reply that broke off."""
    code = _code(error, streaming)
    # The type and the status say enough; the text may quote the request or the key.
    log.warning("%s failed: %s (%s %s)", provider, code, type(error).__name__, _status(error) or "")
    return failure(code, provider, retry_after=_retry_after(error))


def _status(error: BaseException) -> int:
    """The HTTP status that the vendor answered with; 0 when it did not answer."""
    status = getattr(error, "code", None)
    return int(status) if isinstance(status, int) else 0


def _code(error: BaseException, streaming: bool) -> str:
    if status := _status(error):
        return "authentication" if _is_about_the_key(error) else code_of_status(status)
    causes = list(_causes(error))
    # The transport counts it among its time-outs, though nothing was waited for.
    if any(isinstance(cause, urllib3.exceptions.NewConnectionError) for cause in causes):
        return "refused_connection"
    if any(isinstance(cause, _TIMEOUTS) for cause in causes):
        return "timeout"
    if isinstance(error, ValueError) and str(error).startswith(_UNFINISHED):
        return "truncated"
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.MissingSchema):
        return "invalid_request"
    if isinstance(error, requests.RequestException | OSError):
        return _of_connection(causes, streaming)
    return "bad_response"


def _of_connection(causes: list[BaseException], streaming: bool) -> str:
    if streaming:
        return "truncated"
    # What answered speaks no HTTP. A connection that was closed without a word is of that type too.
    if any(isinstance(one, BadStatusLine) and not isinstance(one, RemoteDisconnected) for one in causes):
        return "bad_response"
    return "unavailable"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, what it came from, and what the transport carries as an argument or a reason."""
    seen: set[int] = set()
    waiting: list[Any] = [error]
    while waiting:
        one = waiting.pop()
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]


def _is_about_the_key(error: Any) -> bool:
    """A wrong key is a 400 here, told apart by its reason."""
    return "API_KEY_INVALID" in {detail.get("reason") for detail in _details(error)}


def _details(error: Any) -> list[dict[str, Any]]:
    return [detail for detail in getattr(error, "details", None) or () if isinstance(detail, dict)]


def _retry_after(error: Any) -> str:
    """The header's, else the vendor's RetryInfo: {"retryDelay": "34s"}."""
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    told = [str(detail["retryDelay"]).rstrip("s") for detail in _details(error) if "retryDelay" in detail]
    return str(headers.get("Retry-After") or (told[0].partition(".")[0] if told else ""))
