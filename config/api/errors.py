"""Errors of the API: each carries its status, its documented code, and words that say what to do next."""

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

    def __init__(self, what: str = "resource") -> None:
        super().__init__("NOT_FOUND", f"This {what} was not found.", status_code=status.HTTP_404_NOT_FOUND)


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
