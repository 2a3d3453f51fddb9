"""Who and what a call names: an account, an address on its list."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request

from campaigns import addresses
from campaigns.api import SCOPE
from campaigns.models import Recipient
from config.api.audit import record
from config.api.authentication import caller_of
from config.api.errors import NotFoundError
from config.api.models import Account
from config.api.named_accounts import account_in
from crm.contacts import InvalidAddress
from interviews.sessions import read_email

__all__ = ["EMAIL", "PAGES", "SCOPE", "USER_ID", "account_in"]

USER_ID = OpenApiParameter("user_id", OpenApiTypes.STR, OpenApiParameter.PATH, description="The account.")
EMAIL = OpenApiParameter(
    "email", OpenApiTypes.STR, OpenApiParameter.PATH, description="The person's address."
)
PAGES = [
    OpenApiParameter("limit", OpenApiTypes.INT, description="At most so many; else 10,000."),
    OpenApiParameter("cursor", OpenApiTypes.STR, description="From the `Link` header of the answer before."),
]


def email_in(text: str) -> str:
    """Raises ValidationError: 422 in this API."""
    try:
        return read_email(text)
    except InvalidAddress as error:
        raise serializers.ValidationError({"email": [str(error)]}) from None


def person_named(account: Account, email: str) -> Recipient:
    found = addresses.person_at(account, email_in(email))
    if found is None:
        raise NotFoundError("address")
    return found


def noted(request: Request, account: Account, action: str, **detail: Any) -> None:
    record(account, "key", caller_of(request).name, action, target=account, detail=detail, request=request)
