"""`/emails…`: the people of an account's list, and how their emails stand."""

from typing import Any

from django.db import transaction
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from campaigns import addresses
from campaigns.api.marketing.naming import (
    EMAIL,
    SCOPE,
    USER_ID,
    account_in,
    email_in,
    noted,
    person_named,
    while_it_runs,
)
from campaigns.models import Recipient
from config.api.documented_values import UtcTime, WholeLists, body_or_query, in_utc, private
from config.api.errors import ApiError, NotFoundError
from config.api.marketing_words import EMAIL_WORDS
from config.api.models import Account
from config.api.owned import OwnedList
from crm import contacts
from interviews.sessions import wire_id

TAG = "Marketing: emails"
LONGEST_ERROR = 1000


class EmailRecordSerializer(serializers.Serializer):
    _id = serializers.CharField()
    user_id = serializers.CharField()
    email = serializers.CharField(allow_blank=True)
    status = serializers.ChoiceField(EMAIL_WORDS)
    follow_up_count = serializers.IntegerField(help_text="Emails sent, the invitation counted.")
    last_sent_at = UtcTime(allow_null=True)
    error_message = serializers.CharField(allow_null=True)
    created_at = UtcTime()
    updated_at = UtcTime()


class NewEmailSerializer(serializers.Serializer):
    user_id = serializers.CharField(max_length=64)
    email = serializers.CharField(max_length=320)
    created_at = UtcTime()
    updated_at = UtcTime()
    status = serializers.ChoiceField(EMAIL_WORDS, required=False, default="pending")
    follow_up_count = serializers.IntegerField(min_value=0, max_value=1000, required=False, default=0)
    last_sent_at = UtcTime(required=False, allow_null=True)
    error_message = serializers.CharField(
        max_length=LONGEST_ERROR, required=False, allow_null=True, allow_blank=True
    )


class StatusChangeSerializer(serializers.Serializer):
    status = serializers.ChoiceField(EMAIL_WORDS, help_text="`pending`: try this person again.")
    error_message = serializers.CharField(
        max_length=LONGEST_ERROR, required=False, allow_null=True, allow_blank=True
    )


class EmailChangeSerializer(serializers.Serializer):
    status = serializers.ChoiceField(EMAIL_WORDS, required=False)
    follow_up_count = serializers.IntegerField(min_value=0, max_value=1000, required=False)
    last_sent_at = UtcTime(required=False, allow_null=True)
    error_message = serializers.CharField(
        max_length=LONGEST_ERROR, required=False, allow_null=True, allow_blank=True
    )


class StatusChangedSerializer(serializers.Serializer):
    message = serializers.CharField()
    email = serializers.CharField()
    status = serializers.ChoiceField(EMAIL_WORDS)
    updated_record = EmailRecordSerializer()


class UpdatedFieldsSerializer(EmailChangeSerializer):
    updated_at = UtcTime()


class EmailChangedSerializer(serializers.Serializer):
    message = serializers.CharField()
    email = serializers.CharField()
    updated_fields = UpdatedFieldsSerializer()
    updated_record = EmailRecordSerializer()


class DeletedCountsSerializer(serializers.Serializer):
    emails = serializers.IntegerField()
    interviews = serializers.IntegerField()
    email_contents = serializers.IntegerField()


class DeletedSerializer(serializers.Serializer):
    message = serializers.CharField()
    email = serializers.CharField()
    user_id = serializers.CharField()
    deleted_counts = DeletedCountsSerializer()
    total_records_deleted = serializers.IntegerField()


def email_record(account: Account, person: Recipient) -> dict[str, Any]:
    """A row of addresses.people_of."""
    return {
        "_id": wire_id(person.pk),
        "user_id": account.slug,
        "email": contacts.email_of(person.contact),
        "status": addresses.word_of(person),
        "follow_up_count": person.emails_sent,
        "last_sent_at": in_utc(person.last_sent_at),
        "error_message": addresses.error_of(person),
        "created_at": in_utc(person.created_at),
        "updated_at": in_utc(addresses.changed_at(person)),
    }


@extend_schema(tags=[TAG])
class EmailCreate(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="emails_create",
        summary="Put a person on the account's list. Put there twice, they are there once",
        request=NewEmailSerializer,
        responses=EmailRecordSerializer,
    )
    def post(self, request: Request) -> Response:
        serializer = NewEmailSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        given = serializer.validated_data
        account, email = account_in(request, given["user_id"]), email_in(given["email"])
        # Together, so that nobody who is told to be a bounce is invited before that is written.
        with while_it_runs(), transaction.atomic():
            person, is_new = addresses.add(account, email)
            if is_new:
                _told(person, given)
                noted(request, account, "added an address", recipient=person.pk)
        times = {name: in_utc(given[name]) for name in ("created_at", "updated_at")}
        return private({**email_record(account, person_named(account, email)), **times})


def _told(person: Recipient, given: dict[str, Any]) -> None:
    """What the caller knows already of a person it moves here."""
    if given["status"] != "pending":
        addresses.report(person, given["status"], error=given.get("error_message"))
    if given["follow_up_count"] or given.get("last_sent_at"):
        addresses.correct(
            person, emails_sent=given["follow_up_count"], last_sent_at=given.get("last_sent_at")
        )


@extend_schema(tags=[TAG], parameters=[USER_ID])
class EmailList(OwnedList):
    required_scope = SCOPE
    serializer_class = EmailRecordSerializer
    queryset = Recipient.objects.none()
    pagination_class = WholeLists
    ordering = "id"

    @extend_schema(operation_id="emails_list", summary="The account's list, in the order of its making")
    def get(self, request: Request, user_id: str) -> Response:
        account = account_in(request, user_id)
        page = self.paginate_queryset(addresses.people_of(account)) or []
        return self.get_paginated_response([email_record(account, person) for person in page])


@extend_schema(tags=[TAG], parameters=[USER_ID, EMAIL])
class EmailDetail(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="emails_delete",
        summary="Take a person off the list, with their interview and all that came of it",
        responses={200: DeletedSerializer},
    )
    def delete(self, request: Request, user_id: str, email: str) -> Response:
        account, address = account_in(request, user_id), email_in(email)
        removed = addresses.remove(account, address)
        if not removed.total:
            raise NotFoundError("address")
        counts = {name: getattr(removed, name) for name in ("emails", "interviews", "email_contents")}
        noted(request, account, "removed an address", **counts)
        body = {"message": "Deleted.", "email": address, "user_id": account.slug}
        return private({**body, "deleted_counts": counts, "total_records_deleted": removed.total})

    @extend_schema(
        operation_id="emails_change",
        summary="Say how a person's email stands, or correct what is counted",
        request=EmailChangeSerializer,
        responses=EmailChangedSerializer,
    )
    def patch(self, request: Request, user_id: str, email: str) -> Response:
        account = account_in(request, user_id)
        person = person_named(account, email)
        serializer = EmailChangeSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        given = serializer.validated_data
        if not given:
            words = "Nothing to change: send status, follow_up_count, last_sent_at or error_message."
            raise ApiError("NOTHING_TO_CHANGE", words, status_code=400)
        _change(person, given)
        record = email_record(account, person_named(account, email))
        noted(request, account, "changed an address", recipient=person.pk)
        shown = {name: in_utc(value) if name == "last_sent_at" else value for name, value in given.items()}
        fields = {**shown, "updated_at": record["updated_at"]}
        body = {"message": "Changed.", "email": record["email"], "updated_fields": fields}
        return private({**body, "updated_record": record})


def _change(person: Recipient, given: dict[str, Any]) -> None:
    if "status" in given:
        addresses.report(person, given["status"], error=given.get("error_message"))
    names = {"follow_up_count": "emails_sent", "last_sent_at": "last_sent_at"}
    changes = {field: given[name] for name, field in names.items() if name in given}
    if "error_message" in given:
        changes["reported_error"] = given["error_message"] or ""
    if changes:
        addresses.correct(person, **changes)


@extend_schema(tags=[TAG], parameters=[USER_ID, EMAIL])
class EmailStatus(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="emails_status",
        summary="Say how a person's email stands; `pending` tries them again from the beginning",
        request=StatusChangeSerializer,
        parameters=[
            OpenApiParameter("status", OpenApiTypes.STR, description="Instead of the body."),
            OpenApiParameter("error_message", OpenApiTypes.STR, description="Instead of the body."),
        ],
        responses=StatusChangedSerializer,
    )
    def put(self, request: Request, user_id: str, email: str) -> Response:
        account = account_in(request, user_id)
        person = person_named(account, email)
        serializer = StatusChangeSerializer(data=body_or_query(request, ("status", "error_message")))
        serializer.is_valid(raise_exception=True)
        given = serializer.validated_data
        addresses.report(person, given["status"], error=given.get("error_message") or None)
        record = email_record(account, person_named(account, email))
        noted(request, account, "reported on an address", recipient=person.pk, status=given["status"])
        body = {"message": "Changed.", "email": record["email"], "status": record["status"]}
        return private({**body, "updated_record": record})
