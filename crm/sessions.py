"""Sessions of chat users: begun for a contact, looked up by their token, prolonged, revoked, swept away."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from config.api.authentication import Caller
from config.api.models import Account, ApiKey, digest
from crm.models import Contact, SessionToken

LONGEST_TOKEN = 200  # characters; ours have 43
# However often it is prolonged, a session ends at this age: one admission must not last for ever.
OLDEST = timedelta(days=30)
MOST_EXTENSION_HOURS = 7 * 24
# An ended session stays that long, for those who ask what became of it.
KEPT_AFTER_END = timedelta(days=7)
SWEPT_AT_ONCE = 1_000
SCOPES = ("crm", "chat")


class SessionRefused(Exception):  # noqa: N818
    """A session that cannot begin; its text is for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCaller(Caller):
    """A chat user, who sees what is theirs alone: views that let one in say so, and narrow to `contact`."""

    contact: Contact
    session_id: UUID

    @property
    def ident(self) -> str:
        # By person, not by session: more sessions are no more requests.
        return f"contact:{self.contact.pk}"


def begin(contact: Contact) -> tuple[SessionToken, str]:
    """The row and its token, which nobody can read again. Other sessions of the contact go on.

    Raises SessionRefused for somebody who was deactivated or erased.
    """
    if not contact.is_active or contact.erased_at is not None:
        raise SessionRefused("This user is deactivated.")
    return SessionToken.issue(contact, lasts=timedelta(hours=settings.CHAT_SESSION_HOURS))


def in_force() -> QuerySet[SessionToken]:
    """Sessions that let somebody in now."""
    return SessionToken.objects.filter(
        revoked_at=None,
        expires_at__gt=timezone.now(),
        contact__is_active=True,
        contact__erased_at=None,
    )


def session_for_token(token: Any, *, account: Account | None = None) -> SessionToken | None:
    """The session in force that a token belongs to, with its contact and account; of `account` if given."""
    if not isinstance(token, str) or not 0 < len(token) <= LONGEST_TOKEN or token.startswith(ApiKey.PREFIX):
        return None
    rows = in_force().select_related("contact", "account").filter(digest=_digest(token))
    if account is not None:
        rows = rows.filter(account=account)
    return rows.first()


def _digest(token: str) -> str:
    # Half a surrogate pair can come in with JSON, and is in no token.
    return digest(token.encode("utf-8", "replace").decode())


def contact_for_token(token: Any, *, account: Account | None = None) -> Contact | None:
    """The contact that a token speaks for; None for a token that is unknown, expired or revoked."""
    session = session_for_token(token, account=account)
    return session.contact if session is not None else None


def caller_for_token(token: Any) -> SessionCaller | None:
    session = session_for_token(token)
    if session is None:
        return None
    return SessionCaller(
        account=session.account,
        scopes=SCOPES,
        name=f"session {session.pk}",
        contact=session.contact,
        session_id=session.pk,
    )


def extend(session: SessionToken, *, hours: int) -> bool:
    """Ends `hours` from now, never earlier than before, and never beyond its greatest age.

    Only a session in force: an ended one is not revived.
    """
    until = min(timezone.now() + timedelta(hours=hours), session.created_at + OLDEST)
    until = max(until, session.expires_at)
    moved = in_force().filter(pk=session.pk).update(expires_at=until)
    if moved:
        session.expires_at = until
    return moved > 0


def revoke(session: SessionToken) -> bool:
    """From now on its token is refused. False when it was revoked before."""
    rows = SessionToken.objects.filter(pk=session.pk, revoked_at=None)
    return rows.update(revoked_at=timezone.now()) > 0


def revoke_all(contact: Contact) -> int:
    return SessionToken.objects.filter(contact=contact, revoked_at=None).update(revoked_at=timezone.now())


def sweep_ended() -> int:
    """Removes sessions that ended a while ago, a bounded piece at a time."""
    ended = SessionToken.objects.filter(expires_at__lt=timezone.now() - KEPT_AFTER_END).order_by("expires_at")
    ids = list(ended.values_list("pk", flat=True)[:SWEPT_AT_ONCE])
    return int(SessionToken.objects.filter(pk__in=ids).delete()[0]) if ids else 0
