"""Who may call the webhook API: a key of ours, or the one that API_SECRET_KEY names; and how often."""

import hmac

from django.conf import settings
from django.http import HttpRequest
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.views import APIView

from config.api import throttling
from config.api.addresses import client_address, ident_of_address
from config.api.authentication import ApiKeyAuthentication, Caller, DemoAuthentication, presented_key
from config.api.openapi import DemoScheme
from voice.webhook_account import webhook_account

SCOPE = "voice"
REFUSED = (exceptions.NotAuthenticated, exceptions.AuthenticationFailed, exceptions.PermissionDenied)


class EnvironmentKeyAuthentication(BaseAuthentication):
    """The key of API_SECRET_KEY, as the documented server has it; any other is the next one's to know."""

    def authenticate(self, request: Request) -> tuple[None, Caller] | None:
        secret = settings.API_SECRET_KEY
        given = presented_key(request.headers)
        if secret and given and hmac.compare_digest(given.encode(), secret.encode()):
            caller = Caller(webhook_account(), scopes=(SCOPE,), name="API_SECRET_KEY", key_id="environment")
            return None, caller
        return None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class EnvironmentKeyScheme(DemoScheme):  # type: ignore[no-untyped-call]
    """It is sent as every other key is: nothing more to document."""

    target_class = EnvironmentKeyAuthentication  # type: ignore[assignment]


class WebhookView(APIView):
    """A limit for each key; only calls that are refused count against an address, and those are slowed."""

    authentication_classes = (EnvironmentKeyAuthentication, ApiKeyAuthentication, DemoAuthentication)
    required_scope = SCOPE
    throttle_bucket = "webhook"
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


def count_refused(request: HttpRequest) -> None:
    """Raises when an address was refused too often. Verified traffic never comes here."""
    ident = ident_of_address(client_address(request))
    allowance = throttling.take(
        ident, bucket="webhook-refused", per_minute=settings.WEBHOOK_REFUSED_PER_MINUTE, per_second=0
    )
    throttling.note_headers(allowance)
    if not allowance.allowed:
        raise allowance.refusal()
