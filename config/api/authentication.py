"""Who calls: an API key, or, in demo mode on loopback, anyone as account `default`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from config.api.models import DEFAULT_ACCOUNT, Account, ApiKey, digest
from config.api.prepared import PreparedRows, given

LONGEST_KEY = 200  # characters; ours have 46
UNUSABLE_KEY = "This API key is unknown, expired or revoked."
NO_KEY = f"This is no API key of ours: those begin with {ApiKey.PREFIX}"


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
    return cast(Caller, request.auth)


def account_of(request: Request) -> Account:
    return caller_of(request).account


def presented_key(headers: Any) -> str:
    """The key of `Authorization: Bearer …` or `X-API-Key: …`; empty when there is none."""
    scheme, _, value = headers.get("Authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else headers.get("X-API-Key", "").strip()


_usable_key = PreparedRows(
    lambda: (
        ApiKey.objects.usable(at=given(ApiKey, "expires_at", name="now"))
        .filter(digest=given(ApiKey, "digest"))
        .select_related("account")
        .order_by()
    )
)


def caller_for_key(key: str) -> Caller | None:
    """The caller a key speaks for; None when it is unknown, expired or revoked.

    One query; notes the use of the key with a second one at most once a minute.
    """
    if not key.startswith(ApiKey.PREFIX) or len(key) > LONGEST_KEY:
        return None
    now = timezone.now()
    row = _usable_key.first(digest=digest(key), now=now)
    if row is None:
        return None
    if row.last_used_at is None or now - row.last_used_at >= ApiKey.USED_RESOLUTION:
        note_use(row, at=now)
    return Caller(account=row.account, scopes=tuple(row.scopes), name=row.name, key_id=str(row.pk))


def note_use(row: ApiKey, *, at: datetime) -> None:
    """Of many requests at once, one writes."""
    before = at - ApiKey.USED_RESOLUTION
    unnoted = Q(last_used_at=None) | Q(last_used_at__lte=before)
    ApiKey.objects.filter(unnoted, pk=row.pk).update(last_used_at=at)


_account_called = PreparedRows(lambda: Account.objects.filter(slug=given(Account, "slug")).order_by())


def demo_caller() -> Caller:
    """The account that callers without a credential act for, in demo mode only."""
    account = _account_called.first(slug=DEFAULT_ACCOUNT)
    if account is None:
        account, _ = Account.objects.get_or_create(slug=DEFAULT_ACCOUNT, defaults={"name": "Demo"})
    return Caller(account=account, scopes=("*",), name="demo")


def unusable(key: str) -> str:
    """Why a key lets nobody in. The token of a session, or of another service, is sent here by mistake."""
    return UNUSABLE_KEY if key.startswith(ApiKey.PREFIX) else NO_KEY


class ApiKeyAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[None, Caller] | None:
        key = presented_key(request.headers)
        if not key:
            return None
        caller = caller_for_key(key)
        if caller is None:
            raise AuthenticationFailed(unusable(key))
        return None, caller

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class DemoAuthentication(BaseAuthentication):
    """Lets callers without a credential in, in demo mode only; DemoGuardMiddleware keeps web pages out."""

    def authenticate(self, request: Request) -> tuple[None, Caller] | None:
        if settings.RAPPORT_ENV != "demo":
            return None
        return None, demo_caller()
