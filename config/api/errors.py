"""Errors of the API: each carries its status, its documented code, and words that say what to do next."""

from typing import Any

from rest_framework import status
from rest_framework.exceptions import APIException


class ApiError(APIException):
    """A failure with a documented code. `details` is what a program can use: fields, ids, limits."""

    def __init__(
        self, code: str, message: str, *, status_code: int = status.HTTP_400_BAD_REQUEST, details: Any = None
    ) -> None:
        super().__init__(message, code)
        self.code = code
        self.message = message
        self.status_code = status_code
        self.details = details


class NotFoundError(ApiError):
    """The thing is not there, or belongs to another account: the caller cannot tell which."""

    def __init__(self, what: str = "resource") -> None:
        super().__init__("NOT_FOUND", f"This {what} was not found.", status_code=status.HTTP_404_NOT_FOUND)


class ConflictError(ApiError):
    """The request does not fit the state of the thing."""

    def __init__(self, message: str, *, details: Any = None) -> None:
        super().__init__("CONFLICT", message, status_code=status.HTTP_409_CONFLICT, details=details)
