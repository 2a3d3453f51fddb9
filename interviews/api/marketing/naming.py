"""Who and what a call names: an account, a person's address, a session, an interview's token."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request

from config.api.audit import record
from config.api.authentication import Caller, caller_of
from config.api.errors import ApiError, NotFoundError
from config.api.models import Account
from config.api.named_accounts import account_named, accounts_of
from crm.contacts import InvalidAddress
from interviews import sessions
from interviews.api.guides import SCOPE
from interviews.models import Interview
from interviews.sessions import BadLabel, Label

__all__ = ["EMAIL", "SCOPE", "SESSION_ID", "TOKEN", "USER_ID"]

USER_ID = OpenApiParameter("user_id", OpenApiTypes.STR, OpenApiParameter.PATH, description="The account.")
EMAIL = OpenApiParameter(
    "email", OpenApiTypes.STR, OpenApiParameter.PATH, description="The person's address."
)
SESSION_ID = OpenApiParameter(
    "session_id", OpenApiTypes.STR, OpenApiParameter.PATH, description="`{user_id}+{email}`."
)
TOKEN = OpenApiParameter(
    "token", OpenApiTypes.STR, OpenApiParameter.PATH, description="`{user_id}-{email}`. It opens nothing."
)


def email_in(text: str) -> str:
    """Raises ValidationError: 422 in this API."""
    try:
        return sessions.read_email(text)
    except InvalidAddress as error:
        raise serializers.ValidationError({"email": [str(error)]}) from None


def label_in(session_id: str) -> Label:
    """Raises ApiError, a real 400: clients tell it from a 422."""
    try:
        return sessions.read_label(session_id)
    except BadLabel as error:
        raise ApiError("BAD_SESSION_ID", str(error), status_code=400) from None


def labelled(caller: Caller, session_id: str) -> tuple[Account, Label]:
    label = label_in(session_id)
    return account_named(caller, label.user_id), label


def interview_named(request: Request, user_id: str, email: str) -> Interview:
    address = email_in(email)
    found = sessions.interview_of(account_named(caller_of(request), user_id), address)
    if found is None:
        raise NotFoundError("interview")
    return found


def interview_of_token(request: Request, token: str) -> Interview:
    pair = sessions.by_token(accounts_of(caller_of(request)), token)
    found = sessions.interview_of(*pair) if pair is not None else None
    if found is None:
        raise NotFoundError("interview")
    return found


def noted(request: Request, action: str, interview: Interview, detail: dict[str, Any] | None = None) -> None:
    caller = caller_of(request)
    record(interview.account, "key", caller.name, action, target=interview, detail=detail, request=request)
