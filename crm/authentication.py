"""Who may be at a conversation's socket: authenticators named in settings.SOCKET_AUTHENTICATORS.

Each takes (scope, conversation_id) and gives an Authority, or None when it does not know the caller.
They are plain functions with database work; the consumer runs them on the pool.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from types import SimpleNamespace
from typing import Any, Protocol
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user
from django.utils import timezone
from django.utils.module_loading import import_string

from config.api import audit
from config.api.models import AuditEntry
from config.api.prepared import PreparedValues, given
from crm.links import cookies_of, is_in_force, kept_link
from crm.models import AccessLink, Conversation

WATCHING = "crm.view_conversation"


class LinkEnded(Exception):  # noqa: N818
    """The caller holds a link of this conversation, but it was revoked or has expired."""


class Authority(Protocol):
    """What a caller may do; `holds` is asked again at every frame."""

    @property
    def may_write(self) -> bool: ...

    def holds(self) -> bool: ...


Authenticator = Callable[[Mapping[str, Any], UUID], Authority | None]


_link_in_force = PreparedValues(
    lambda: (
        AccessLink.objects.in_force(at=given(AccessLink, "expires_at", name="now"))
        .filter(pk=given(AccessLink, "id"))
        .order_by()
        .values_list("pk")
    )
)


@dataclass(frozen=True, slots=True)
class LinkAuthority:
    """A recipient, by the cookie their link left."""

    link_id: UUID
    may_write: bool = True

    def holds(self) -> bool:
        return bool(_link_in_force(id=self.link_id, now=timezone.now()))


@dataclass(frozen=True, slots=True)
class StaffAuthority:
    """A member of staff, by their session. They watch; they write in the admin."""

    session_key: str
    may_write: bool = False

    def holds(self) -> bool:
        return staff_of(self.session_key) is not None


@lru_cache(maxsize=4)
def _authenticators(paths: tuple[str, ...]) -> tuple[Authenticator, ...]:
    return tuple(import_string(path) for path in paths)


def authority_for(scope: Mapping[str, Any], conversation_id: UUID) -> Authority | None:
    """The first authority that an authenticator finds. Raises LinkEnded when only an ended link was found."""
    ended: LinkEnded | None = None
    for authenticator in _authenticators(tuple(settings.SOCKET_AUTHENTICATORS)):
        try:
            found = authenticator(scope, conversation_id)
        except LinkEnded as error:
            ended = error
            continue
        if found is not None:
            return found
    if ended is not None:
        raise ended
    return None


def access_link_from_cookie(scope: Mapping[str, Any], conversation_id: UUID) -> LinkAuthority | None:
    link = kept_link(scope, conversation_id)
    if link is None:
        return None
    if not is_in_force(link):
        raise LinkEnded
    return LinkAuthority(link.pk)


def staff_from_session(scope: Mapping[str, Any], conversation_id: UUID) -> StaffAuthority | None:
    """Staff who may see conversations. That they watch is written to the audit trail."""
    key = cookies_of(scope).get(settings.SESSION_COOKIE_NAME, "")
    user = staff_of(key) if key else None
    if user is None:
        return None
    conversation = Conversation.objects.select_related("account").filter(pk=conversation_id).first()
    if conversation is None:
        return None
    audit.record(
        conversation.account,
        AuditEntry.ActorKind.STAFF,
        user.get_username(),
        "watched conversation",
        target=conversation,
    )
    return StaffAuthority(key)


def staff_of(session_key: str, permission: str = WATCHING) -> Any | None:
    """Who is signed in by this session, if they are staff with this permission."""
    session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    user = get_user(SimpleNamespace(session=session))  # type: ignore[arg-type]
    allowed = user.is_active and getattr(user, "is_staff", False) and user.has_perm(permission)
    return user if allowed else None
