"""`/email-content…`: an email's text for one person, in place of the template's."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from campaigns import own_words
from campaigns.api.marketing.naming import EMAIL, SCOPE, USER_ID, account_in, email_in, noted
from campaigns.models import EmailContent
from config.api.documented_values import UtcTime, WholeLists, in_utc, private
from config.api.errors import NotFoundError
from config.api.models import Account
from config.api.owned import OwnedList
from crm import contacts
from interviews.sessions import contact_of, wire_id

TAG = "Marketing: emails"


class NewContentSerializer(serializers.Serializer):
    user_id = serializers.CharField(max_length=64)
    email = serializers.CharField(max_length=320)
    content = serializers.CharField(
        max_length=own_words.LONGEST,
        trim_whitespace=False,
        help_text="May hold {interview_link}, {follow_up_num} and {email}.",
    )
    created_at = UtcTime()


class ContentSerializer(NewContentSerializer):
    _id = serializers.CharField()
    updated_at = UtcTime()


class ContentDeletedSerializer(serializers.Serializer):
    message = serializers.CharField()
    deleted_count = serializers.IntegerField()


def content_record(account: Account, row: EmailContent) -> dict[str, Any]:
    return {
        "_id": wire_id(row.pk),
        "user_id": account.slug,
        "email": contacts.email_of(row.contact),
        "content": row.content,
        "created_at": in_utc(row.created_at),
        "updated_at": in_utc(row.updated_at),
    }


def contents_of(account: Account) -> Any:
    rows = EmailContent.objects.for_account(account).select_related("contact")
    return rows.prefetch_related("contact__addresses")


def content_named(account: Account, email: str) -> EmailContent:
    contact = contact_of(account, email_in(email))
    found: EmailContent | None = contents_of(account).filter(contact=contact).first() if contact else None
    if found is None:
        raise NotFoundError("email content")
    return found


@extend_schema(tags=[TAG])
class ContentCreate(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="email_content_set",
        summary="Write the text of one person's emails. Written again, the later one counts",
        request=NewContentSerializer,
        responses=ContentSerializer,
    )
    def post(self, request: Request) -> Response:
        serializer = NewContentSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        given = serializer.validated_data
        account, email = account_in(request, given["user_id"]), email_in(given["email"])
        try:
            own_words.keep(account, email, given["content"], at=given["created_at"])
        except own_words.RefusedContent as refusal:
            raise serializers.ValidationError({"content": [str(refusal)]}) from None
        noted(request, account, "wrote an email text")
        return private(content_record(account, content_named(account, email)))


@extend_schema(tags=[TAG], parameters=[USER_ID, EMAIL])
class ContentDetail(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="email_content_read",
        summary="The text that was written for one person",
        responses=ContentSerializer,
    )
    def get(self, request: Request, user_id: str, email: str) -> Response:
        account = account_in(request, user_id)
        return private(content_record(account, content_named(account, email)))

    @extend_schema(
        operation_id="email_content_delete",
        summary="Go back to the template for one person",
        responses={200: ContentDeletedSerializer},
    )
    def delete(self, request: Request, user_id: str, email: str) -> Response:
        account = account_in(request, user_id)
        content_named(account, email).delete()
        noted(request, account, "deleted an email text")
        return private({"message": "Deleted.", "deleted_count": 1})


@extend_schema(tags=[TAG], parameters=[USER_ID])
class ContentList(OwnedList):
    required_scope = SCOPE
    serializer_class = ContentSerializer
    queryset = EmailContent.objects.none()
    pagination_class = WholeLists
    ordering = "id"

    @extend_schema(operation_id="email_content_list", summary="All texts that the account wrote for persons")
    def get(self, request: Request, user_id: str) -> Response:
        account = account_in(request, user_id)
        page = self.paginate_queryset(contents_of(account)) or []
        return self.get_paginated_response([content_record(account, row) for row in page])

    @extend_schema(
        operation_id="email_content_delete_all",
        summary="Go back to the template for everybody",
        responses={200: ContentDeletedSerializer},
    )
    def delete(self, request: Request, user_id: str) -> Response:
        account = account_in(request, user_id)
        deleted, _kinds = EmailContent.objects.for_account(account).delete()
        noted(request, account, "deleted all email texts", deleted=deleted)
        return private({"message": "Deleted.", "deleted_count": deleted})
