"""Who is at a page of persona chat: staff who are signed in, or a user who came with a ticket.

An embedding site, which holds the user's token, asks for a ticket and posts it from the browser to
`/personas/enter`: once, within a minute, and from a site that is listed in CORS_ALLOWED_ORIGINS.
"""

from typing import Any

from django.conf import settings
from django.core import signing
from django.http import HttpRequest

from config.api.models import digest
from config.api.security import is_own_origin
from config.api.throttling import take
from config.api.web_tokens import TokenUser
from crm.assistant_values import external_id_of
from crm.authentication import WATCHING
from crm.persona_authentication import PersonaUser, known_user

SALT = "crm.persona_ticket"
TICKET_SECONDS = 60
LONGEST_TICKET = 1_000
SESSION_KEY = "persona_user"
SESSION_SECONDS = 3_600


def ticket_for(user: PersonaUser) -> str:
    return signing.dumps([user.account.slug, user.user_id, user.is_adult], salt=SALT)


def entered(request: HttpRequest, ticket: str) -> bool:
    """Whether the browser's session is now that of the ticket's user."""
    who = _who_of(ticket) if is_own_origin(request.META) else None
    if who is None:
        return False
    # Whoever was here before, staff included, is here no more.
    request.session.flush()
    request.session[SESSION_KEY] = list(who)
    request.session.set_expiry(SESSION_SECONDS)
    return True


def _who_of(ticket: str) -> tuple[str, str, bool | None] | None:
    """None for a ticket that we did not sign, that is too old, or that was used."""
    try:
        slug, user_id, is_adult = signing.loads(ticket[:LONGEST_TICKET], salt=SALT, max_age=TICKET_SECONDS)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    # One atomic counter says who is first; it outlives the ticket.
    once = take(f"ticket:{digest(ticket)}", bucket="ticket", per_minute=0, per_second=0, per_hour=1)
    return (str(slug), str(user_id), is_adult) if once.allowed else None


def page_user(request: HttpRequest, user: Any) -> PersonaUser | None:
    """Of this session; None for a stranger. `user` is Django's. Raises what known_user raises."""
    if who := request.session.get(SESSION_KEY):
        return known_user(TokenUser(*who))
    if user.is_active and user.is_staff and user.has_perm(WATCHING):
        return known_user(TokenUser(settings.PERSONA_ACCOUNT, external_id_of(user)))
    return None
