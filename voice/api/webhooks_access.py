"""Who may call the webhook API: a key of ours, or the one that API_SECRET_KEY names; and how often."""

import hmac
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.views import APIView

from config.api import throttling
from config.api.addresses import client_address, ident_of_address
from config.api.async_views import authenticate, throttle
from config.api.authentication import ApiKeyAuthentication, Caller, DemoAuthentication, presented_key
from config.api.gathering import Gathered
from config.api.openapi import DemoScheme
from voice.webhook_account import webhook_account

SCOPE = "voice"
BUCKET = "webhook"
REFUSED = (exceptions.NotAuthenticated, exceptions.AuthenticationFailed, exceptions.PermissionDenied)


def is_environment_key(given: str) -> bool:
    secret = settings.API_SECRET_KEY
    return bool(secret and given) and hmac.compare_digest(given.encode(), secret.encode())


def environment_caller() -> Caller:
    return Caller(webhook_account(), scopes=(SCOPE,), name="API_SECRET_KEY", key_id="environment")


def _environment_callers(asked: list[None]) -> list[Caller]:
    return [environment_caller()] * len(asked)


_by_environment = Gathered[None, Caller](_environment_callers)


class EnvironmentKeyAuthentication(BaseAuthentication):
    """The key of API_SECRET_KEY, as the documented server has it; any other is the next one's to know."""

    def authenticate(self, request: Request) -> tuple[None, Caller] | None:
        return (None, environment_caller()) if is_environment_key(presented_key(request.headers)) else None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class EnvironmentKeyScheme(DemoScheme):  # type: ignore[no-untyped-call]
    """It is sent as every other key is: nothing more to document."""

    target_class = EnvironmentKeyAuthentication  # type: ignore[assignment]


class WebhookView(APIView):
    """A limit for each key; only calls that are refused count against an address, and those are slowed."""

    authentication_classes = (EnvironmentKeyAuthentication, ApiKeyAuthentication, DemoAuthentication)
    required_scope = SCOPE
    throttle_bucket = BUCKET
    throttle_per_second = 0

    @property
    def throttle_per_minute(self) -> int:
        limit: int = settings.WEBHOOK_PER_MINUTE
        return limit

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        try:
            super().initial(request, *args, **kwargs)
        except REFUSED:
            count_refused(request._request)
            raise


async def webhook_caller(request: HttpRequest) -> Caller:
    """The same for a plain async view. Raises APIException."""
    limits = {"bucket": BUCKET, "per_minute": settings.WEBHOOK_PER_MINUTE, "per_second": 0}
    try:
        if is_environment_key(presented_key(request.headers)):
            caller = await _by_environment(None)
            await throttle(request, ident=caller.ident, **limits)
            return caller
        return await authenticate(request, SCOPE, **limits)
    except REFUSED:
        await acount_refused(request)
        raise


def count_refused(request: HttpRequest) -> None:
    """Raises when an address was refused too often. Verified traffic never comes here."""
    _note(throttling.take(ident_of_address(client_address(request)), **_refusals()))


async def acount_refused(request: HttpRequest) -> None:
    _note(await throttling.atake(ident_of_address(client_address(request)), **_refusals()))


def _refusals() -> dict[str, Any]:
    return {"bucket": "webhook-refused", "per_minute": settings.WEBHOOK_REFUSED_PER_MINUTE, "per_second": 0}


def _note(allowance: throttling.Allowance) -> None:
    throttling.note_headers(allowance)
    if not allowance.allowed:
        raise allowance.refusal()
