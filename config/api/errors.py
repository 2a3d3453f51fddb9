"""Errors of the API: each carries its status, its documented code, and words that say what to do next."""

from collections.abc import Mapping
from typing import Any

from rest_framework import status
from rest_framework.exceptions import APIException


class ApiError(APIException):
    """A failure with a documented code. `details` is what a program can use: fields, ids, limits.

    Codes are the CRM API's (`NOT_FOUND`); each family of paths translates the general ones to its own.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status_code: int = status.HTTP_400_BAD_REQUEST,
        details: Any = None,
        retry_after_seconds: int | None = None,
    ) -> None:
        super().__init__(message, code)
        self.code = code
        self.message = message
        self.status_code = status_code
        self.details = details
        self.wait = retry_after_seconds


class NotFoundError(ApiError):
    """The thing is not there, or belongs to another account: the caller cannot tell which."""

    def __init__(self, what: str = "resource", *, details: Any = None) -> None:
        missing = status.HTTP_404_NOT_FOUND
        super().__init__("NOT_FOUND", f"This {what} was not found.", status_code=missing, details=details)


class ConflictError(ApiError):
    """The request does not fit the state of the thing."""

    def __init__(self, message: str, *, details: Any = None) -> None:
        super().__init__("CONFLICT", message, status_code=status.HTTP_409_CONFLICT, details=details)


class TooLargeError(ApiError):
    def __init__(self, message: str, *, details: Any = None) -> None:
        code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
        super().__init__("PAYLOAD_TOO_LARGE", message, status_code=code, details=details)


class UnavailableError(ApiError):
    """Something we need is away; the same request may succeed later."""

    def __init__(
        self, message: str, *, code: str = "SERVICE_UNAVAILABLE", retry_after_seconds: int = 5
    ) -> None:
        super().__init__(
            code,
            message,
            status_code=status.HTTP_503_SERVICE_UNAVAILABLE,
            retry_after_seconds=retry_after_seconds,
        )


class RateLimitedError(ApiError):
    """`limit` requests were made in this window; `limit_type` is `per_second`, `per_minute` or `per_hour`."""

    def __init__(self, *, limit: int, limit_type: str, retry_after_seconds: int) -> None:
        super().__init__(
            "RATE_LIMITED",
            f"Too many requests. Try again in {retry_after_seconds} s.",
            status_code=status.HTTP_429_TOO_MANY_REQUESTS,
            details={"limit": limit, "limit_type": limit_type, "retry_after": retry_after_seconds},
            retry_after_seconds=retry_after_seconds,
        )


class ModelError(ApiError):
    """No model answered: 502 `OPENAI_ERROR`, as the CRM API documents it, whoever the vendor is.

    `reason` and `message` are a provider's: they may be shown.
    """

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        is_retryable: bool,
        retry_after_seconds: float | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        wait = None if retry_after_seconds is None else max(1, round(retry_after_seconds))
        super().__init__(
            "OPENAI_ERROR",
            message,
            status_code=status.HTTP_502_BAD_GATEWAY,
            details={**(details or {}), "reason": reason, "retryable": is_retryable},
            retry_after_seconds=wait,
        )


class BudgetExhaustedError(ApiError):
    """The account's daily budget of AI models is used up: 429, with the seconds until it begins anew."""

    def __init__(
        self, message: str, *, retry_after_seconds: float, details: Mapping[str, Any] | None = None
    ) -> None:
        wait = max(1, round(retry_after_seconds))
        why = {"reason": "budget_exhausted", "retryable": False, "limit_type": "per_day", "retry_after": wait}
        super().__init__(
            "RATE_LIMITED",
            message,
            status_code=status.HTTP_429_TOO_MANY_REQUESTS,
            details={**(details or {}), **why},
            retry_after_seconds=wait,
        )
