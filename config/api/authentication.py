"""Who calls: an API key, or, in demo mode on loopback, anyone as account `default`."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from config.api.models import DEFAULT_ACCOUNT, Account, ApiKey, digest


@dataclass(frozen=True, slots=True)
class Caller:
    """What `request.auth` is for integrations: the account it acts for, and what it may do."""

    account: Account
    scopes: tuple[str, ...]
    name: str
    key_id: str = ""

    @property
    def ident(self) -> str:
        """What rate limits count by."""
        return f"key:{self.key_id}" if self.key_id else f"demo:{self.account.pk}"

    def allows(self, scope: str) -> bool:
        return "*" in self.scopes or scope in self.scopes


def caller_of(request: Request) -> Caller:
    caller: Caller = request.auth
    return caller


def account_of(request: Request) -> Account:
    return caller_of(request).account


def presented_key(headers: Any) -> str:
    """The key of `Authorization: Bearer …` or `X-API-Key: …`; empty when there is none."""
    scheme, _, value = headers.get("Authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else headers.get("X-API-Key", "").strip()


def caller_for_key(key: str) -> Caller | None:
    """The caller a key speaks for; None when it is unknown, expired or revoked. Notes its use once a minute."""
    row = ApiKey.objects.usable().select_related("account").filter(digest=digest(key)).first()
    if row is None:
        return None
    now = timezone.now()
    if row.last_used_at is None or now - row.last_used_at > ApiKey.USED_RESOLUTION:
        ApiKey.objects.filter(pk=row.pk).update(last_used_at=now)
    return Caller(account=row.account, scopes=tuple(row.scopes), name=row.name, key_id=str(row.pk))


class ApiKeyAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[None, Caller] | None:
        key = presented_key(request.headers)
        if not key:
            return None
        caller = caller_for_key(key)
        if caller is None:
            raise AuthenticationFailed("This API key is unknown, expired or revoked.")
        return None, caller

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class DemoAuthentication(BaseAuthentication):
    """Lets callers without a credential in, in demo mode only; DemoGuardMiddleware keeps web pages out."""

    def authenticate(self, request: Request) -> tuple[None, Caller] | None:
        if settings.RAPPORT_ENV != "demo":
            return None
        account, _ = Account.objects.get_or_create(slug=DEFAULT_ACCOUNT, defaults={"name": "Demo"})
        return None, Caller(account=account, scopes=("*",), name="demo")
