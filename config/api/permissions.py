"""What a caller may do: every view names the scope it asks for."""

from typing import TYPE_CHECKING

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from config.api.authentication import Caller

if TYPE_CHECKING:
    # REST framework imports this module while it makes APIView.
    from rest_framework.views import APIView

# What a key may be allowed, and what that opens. Each app asks for its own by `required_scope`.
SCOPES = {
    "accounts": "make accounts",
    "admin": "health in detail, settings, and the overview of the installation",
    "analytics": "figures of the account",
    "bans": "bans of persona chat",
    "calls": "phone calls and call batches",
    "campaigns": "campaigns, lists, mail servers, templates, what came back",
    "chat": "POST /chat for every contact",
    "crm": "contacts, sessions, conversations",
    "interviews": "guides, interviews, transcripts",
    "knowledge": "documents, collections, questions to them",
    "personas": "personas, their drafts and cards",
    "usage": "tokens and cost",
    "voice": "webhooks of conversations, and what they brought",
}


def unknown_scopes(words: list[str]) -> list[str]:
    return [word for word in words if word != "*" and word not in SCOPES]


class HasScope(BasePermission):
    """The caller's key has the view's `required_scope`. A view that names none lets nobody in."""

    message = "This API key does not have the scope that is needed here."

    def has_permission(self, request: Request, view: "APIView") -> bool:
        scope = getattr(view, "required_scope", None)
        return isinstance(request.auth, Caller) and scope is not None and request.auth.allows(scope)
