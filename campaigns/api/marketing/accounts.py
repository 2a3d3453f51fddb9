"""`/accounts`: an account by its `user_id`, and the ids it keeps at the vendor."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from campaigns import marketing_accounts
from campaigns.api.marketing.naming import SCOPE, USER_ID, account_in, noted
from campaigns.marketing_accounts import IDS, BadUserId
from config.api.authentication import caller_of
from config.api.documented_values import UtcTime, in_utc, private
from config.api.errors import ApiError
from config.api.marketing_words import MASK
from config.api.models import Account
from config.api.named_accounts import account_named
from interviews.sessions import wire_id

TAG = "Marketing: accounts"
ACCOUNTS_SCOPE = "accounts"


class IdsSerializer(serializers.Serializer):
    agent_id = serializers.CharField(max_length=100, required=False, allow_null=True, allow_blank=True)
    rag_id = serializers.CharField(max_length=100, required=False, allow_null=True, allow_blank=True)
    chat_agent_id = serializers.CharField(max_length=100, required=False, allow_null=True, allow_blank=True)
    agent_prompt = serializers.CharField(max_length=20_000, required=False, allow_null=True, allow_blank=True)


class NewAccountSerializer(IdsSerializer):
    user_id = serializers.CharField(max_length=64)
    api_key = serializers.CharField(
        max_length=500,
        allow_blank=True,
        help_text="The Lyzr key. Sent again and another, it replaces the former; the mask changes nothing.",
    )
    created_at = UtcTime(required=False, allow_null=True)
    updated_at = UtcTime(required=False, allow_null=True)


class AccountSerializer(serializers.Serializer):
    _id = serializers.CharField()
    user_id = serializers.CharField()
    api_key = serializers.CharField(allow_blank=True, help_text="A mask; empty when none is kept.")
    agent_id = serializers.CharField(allow_null=True)
    rag_id = serializers.CharField(allow_null=True)
    chat_agent_id = serializers.CharField(allow_null=True)
    agent_prompt = serializers.CharField(allow_null=True)
    created_at = UtcTime()
    updated_at = UtcTime()


class NewOrKnownSerializer(serializers.Serializer):
    """Of a new account the whole record; of one that was there, `message` and `user_id`."""

    user_id = serializers.CharField()
    message = serializers.CharField(required=False)
    _id = serializers.CharField(required=False)
    api_key = serializers.CharField(required=False, allow_blank=True)
    agent_id = serializers.CharField(required=False, allow_null=True)
    rag_id = serializers.CharField(required=False, allow_null=True)
    chat_agent_id = serializers.CharField(required=False, allow_null=True)
    agent_prompt = serializers.CharField(required=False, allow_null=True)
    created_at = UtcTime(required=False)
    updated_at = UtcTime(required=False)
    access_key = serializers.CharField(
        required=False, help_text="The new account's own key for these APIs. It is shown this once."
    )


class ChangedSerializer(serializers.Serializer):
    message = serializers.CharField()
    user_id = serializers.CharField()


def account_record(account: Account) -> dict[str, Any]:
    link = marketing_accounts.link_of(account)
    return {
        "_id": wire_id(account.pk),
        "user_id": account.slug,
        "api_key": MASK if marketing_accounts.vendor_key_of(account) else "",
        **{name: getattr(link, name) or None for name in IDS},
        "created_at": in_utc(account.created_at),
        "updated_at": in_utc(link.updated_at or account.created_at),
    }


@extend_schema(tags=[TAG])
class AccountCreate(APIView):
    required_scope = ACCOUNTS_SCOPE

    @extend_schema(
        operation_id="accounts_create",
        summary="Make an account. One that is there stays as it is; only a rotated `api_key` is kept",
        request=NewAccountSerializer,
        responses=NewOrKnownSerializer,
    )
    def post(self, request: Request) -> Response:
        serializer = NewAccountSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        given = serializer.validated_data
        user_id = given["user_id"]
        if marketing_accounts.find(user_id) is None:
            try:
                made = marketing_accounts.make(user_id, vendor_key=given["api_key"], ids=given)
            except BadUserId as error:
                raise serializers.ValidationError({"user_id": [str(error)]}) from None
            if made.key is not None:
                noted(request, made.account, "made an account")
                return private({**account_record(made.account), "access_key": made.key})
        # Somebody else's is not there, as everywhere.
        account = account_named(caller_of(request), user_id)
        rotated = marketing_accounts.keep_vendor_key(account, given["api_key"])
        if rotated:
            noted(request, account, "rotated the vendor's key")
        message = "Account exists; its API key was replaced." if rotated else "Account exists."
        return private({"message": message, "user_id": account.slug})


@extend_schema(tags=[TAG], parameters=[USER_ID])
class AccountDetail(APIView):
    required_scope = SCOPE

    @extend_schema(operation_id="accounts_read", summary="One account", responses=AccountSerializer)
    def get(self, request: Request, user_id: str) -> Response:
        return private(account_record(account_in(request, user_id)))

    @extend_schema(
        operation_id="accounts_change",
        summary="Keep other ids of the account",
        request=IdsSerializer,
        responses=ChangedSerializer,
    )
    def patch(self, request: Request, user_id: str) -> Response:
        account = account_in(request, user_id)
        serializer = IdsSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        if not marketing_accounts.keep_ids(account, serializer.validated_data):
            words = f"Nothing to change: send one of {', '.join(IDS)}."
            raise ApiError("NOTHING_TO_CHANGE", words, status_code=400)
        noted(request, account, "changed an account's ids", ids=sorted(serializer.validated_data))
        return private({"message": "Account updated.", "user_id": account.slug})
