"""What a caller may do: every view names the scope it asks for."""

from typing import TYPE_CHECKING

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from config.api.authentication import Caller

if TYPE_CHECKING:
    # REST framework imports this module while it makes APIView.
    from rest_framework.views import APIView


class HasScope(BasePermission):
    """The caller's key has the view's `required_scope`. A view that names none lets nobody in."""

    message = "This API key does not have the scope that is needed here."

    def has_permission(self, request: Request, view: "APIView") -> bool:
        scope = getattr(view, "required_scope", None)
        return isinstance(request.auth, Caller) and scope is not None and request.auth.allows(scope)
