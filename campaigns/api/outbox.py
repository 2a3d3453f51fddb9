"""The embedded outbox over the API: every email with its links. Only where settings.OUTBOX_API is on."""

from typing import Any, cast
from uuid import UUID

from django.conf import settings
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from campaigns import outbox
from campaigns.api import SCOPE
from campaigns.models import Delivery
from config.api.authentication import account_of
from config.api.envelope import success
from config.api.errors import NotFoundError
from config.api.openapi import enveloped
from config.api.owned import uuid_in


class OutboxSerializer(serializers.ModelSerializer):
    purpose = serializers.CharField(read_only=True)
    contact = serializers.UUIDField(source="contact_id")
    campaign = serializers.UUIDField(source="campaign_id", allow_null=True)

    class Meta:
        model = Delivery
        fields = ("id", "contact", "campaign", "to_email", "subject", "purpose", "sent_at")


class OutboxEmailSerializer(OutboxSerializer):
    headers = serializers.SerializerMethodField()
    text = serializers.SerializerMethodField()
    html = serializers.SerializerMethodField()
    links = serializers.SerializerMethodField(
        help_text="The links of the text, in order: the invitation first."
    )
    attachments = serializers.SerializerMethodField()

    class Meta(OutboxSerializer.Meta):
        fields = (*OutboxSerializer.Meta.fields, "headers", "text", "html", "links", "attachments")  # type: ignore[assignment]

    def _read(self, delivery: Delivery) -> outbox.Readable:
        context = cast(dict[str, Any], self.context)
        if "readable" not in context:
            context["readable"] = outbox.read(delivery)
        readable: outbox.Readable = context["readable"]
        return readable

    def get_headers(self, delivery: Delivery) -> dict[str, str]:
        return dict(self._read(delivery).headers)

    def get_text(self, delivery: Delivery) -> str:
        return self._read(delivery).text

    def get_html(self, delivery: Delivery) -> str:
        return self._read(delivery).html

    def get_links(self, delivery: Delivery) -> list[str]:
        return self._read(delivery).links

    def get_attachments(self, delivery: Delivery) -> list[str]:
        return list(self._read(delivery).attachments)


def _refuse_unless_open() -> None:
    if not settings.OUTBOX_API:
        raise NotFoundError("page")


@extend_schema(tags=["Outbox"])
class OutboxList(generics.ListAPIView):
    required_scope = SCOPE
    serializer_class = OutboxSerializer
    ordering = "-created_at"

    def get_queryset(self) -> Any:
        if getattr(self, "swagger_fake_view", False):
            return Delivery.objects.none()
        _refuse_unless_open()
        rows = Delivery.objects.for_account(account_of(self.request)).in_outbox().defer("rendered")
        query = self.request.query_params
        if to := query.get("to", ""):
            rows = rows.filter(to_email=to.strip().lower())
        if campaign := query.get("campaign", ""):
            rows = rows.filter(campaign=uuid_in("campaign", campaign))
        return rows

    @extend_schema(
        operation_id="outbox_list",
        summary="Emails kept in the outbox, newest first",
        parameters=[
            OpenApiParameter("to", str, description="Only those to this address."),
            OpenApiParameter("campaign", OpenApiTypes.UUID, description="Only those of this campaign."),
        ],
    )
    def get(self, request: Request) -> Response:
        return self.list(request)


@extend_schema(tags=["Outbox"])
class OutboxDetail(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="outbox_read",
        summary="One email of the outbox, with its text and links",
        responses=enveloped("OutboxEmailResponse", OutboxEmailSerializer()),
    )
    def get(self, request: Request, delivery_id: UUID) -> Response:
        _refuse_unless_open()
        rows = Delivery.objects.for_account(account_of(request)).in_outbox()
        found = rows.filter(pk=delivery_id).first()
        if found is None:
            raise NotFoundError("email")
        return success(request, OutboxEmailSerializer(found).data)
