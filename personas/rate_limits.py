"""Rate limits of persona chat: requests a minute and an hour of one user, in the documented headers."""

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from config.api import metadata
from config.api.addresses import client_address, ident_of_address
from config.api.throttling import Allowance, atake, note_headers, take

if TYPE_CHECKING:
    from rest_framework.views import APIView

BUCKET = "persona"
NAMES = {"per_minute": "Minute", "per_hour": "Hour"}


def _limits() -> dict[str, Any]:
    return {
        "bucket": BUCKET,
        "per_second": 0,
        "per_minute": settings.PERSONA_PER_MINUTE,
        "per_hour": settings.PERSONA_PER_HOUR,
    }


def _ident(known: str, request: HttpRequest) -> str:
    return known or ident_of_address(client_address(request))


def _note(allowance: Allowance) -> None:
    """Raises ApiError 429 or 503 for a request too many, which costs nothing in the other window."""
    note_headers(allowance)
    if facts := metadata.current():
        for name, limit, remaining in allowance.windows:
            facts.headers[f"X-RateLimit-Limit-{NAMES[name]}"] = str(limit)
            facts.headers[f"X-RateLimit-Remaining-{NAMES[name]}"] = str(remaining)
    if not allowance.allowed:
        raise allowance.refusal()


async def throttle(request: HttpRequest, known: str = "") -> None:
    """One step of the limit of whoever is `known`, else of the client's address. Raises ApiError."""
    _note(await atake(_ident(known, request), **_limits()))


class PersonaThrottle(BaseThrottle):
    """The same for a REST framework view."""

    def allow_request(self, request: Request, view: "APIView") -> bool:
        _note(take(_ident(getattr(request.auth, "ident", ""), request._request), **_limits()))
        return True
