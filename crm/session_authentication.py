"""Chat users by their session token, in the three places where clients send it."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from config.api.authentication import ApiKeyAuthentication, DemoAuthentication, caller_of
from config.api.models import ApiKey
from crm.models import Contact
from crm.sessions import SessionCaller, caller_for_token

HEADER = "X-Session-Token"
BODY_FIELD = "session_token"
UNUSABLE_SESSION = "This session token is unknown, expired or revoked."


def presented_session(headers: Any, body: Any = None) -> str:
    """The session token of `X-Session-Token`, `Authorization: Bearer …` or the JSON body; else "".

    A Bearer that looks like an API key is one.
    """
    if token := headers.get(HEADER, "").strip():
        return str(token)
    scheme, _, value = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and not value.strip().startswith(ApiKey.PREFIX):
        return value.strip()
    token = body.get(BODY_FIELD) if isinstance(body, Mapping) else None
    return token.strip() if isinstance(token, str) else ""


class SessionAuthentication(BaseAuthentication):
    """Lets chat users in. A view that lists it narrows what it shows to `own_contact(request)`."""

    def authenticate(self, request: Request) -> tuple[None, SessionCaller] | None:
        body = request.data if request.method not in ("GET", "HEAD", "OPTIONS") else None
        token = presented_session(request.headers, body)
        if not token:
            return None
        caller = caller_for_token(token)
        if caller is None:
            raise AuthenticationFailed(UNUSABLE_SESSION)
        return None, caller

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


# For views that a chat user may call as well as an integration. The session wins: it may do less.
KEY_OR_SESSION = (SessionAuthentication, ApiKeyAuthentication, DemoAuthentication)


def own_contact(request: Request) -> Contact | None:
    """The contact that a chat user is limited to; None for an integration, which sees its whole account."""
    caller = caller_of(request)
    return caller.contact if isinstance(caller, SessionCaller) else None


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "crm.session_authentication.SessionAuthentication"
    name = "SessionToken"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "apiKey", "in": "header", "name": HEADER}
