"""What a vendor's failure is called and said, in our words alone: the vendor's may hold a key."""

from email.utils import parsedate_to_datetime

from django.utils import timezone

from personas.providers.base import ProviderError

MOST_RETRY_AFTER = 3600.0  # seconds

MESSAGES = {
    "refused_connection": "The AI service cannot be reached.",
    "timeout": "The AI service took too long to answer.",
    "rate_limited": "The AI service is busy. Try again in a moment.",
    "unavailable": "The AI service is not available at the moment.",
    "bad_response": "The AI service answered with something that cannot be read.",
    "truncated": "The reply broke off before its end.",
    "empty": "The reply was empty.",
    "content_filter": "The AI service declined to answer this. Other words may help.",
    "authentication": "The AI service did not accept our key.",
    "invalid_request": "The AI service did not accept the request. Check the model and the address.",
    "budget": "The account at the AI service has no credit left.",
}
_NOT_RETRYABLE = frozenset({"authentication", "invalid_request", "budget"})
_BY_STATUS = {
    401: "authentication",
    402: "budget",
    403: "authentication",
    408: "timeout",
    409: "unavailable",
    429: "rate_limited",
}


def failure(code: str, provider: str, *, retry_after: str = "", message: str = "") -> ProviderError:
    """Our one exception for a code of `MESSAGES`. `retry_after` is the header's text."""
    return ProviderError(
        code=code,
        message=message or MESSAGES[code],
        retryable=code not in _NOT_RETRYABLE,
        provider=provider,
        retry_after_seconds=retry_after_seconds(retry_after),
    )


def code_of_status(status: int) -> str:
    """What an HTTP status that is no success says. A redirect is none either: no key goes elsewhere."""
    if status >= 500:
        return "unavailable"
    return _BY_STATUS.get(status, "invalid_request" if status >= 400 else "bad_response")


def retry_after_seconds(value: str) -> float | None:
    """The wait that the vendor asks for, as seconds or as a date (RFC 9110, 10.2.3)."""
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
