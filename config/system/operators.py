"""Staff who call the administration's APIs with their admin session, beside keys and demo callers."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from config.api.authentication import ApiKeyAuthentication, Caller, DemoAuthentication
from config.api.errors import NotFoundError
from config.api.models import Account

if TYPE_CHECKING:
    from rest_framework.views import APIView


@dataclass(frozen=True, slots=True)
class Operator:
    """What `request.auth` is for staff: operators of the whole installation."""

    user: Any

    @property
    def ident(self) -> str:
        """What rate limits count by."""
        return f"staff:{self.user.pk}"


class StaffAuthentication(BaseAuthentication):
    """The admin's session. Only views that change nothing may list it: it asks for no CSRF token."""

    def authenticate(self, request: Request) -> tuple[Any, Operator] | None:
        plain: HttpRequest = request._request
        user = getattr(plain, "user", None)
        if user is None or not (user.is_active and user.is_staff):
            return None
        return user, Operator(user)

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class StaffScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "config.system.operators.StaffAuthentication"
    name = "StaffSession"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": "sessionid",
            "description": "The session of a member of staff, from the admin.",
        }


KEY_OR_STAFF = (ApiKeyAuthentication, StaffAuthentication, DemoAuthentication)


class MayOperate(BasePermission):
    """A key with one of the view's `scopes`, or staff with its `staff_permission`."""

    message = "Neither this key's scopes nor your permissions are enough for this."

    def has_permission(self, request: Request, view: "APIView") -> bool:
        if isinstance(request.auth, Operator):
            return bool(request.auth.user.has_perm(getattr(view, "staff_permission", "")))
        scopes: tuple[str, ...] = getattr(view, "scopes", ())
        return isinstance(request.auth, Caller) and any(request.auth.allows(scope) for scope in scopes)


def account_asked_for(request: Request) -> Account | None:
    """The caller's own account. Staff see all of them together (None), or one by `?account=<slug>`."""
    if isinstance(request.auth, Caller):
        return request.auth.account
    slug = request.query_params.get("account", "")
    if not slug:
        return None
    account = Account.objects.filter(slug=slug).first() if "\0" not in slug else None
    if account is None:
        raise NotFoundError("account")
    return account
