"""Capability links: whoever holds the token may do the one thing the link is for."""

from collections.abc import Mapping
from datetime import datetime
from http.cookies import CookieError, SimpleCookie
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone

from crm.models import AccessLink

COOKIE = "rapport_link"
LABEL_COOKIE = "rapport_label"


def open_link(token: str, purpose: str) -> AccessLink | None:
    """The link of a token, when it is in force and for this purpose.

    Notes the first opening, as a hint only.
    """
    link = find(token, purpose)
    if link is None or not is_in_force(link):
        return None
    if link.first_opened_at is None:
        AccessLink.objects.filter(pk=link.pk, first_opened_at=None).update(first_opened_at=timezone.now())
    return link


def find(token: str, purpose: str) -> AccessLink | None:
    """The link of a token, in force or not: its holder may be told that it ran out."""
    if not token or len(token) > 200:
        return None
    rows = AccessLink.objects.for_token(token).filter(purpose=purpose)
    link: AccessLink | None = rows.select_related("account", "contact", "conversation").first()
    return link


def is_in_force(link: AccessLink, *, at: datetime | None = None) -> bool:
    now = at or timezone.now()
    return link.revoked_at is None and (link.expires_at is None or link.expires_at > now)


def for_cookie(
    request_or_scope: HttpRequest | Mapping[str, Any], conversation_id: UUID | str
) -> AccessLink | None:
    """The link whose token the browser keeps for this conversation, when it is in force."""
    link = kept_link(request_or_scope, conversation_id)
    return link if link is not None and is_in_force(link) else None


def kept_link(
    request_or_scope: HttpRequest | Mapping[str, Any], conversation_id: UUID | str
) -> AccessLink | None:
    """The link of the cookie and of this conversation, in force or not."""
    link = find(cookies_of(request_or_scope).get(COOKIE, ""), AccessLink.Purpose.CONVERSATION)
    if link is None or str(link.conversation_id) != str(conversation_id):
        return None
    return link


def cookies_of(request_or_scope: HttpRequest | Mapping[str, Any]) -> Mapping[str, str]:
    """The cookies of a request, or of an ASGI scope (whose headers are pairs of bytes)."""
    if isinstance(request_or_scope, HttpRequest):
        return request_or_scope.COOKIES
    header = b"; ".join(value for name, value in request_or_scope.get("headers", ()) if name == b"cookie")
    jar: SimpleCookie = SimpleCookie()
    try:
        jar.load(header.decode("latin1"))
    except CookieError:
        return {}
    return {name: morsel.value for name, morsel in jar.items()}


def remember(response: HttpResponseBase, token: str, link: AccessLink, *, label_path: str = "") -> None:
    """Keeps the token in the browser, sent only with requests of this one conversation.

    With `label_path` also with those of the conversation's address by its label, and nothing below it.
    """
    _keep(response, COOKIE, token, path=f"/chat/{link.conversation_id}", link=link)
    if label_path:
        _keep(response, LABEL_COOKIE, token, path=label_path, link=link)


def _keep(response: HttpResponseBase, name: str, token: str, *, path: str, link: AccessLink) -> None:
    response.set_cookie(  # type: ignore[attr-defined]
        name,
        token,
        path=path,
        expires=link.expires_at,
        httponly=True,
        secure=settings.SECURE,
        samesite="Lax",
    )
