"""`/api/v1/bans`: who may not use persona chat, for programs of the account's own."""

from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api.audit import record_by_key
from config.api.authentication import account_of, caller_of
from config.api.envelope import success
from config.api.errors import NotFoundError
from config.api.openapi import enveloped
from config.api.parsers import LARGEST_NUMBER
from crm import contacts, persona_care
from crm.models import Ban, ContactAddress

SCOPE = "bans"
EXTERNAL_ID = ContactAddress.Kind.EXTERNAL_ID


class BanSerializer(serializers.ModelSerializer):
    name = serializers.CharField(source="contact.name")
    user_ids = serializers.SerializerMethodField(help_text="Of their tokens.")
    is_in_force = serializers.BooleanField()

    class Meta:
        model = Ban
        fields = (
            "id",
            "contact",
            "name",
            "user_ids",
            "reason",
            "until",
            "is_in_force",
            "banned_by",
            "created_at",
            "lifted_at",
        )

    def get_user_ids(self, ban: Ban) -> list[str]:
        rows = ban.contact.addresses.all()
        return [row.as_given or row.value for row in rows if row.kind == EXTERNAL_ID]


class BanRequestSerializer(serializers.Serializer):
    person = serializers.CharField(
        max_length=320, help_text="The user id of their token, known to us or not, or the id of a contact."
    )
    reason = serializers.CharField(max_length=300, help_text="For staff; the person is not told.")
    until = serializers.DateTimeField(
        required=False, allow_null=True, default=None, help_text="Without it, until it is lifted."
    )

    def validate_until(self, until: datetime | None) -> datetime | None:
        if until is not None and until <= timezone.now():
            raise serializers.ValidationError("Must be in the future.")
        return until


def _rows(request: Request) -> "QuerySet[Ban]":
    rows = Ban.objects.for_account(account_of(request)).select_related("contact")
    return rows.prefetch_related("contact__addresses")


@extend_schema(tags=["Bans"])
class BanList(generics.ListAPIView):
    """Bans of the account's people, the newest first; those that are over stay as a record."""

    required_scope = SCOPE
    serializer_class = BanSerializer
    queryset = Ban.objects.none()  # for the schema
    ordering = "-created_at"

    def get_queryset(self) -> Any:
        rows, query = _rows(self.request), self.request.query_params
        if person := query.get("person", ""):
            found = contacts.find(account_of(self.request), person[:320])
            rows = rows.filter(contact=found) if found is not None else rows.none()
        return rows.filter(_standing(query.get("in_force", "")))

    @extend_schema(
        operation_id="bans_list",
        parameters=[
            OpenApiParameter("in_force", OpenApiTypes.BOOL, description="Only those that are, or are not."),
            OpenApiParameter("person", OpenApiTypes.STR, description="As when a ban is made."),
        ],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="bans_create",
        summary="Ban a person from persona chat",
        description="From their next request on. Who was banned before has one ban, made anew.",
        request=BanRequestSerializer,
        responses={201: enveloped("Banned", BanSerializer())},
    )
    def post(self, request: Request) -> Response:
        asked = BanRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        given, caller = asked.validated_data, caller_of(request)
        try:
            contact = persona_care.person_called(caller.account, given["person"])
        except persona_care.NobodyLikeThat as refusal:
            raise serializers.ValidationError({"person": [str(refusal)]}) from None
        by = f"API key {caller.name}"
        row = persona_care.ban(contact, reason=given["reason"], until=given["until"], by=by)
        record_by_key(request, "ban person", row)
        return success(request, BanSerializer(_rows(request).get(pk=row.pk)).data, 201)


def _standing(asked: str) -> Q:
    """Raises ValidationError."""
    if asked not in ("", "true", "false"):
        raise serializers.ValidationError({"in_force": ["One of: true, false."]})
    in_force = Q(lifted_at=None) & (Q(until=None) | Q(until__gt=timezone.now()))
    return {"": Q(), "true": in_force, "false": ~in_force}[asked]


def _ban_of(request: Request, ban_id: int) -> Ban:
    found: Ban | None = _rows(request).filter(pk=min(ban_id, LARGEST_NUMBER)).first()
    if found is None:
        raise NotFoundError("ban")
    return found


@extend_schema(tags=["Bans"])
class BanDetail(APIView):
    required_scope = SCOPE

    @extend_schema(operation_id="bans_read", responses=enveloped("BanRead", BanSerializer()))
    def get(self, request: Request, ban_id: int) -> Response:
        return success(request, BanSerializer(_ban_of(request, ban_id)).data)


@extend_schema(tags=["Bans"])
class BanLift(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="bans_lift",
        summary="Let a person chat again",
        description="Safe to repeat. The ban stays as a record.",
        request=None,
        responses=enveloped("BanLifted", BanSerializer()),
    )
    def post(self, request: Request, ban_id: int) -> Response:
        row = _ban_of(request, ban_id)
        if persona_care.lift(row):
            record_by_key(request, "lift ban", row)
            row = _ban_of(request, ban_id)
        return success(request, BanSerializer(row).data)
