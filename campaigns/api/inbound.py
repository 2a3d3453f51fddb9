"""What arrived, and the thread with one person, over the API."""

from typing import Any
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from campaigns import threads
from campaigns.api import SCOPE
from campaigns.models import InboundEmail
from config.api.audit import record
from config.api.authentication import account_of, caller_of
from config.api.envelope import success
from config.api.models import Account
from config.api.openapi import enveloped
from config.api.owned import OwnedList, one_of, uuid_in
from crm.contacts import email_of
from crm.models import Contact

KINDS = tuple(InboundEmail.Kind.values)


class AttachmentSerializer(serializers.Serializer):
    name = serializers.CharField()
    kind = serializers.CharField(help_text="The type it claims.")
    size_bytes = serializers.IntegerField()


class InboundEmailSerializer(serializers.ModelSerializer):
    contact = serializers.UUIDField(source="contact_id", allow_null=True)
    delivery = serializers.UUIDField(
        source="delivery_id", allow_null=True, help_text="Our email it is about."
    )
    kind = serializers.CharField(help_text=f"One of {', '.join(KINDS)}; empty until it is read.")
    state = serializers.CharField(help_text="waiting, taken, done or dead.")
    matched_by = serializers.CharField(help_text="message_id, tag, sender, or empty.")
    facts = serializers.DictField(child=serializers.CharField(), help_text="Of a bounce: status, reply …")
    attachments = AttachmentSerializer(many=True)

    class Meta:
        model = InboundEmail
        fields = (
            "id",
            "kind",
            "state",
            "contact",
            "delivery",
            "matched_by",
            "source",
            "from_email",
            "from_name",
            "to_email",
            "subject",
            "text",
            "attachments",
            "facts",
            "message_id",
            "written_at",
            "received_at",
        )


class LetterSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    direction = serializers.ChoiceField(("out", "in"))
    at = serializers.DateTimeField()
    subject = serializers.CharField()
    text = serializers.CharField(help_text="Links that open something are cut.")
    state = serializers.CharField(help_text="Of ours its standing; of theirs its kind.")
    from_email = serializers.CharField()
    to_email = serializers.CharField()
    number = serializers.IntegerField(
        help_text="Which of our emails to this address; 0 for theirs and cancelled ones."
    )
    delivery = serializers.UUIDField(source="delivery_id", allow_null=True)
    campaign = serializers.UUIDField(source="campaign_id", allow_null=True)


class ThreadSerializer(serializers.Serializer):
    contact = serializers.UUIDField()
    email = serializers.CharField()
    emails = LetterSerializer(many=True)


@extend_schema(tags=["Inbound emails"])
class InboundEmailList(OwnedList):
    required_scope = SCOPE
    serializer_class = InboundEmailSerializer
    queryset = InboundEmail.objects.none()
    ordering = "-received_at"

    def rows_of(self, account: Account) -> Any:
        rows = InboundEmail.objects.for_account(account).defer("raw", "quoted")
        query = self.request.query_params
        if kind := query.get("kind", ""):
            if kind not in KINDS:
                raise serializers.ValidationError({"kind": f"One of {', '.join(KINDS)}."})
            rows = rows.filter(kind=kind)
        if contact := query.get("contact", ""):
            rows = rows.filter(contact=uuid_in("contact", contact))
        return rows

    @extend_schema(
        operation_id="inbound_emails_list",
        summary="Emails that arrived, newest first",
        parameters=[
            OpenApiParameter("kind", OpenApiTypes.STR, enum=KINDS, description="Only those of this kind."),
            OpenApiParameter("contact", OpenApiTypes.UUID, description="Only those of this contact."),
        ],
    )
    def get(self, request: Request) -> Response:
        return self.list(request)


@extend_schema(tags=["Inbound emails"])
class InboundEmailDetail(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="inbound_emails_read",
        summary="One email that arrived",
        responses=enveloped("InboundEmailResponse", InboundEmailSerializer()),
    )
    def get(self, request: Request, email_id: UUID) -> Response:
        rows = InboundEmail.objects.for_account(account_of(request)).defer("raw", "quoted")
        return success(request, InboundEmailSerializer(one_of(rows, email_id, "email")).data)


@extend_schema(tags=["Inbound emails"])
class EmailThread(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="email_threads_read",
        summary="The emails with one contact, both sides, the oldest first",
        description=f"The newest {threads.MOST} with the contact's address.",
        responses=enveloped("EmailThreadResponse", ThreadSerializer()),
    )
    def get(self, request: Request, contact_id: UUID) -> Response:
        account = account_of(request)
        contact = one_of(Contact.objects.for_account(account), contact_id, "contact")
        email = email_of(contact)
        record(account, "key", caller_of(request).name, "read email thread", target=contact, request=request)
        emails = threads.thread_of(account, email) if email else []
        return success(
            request, ThreadSerializer({"contact": contact.pk, "email": email, "emails": emails}).data
        )
