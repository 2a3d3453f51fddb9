"""Tickets that open a user's inbox socket once: an address ends up in logs, and a token lives for hours."""

import secrets
from dataclasses import dataclass
from uuid import UUID

from django.core import signing

from config.api.throttling import take
from crm.persona_authentication import PersonaUser, contact_of

SALT = "crm.inbox"
SECONDS = 30
BUCKET = "inbox-ticket"


@dataclass(frozen=True, slots=True)
class Admitted:
    contact_id: UUID
    user_id: str


def issue(user: PersonaUser) -> str:
    """URL-safe text, signed by this installation."""
    return signing.dumps([str(contact_of(user).pk), user.user_id, secrets.token_hex(8)], salt=SALT)


def redeem(ticket: str) -> Admitted | None:
    """Whom it lets in; None for a ticket that is old, made elsewhere, or was used before."""
    try:
        contact_id, user_id, number = signing.loads(ticket[:2_000], salt=SALT, max_age=SECONDS)
        admitted = Admitted(UUID(contact_id), str(user_id))
    except (signing.BadSignature, ValueError, TypeError):
        return None
    # An atomic counter of which one step a minute is allowed: a ticket lives for less than that.
    is_first = take(f"ticket:{number}", bucket=BUCKET, per_minute=1, per_second=0).allowed
    return admitted if is_first else None
