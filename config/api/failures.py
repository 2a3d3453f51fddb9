"""Any exception, read as one plain value: what went wrong, in words and codes that may be shown."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import (
    DisallowedHost,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    TooManyFieldsSent,
    TooManyFilesSent,
)
from django.db import DataError, InterfaceError, OperationalError
from django.http import Http404, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from rest_framework import exceptions
from rest_framework.settings import api_settings

from config.api.errors import ApiError

CODES = {
    400: "VALIDATION_ERROR",
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    406: "NOT_ACCEPTABLE",
    409: "CONFLICT",
    413: "PAYLOAD_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    429: "RATE_LIMITED",
    500: "INTERNAL_ERROR",
    502: "UPSTREAM_ERROR",
    503: "SERVICE_UNAVAILABLE",
}
DATABASE_RETRY_SECONDS = 5


@dataclass(frozen=True, slots=True)
class FieldError:
    """One complaint about one place in the request: `("questions", 0, "text")`."""

    loc: tuple[str | int, ...]
    message: str
    code: str

    @property
    def path(self) -> str:
        return ".".join(map(str, self.loc))

    @property
    def sentence(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


@dataclass(frozen=True, slots=True)
class Failure:
    """`is_input`: the framework found the input wrong; families disagree on its status (400 or 422)."""

    status: int
    code: str
    message: str
    details: Any = None
    fields: tuple[FieldError, ...] = ()
    is_input: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)

    def field_messages(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for error in self.fields:
            found.setdefault(error.path or api_settings.NON_FIELD_ERRORS_KEY, []).append(error.message)
        return found


NOT_FOUND = Failure(404, "NOT_FOUND", "There is nothing at this address.")
INTERNAL = Failure(
    500, "INTERNAL_ERROR", "Something went wrong on our side. Please try again; the request id names it."
)
DATABASE_AWAY = Failure(
    503,
    "DATABASE_ERROR",
    "The database does not answer right now. Please try again in a few seconds.",
    headers={"Retry-After": str(DATABASE_RETRY_SECONDS)},
)
NOT_UNDERSTOOD = Failure(400, "VALIDATION_ERROR", "The request could not be understood.", is_input=True)
UNKNOWN_HOST = Failure(
    400,
    "VALIDATION_ERROR",
    "This server does not answer to the name in this address. Its operator lists names in ALLOWED_HOSTS.",
)
TOO_LARGE = Failure(413, "PAYLOAD_TOO_LARGE", "The request is too large.")


def failure_of(error: BaseException | None) -> Failure | None:
    """What may be told about an exception; None when it is a bug, which is nobody's business but ours."""
    if isinstance(error, ApiError):
        headers = {"Retry-After": str(error.wait)} if error.wait is not None else {}
        return Failure(error.status_code, error.code, error.message, error.details, headers=headers)
    if isinstance(error, exceptions.APIException):
        return _of_rest_framework(error)
    if isinstance(error, Http404):
        return NOT_FOUND
    if isinstance(error, PermissionDenied):
        return Failure(403, "FORBIDDEN", "You may not do this.")
    if isinstance(error, OperationalError | InterfaceError):
        return DATABASE_AWAY
    return _of_input(error)


def _of_input(error: BaseException | None) -> Failure | None:
    if isinstance(error, RequestDataTooBig):
        return TOO_LARGE
    if isinstance(error, TooManyFieldsSent | TooManyFilesSent):
        return Failure(413, "PAYLOAD_TOO_LARGE", "The request has too many fields or files.")
    if isinstance(error, UnreadablePostError | MultiPartParserError):
        return Failure(400, "VALIDATION_ERROR", "The request body could not be read.", is_input=True)
    if isinstance(error, DisallowedHost):
        return UNKNOWN_HOST
    if isinstance(error, SuspiciousOperation):
        return NOT_UNDERSTOOD
    # What a database or a driver refuses in a value that came from outside: NUL, lone surrogates, 2**70.
    if isinstance(error, DataError | UnicodeEncodeError | OverflowError):
        return Failure(400, "VALIDATION_ERROR", "A value cannot be stored or searched for.", is_input=True)
    return None


def _of_rest_framework(error: exceptions.APIException) -> Failure:
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if (wait := getattr(error, "wait", None)) is not None:
        headers["Retry-After"] = str(wait)
    if isinstance(error, exceptions.ValidationError):
        fields = tuple(_field_errors(error.detail))
        message = fields[0].sentence if fields else "The request is not valid."
        return Failure(400, "VALIDATION_ERROR", message, fields=fields, is_input=True, headers=headers)
    if isinstance(error, exceptions.ParseError):
        return _of_parse_error(error)
    code = CODES.get(error.status_code, str(getattr(error.detail, "code", "")).upper() or "ERROR")
    return Failure(error.status_code, code, _text(error.detail), headers=headers)


def _of_parse_error(error: exceptions.ParseError) -> Failure:
    message = _text(error.detail)
    fields = (FieldError((), message, "parse_error"),)
    return Failure(400, "VALIDATION_ERROR", message, fields=fields, is_input=True)


def _text(detail: Any) -> str:
    return str(detail) if isinstance(detail, str) else next((e.sentence for e in _field_errors(detail)), "")


def _field_errors(detail: Any, loc: tuple[str | int, ...] = ()) -> Iterator[FieldError]:
    """REST framework's nested lists and dicts of errors, flat and in order."""
    if isinstance(detail, Mapping):
        for key, value in detail.items():
            inner = loc if key == api_settings.NON_FIELD_ERRORS_KEY else (*loc, key)
            yield from _field_errors(value, inner)
    elif isinstance(detail, list | tuple):
        for position, value in enumerate(detail):
            yield from _field_errors(value, loc if isinstance(value, str) else (*loc, position))
    else:
        yield FieldError(loc, str(detail), str(getattr(detail, "code", "invalid")))
