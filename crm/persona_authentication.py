"""Persona-chat users by their signed token: in REST framework's views, in async views, and for the demo.

A view that lets them in shows what is theirs alone: they see their own contact's rows and no others.
"""

from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request

from config.api.async_views import challenged
from config.api.authentication import Caller, caller_of
from config.api.models import Account, digest
from config.api.prepared import PreparedRows, given
from config.api.threads import in_database
from config.api.web_tokens import TokenUser, auser_of, presented_token, user_of
from crm import contacts
from crm.models import Contact, ContactAddress
from crm.persona_care import refuse_banned
from personas import rate_limits

SCOPE = "persona-chat"
DEMO_USER = "demo"
DEACTIVATED = "This user is deactivated."


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonaUser(Caller):
    """Who a token speaks for. `contact` is None until something of them is kept: `contact_of` makes it."""

    user_id: str
    contact: Contact | None = None
    is_adult: bool | None = None  # as their token says

    @property
    def ident(self) -> str:
        # By person, whichever of their tokens they send; the id itself is in no counter's name.
        return f"persona:{self.account.pk}:{digest(self.user_id)[:32]}"


def contact_of(user: PersonaUser) -> Contact:
    """Their contact, made at the first need."""
    if user.contact is not None:
        return user.contact
    found = contacts.resolve(user.account, external_id=user.user_id, source="persona chat")[0]
    if not found.is_active or found.erased_at is not None:
        raise PermissionDenied(DEACTIVATED)
    found.account = user.account
    return found


_address_of = PreparedRows(
    lambda: (
        ContactAddress.objects.filter(
            account__slug=given(Account, "slug"),
            kind=ContactAddress.Kind.EXTERNAL_ID,
            value=given(ContactAddress, "value"),
        )
        .select_related("account", "contact__ban")
        .order_by()
    )
)


def known_user(who: TokenUser) -> PersonaUser:
    """The user with their contact, if they have one: usually one query.

    Raises PermissionDenied for who was deactivated, ApiError (403) for who is banned.
    """
    address = _address_of.first(slug=who.account_slug, value=who.user_id)
    if address is None:
        return _user(_account(who.account_slug), who)
    if not address.contact.is_active or address.contact.erased_at is not None:
        raise PermissionDenied(DEACTIVATED)
    refuse_banned(address.contact)
    address.contact.account = address.account
    return replace(_user(address.account, who), contact=address.contact)


def _user(account: Account, who: TokenUser) -> PersonaUser:
    name = f"user {who.user_id}"[:150]
    return PersonaUser(
        account=account, scopes=(SCOPE,), name=name, user_id=who.user_id, is_adult=who.is_adult
    )


def _account(slug: str) -> Account:
    """Of an issuer in the settings: made when it is missing, so that a new installation turns nobody away."""
    return Account.objects.get_or_create(slug=slug, defaults={"name": slug.capitalize()})[0]


def _is_demo(request: Any) -> bool:
    """In demo mode, on loopback, a caller without a credential is the demo's one user."""
    return settings.RAPPORT_ENV == "demo" and "Authorization" not in request.headers


def _demo_user() -> TokenUser:
    return TokenUser(settings.PERSONA_ACCOUNT, DEMO_USER)


class PersonaAuthentication(BaseAuthentication):
    """`request.auth` is a PersonaUser; without a good token nobody gets past it."""

    def authenticate(self, request: Request) -> tuple[None, PersonaUser]:
        who = _demo_user() if _is_demo(request) else user_of(presented_token(request.headers))
        return None, known_user(who)

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def persona_user(request: Request) -> PersonaUser:
    """The user of a view that PersonaAuthentication guards."""
    caller = caller_of(request)
    if not isinstance(caller, PersonaUser):
        raise TypeError("This view does not list PersonaAuthentication.")
    return caller


async def authenticate(request: HttpRequest) -> PersonaUser:
    """The user of an async view, after one step of their rate limit. Raises APIException."""
    try:
        who = _demo_user() if _is_demo(request) else await auser_of(presented_token(request.headers))
    except AuthenticationFailed as error:
        raise challenged(error) from None
    user = await in_database(known_user, who)
    await rate_limits.throttle(request, user.ident)
    return user


class PersonaScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "crm.persona_authentication.PersonaAuthentication"
    name = "UserToken"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        words = "A JWT of one of the issuers in JWT_ISSUERS (docs/persona-chat-api.md)."
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": words}
