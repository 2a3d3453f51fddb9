"""Which documented API a path belongs to, and how that API writes an error.

The bodies are the contracts of five APIs that existed before us; each also has a short string `detail`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from config.api.failures import Failure, FieldError
from config.api.metadata import response_metadata

Body = dict[str, Any]


def crm_body(failure: Failure) -> Body:
    error: Body = {"code": failure.code, "message": failure.message, "details": failure.details}
    if failure.fields:
        # The documented body has one text and one field; all that is wrong is in `fields`.
        error["details"] = failure.fields[0].message
        error["fields"] = failure.field_messages()
        if path := failure.fields[0].path:
            error["field"] = path
    return {"success": False, "error": error, "detail": failure.message, "metadata": response_metadata()}


WEBHOOK_CODES = {
    "UNAUTHORIZED": "AUTHENTICATION_ERROR",
    "FORBIDDEN": "AUTHORIZATION_ERROR",
    "NOT_FOUND": "CONVERSATION_NOT_FOUND",
    "RATE_LIMITED": "RATE_LIMIT_EXCEEDED",
    "DATABASE_ERROR": "SERVICE_UNAVAILABLE",
}


def webhook_body(failure: Failure) -> Body:
    error = {
        "code": WEBHOOK_CODES.get(failure.code, failure.code),
        "message": failure.message,
        "details": failure.field_messages() if failure.fields else failure.details,
    }
    return {"success": False, "error": error, "detail": failure.message}


def listed(fields: tuple[FieldError, ...]) -> list[Body]:
    """Complaints in the form of FastAPI, which two of the documented APIs were written with."""
    types = {"required": "missing", "parse_error": "json_invalid"}
    return [
        {
            "type": types.get(error.code, error.code),
            # What is wrong with the query says so itself: ("query", "limit").
            "loc": list(error.loc) if error.loc[:1] == ("query",) and error.loc[1:] else ["body", *error.loc],
            "msg": error.message,
            "input": None,
        }
        for error in fields
    ]


def marketing_body(failure: Failure) -> Body:
    body: Body = {"detail": failure.message, "code": failure.code}
    if failure.fields:
        body["errors"] = listed(failure.fields)
    elif failure.details is not None:
        body["details"] = failure.details
    return body


PERSONA_CODES = {
    "INTERNAL_ERROR": "internal_server_error",
    "RATE_LIMITED": "rate_limit_exceeded",
}


def persona_body(failure: Failure) -> Body:
    code = PERSONA_CODES.get(failure.code, failure.code.lower())
    if failure.code == "VALIDATION_ERROR" and failure.status == 400:
        code = "bad_request"
    details = {"errors": listed(failure.fields)} if failure.fields else failure.details
    body = {"error": code, "message": failure.message, "details": details, "detail": failure.message}
    # The documented 429 has its figures beside the message.
    return {**body, **details} if failure.status == 429 and isinstance(details, dict) else body


def caller_body(failure: Failure) -> Body:
    body: Body = {
        "status": "error",
        "message": failure.message,
        "error": failure.message,
        "error_code": failure.code,
        "detail": failure.message,
    }
    if failure.fields:
        return {**body, "details": failure.field_messages()}
    # Its documented extras (`suggestion`, `call_sid`, `call_limit_reached` …) are at the top level.
    return {**failure.details, **body} if isinstance(failure.details, dict) else body


@dataclass(frozen=True, slots=True)
class Family:
    name: str
    body: Callable[[Failure], Body]
    input_status: int = 400  # of field errors and of a body that cannot be read


CRM = Family("crm", crm_body)
WEBHOOK = Family("webhook", webhook_body)
MARKETING = Family("marketing", marketing_body, input_status=422)
PERSONA = Family("persona", persona_body, input_status=422)
CALLER = Family("caller", caller_body)

# A prefix that ends in a dash or slash is taken as it is; any other ends at a slash or the path's end.
PREFIXES: dict[str, Family] = {
    "/api/v1/webhook": WEBHOOK,
    "/api/v1/webhooks": WEBHOOK,
    "/api/v1/conversations": WEBHOOK,
    "/api/v1/health": WEBHOOK,
    "/api/v1/chat": PERSONA,
    "/api/v1/influencers": PERSONA,
    "/api/v1/media": PERSONA,
    "/api/v2/chat": PERSONA,
    "/accounts": MARKETING,
    "/emails": MARKETING,
    "/email-": MARKETING,
    "/smtp": MARKETING,
    "/scheduler": MARKETING,
    "/agents": MARKETING,
    "/create-agent": MARKETING,
    "/interview": MARKETING,
    "/chat/": MARKETING,
    "/knowledge-base": MARKETING,
    "/s3": MARKETING,
    "/make-actual-call": CALLER,
    "/twilio-": CALLER,
    "/conversations": CALLER,
    "/analytics": CALLER,
}


def belongs(path: str, prefix: str) -> bool:
    if prefix.endswith(("-", "/")):
        return path.startswith(prefix)
    return path == prefix or path.startswith(prefix + "/")


def family_of(path: str) -> Family:
    """The family with the longest matching prefix; the CRM API's envelope when none matches."""
    found = [prefix for prefix in PREFIXES if belongs(path, prefix)]
    return PREFIXES[max(found, key=len)] if found else CRM
