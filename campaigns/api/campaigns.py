"""Campaigns over the API: make, look ahead, start, stop, and see how far they are."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from campaigns import states
from campaigns.api import SCOPE
from campaigns.api.templates import TemplateSerializer
from campaigns.models import Campaign, EmailTemplate, SmtpServer
from config.api.audit import record
from config.api.authentication import account_of, caller_of
from config.api.envelope import success
from config.api.errors import ConflictError
from config.api.models import Account
from config.api.openapi import enveloped
from config.api.owned import OwnedList, given, one_of
from interviews.models import Guide

ANOTHER_STANDING = {"is_standing": "This account has one already."}
EDITABLE = (Campaign.State.DRAFT, Campaign.State.SCHEDULED)


class ProgressSerializer(serializers.Serializer):
    """`left`: people who have still to get their email. `opened` is a hint; scanners open links too."""

    people = serializers.IntegerField()
    left = serializers.IntegerField()
    sent = serializers.IntegerField()
    deferred = serializers.IntegerField()
    failed = serializers.IntegerField()
    unknown = serializers.IntegerField()
    cancelled = serializers.IntegerField()
    skipped = serializers.IntegerField()
    followed = serializers.IntegerField(help_text="People with follow-ups to come.")
    followups_sent = serializers.IntegerField()
    opened = serializers.IntegerField()
    started = serializers.IntegerField()
    completed = serializers.IntegerField()
    declined = serializers.IntegerField()
    percent = serializers.IntegerField()


class CampaignSerializer(serializers.ModelSerializer):
    """Give `template` (an id) or `inline_template`; without `smtp_server` emails go into the outbox."""

    guide = serializers.PrimaryKeyRelatedField(queryset=Guide.objects.none())
    template = serializers.PrimaryKeyRelatedField(queryset=EmailTemplate.objects.none(), required=False)
    smtp_server = serializers.PrimaryKeyRelatedField(
        queryset=SmtpServer.objects.none(), required=False, allow_null=True
    )
    inline_template = TemplateSerializer(required=False, write_only=True)
    state = serializers.CharField(
        read_only=True, help_text="draft, scheduled, running, paused, finished, cancelled."
    )
    progress = serializers.SerializerMethodField()

    class Meta:
        model = Campaign
        fields = (
            "id",
            "name",
            "guide",
            "template",
            "inline_template",
            "smtp_server",
            "resend_unknown",
            "is_standing",
            "track_opens",
            "track_clicks",
            "state",
            "state_reason",
            "progress",
            "scheduled_at",
            "started_at",
            "finished_at",
            "created_at",
            "updated_at",
        )
        read_only_fields = (
            "id",
            "state",
            "state_reason",
            "scheduled_at",
            "started_at",
            "finished_at",
            "created_at",
            "updated_at",
        )

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        account: Account | None = self.context.get("account")
        if account is not None:
            for name, model in (("guide", Guide), ("template", EmailTemplate), ("smtp_server", SmtpServer)):
                fields[name].queryset = model.objects.for_account(account)  # type: ignore[attr-defined]
        return fields

    @extend_schema_field(ProgressSerializer)
    def get_progress(self, campaign: Campaign) -> dict[str, int]:
        known: dict[UUID, states.Progress] = self.context.get("progress", {})
        figures = known.get(campaign.pk) or states.progress([campaign.pk])[campaign.pk]
        return figures.as_json()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if self.instance is None and bool(attrs.get("template")) == bool(attrs.get("inline_template")):
            raise serializers.ValidationError({"template": "Give either a template or an inline_template."})
        if self.instance is not None and "inline_template" in attrs:
            raise serializers.ValidationError({"inline_template": "Change the template itself instead."})
        if attrs.get("is_standing") and self._has_another_standing():
            raise serializers.ValidationError(ANOTHER_STANDING)
        return attrs

    @contextmanager
    def one_standing(self) -> Iterator[None]:
        """Around a write: two callers at once both passed `validate`, and the database took one."""
        try:
            with transaction.atomic():
                yield
        except IntegrityError:
            if not self._has_another_standing():
                raise
            raise serializers.ValidationError(ANOTHER_STANDING) from None

    def _has_another_standing(self) -> bool:
        others = Campaign.objects.for_account(self.context["account"]).filter(is_standing=True)
        return others.exclude(pk=getattr(self.instance, "pk", None)).exists()

    def create(self, validated: dict[str, Any]) -> Campaign:
        account, inline = self.context["account"], validated.pop("inline_template", None)
        with self.one_standing():
            if inline is not None:
                validated["template"] = EmailTemplate.objects.create(account=account, **inline)
            campaign: Campaign = Campaign.objects.create(account=account, **validated)
        return campaign


def campaign_of(request: Request, campaign_id: UUID) -> Campaign:
    rows = Campaign.objects.for_account(account_of(request)).select_related(
        "account", "guide__persona", "template__account", "smtp_server"
    )
    found: Campaign = one_of(rows, campaign_id, "campaign")
    return found


def shown(request: Request, campaign_id: UUID, status: int = 200) -> Response:
    return success(request, CampaignSerializer(campaign_of(request, campaign_id)).data, status)


CampaignResponse = enveloped("CampaignResponse", CampaignSerializer())


@extend_schema(tags=["Campaigns"])
class CampaignList(OwnedList):
    required_scope = SCOPE
    serializer_class = CampaignSerializer
    queryset = Campaign.objects.none()

    def rows_of(self, account: Account) -> Any:
        rows = Campaign.objects.for_account(account)
        state = self.request.query_params.get("state")
        if state and state not in Campaign.State.values:
            raise serializers.ValidationError({"state": f"One of {', '.join(Campaign.State.values)}."})
        return rows.filter(state=state) if state else rows

    @extend_schema(
        operation_id="campaigns_list",
        summary="Campaigns with their figures, newest first",
        parameters=[OpenApiParameter("state", str, enum=Campaign.State.values)],
    )
    def get(self, request: Request) -> Response:
        page = self.paginate_queryset(self.get_queryset()) or []
        figures = states.progress([campaign.pk for campaign in page])
        data = CampaignSerializer(page, many=True, context={"progress": figures}).data
        return self.get_paginated_response(data)

    @extend_schema(
        operation_id="campaigns_create",
        summary="Make a draft of a campaign",
        request=CampaignSerializer,
        responses={201: CampaignResponse},
    )
    def post(self, request: Request) -> Response:
        campaign = given(CampaignSerializer, request).save()
        audit(request, "created campaign", campaign)
        return shown(request, campaign.pk, 201)


@extend_schema(tags=["Campaigns"])
class CampaignDetail(generics.GenericAPIView):
    required_scope = SCOPE
    serializer_class = CampaignSerializer
    queryset = Campaign.objects.none()

    @extend_schema(
        operation_id="campaigns_read", summary="One campaign with its figures", responses=CampaignResponse
    )
    def get(self, request: Request, campaign_id: UUID) -> Response:
        return shown(request, campaign_id)

    @extend_schema(
        operation_id="campaigns_change",
        summary="Change a campaign that has not started",
        request=CampaignSerializer(partial=True),
        responses=CampaignResponse,
    )
    def patch(self, request: Request, campaign_id: UUID) -> Response:
        campaign = campaign_of(request, campaign_id)
        serializer = given(CampaignSerializer, request, campaign)
        if campaign.state not in EDITABLE:
            raise ConflictError(f"This campaign is {campaign.state}; only a draft can be changed.")
        # Conditional, so that a campaign started this moment keeps what it was started with.
        editable = Campaign.objects.filter(pk=campaign.pk, state__in=EDITABLE)
        with serializer.one_standing():
            changed = not serializer.validated_data or editable.update(**serializer.validated_data)
        if not changed:
            raise ConflictError("This campaign has just started; it can no longer be changed.")
        audit(request, "changed campaign", campaign)
        return shown(request, campaign_id)

    @extend_schema(
        operation_id="campaigns_delete",
        summary="Delete a draft",
        responses={204: OpenApiResponse(description="It is gone.")},
    )
    def delete(self, request: Request, campaign_id: UUID) -> Response:
        campaign = campaign_of(request, campaign_id)
        if campaign.state != Campaign.State.DRAFT:
            raise ConflictError("Only a draft can be deleted. Cancel the campaign instead.")
        audit(request, "deleted campaign", campaign)
        campaign.delete()
        return Response(status=204)


class _MoveView(APIView):
    """POST without a body; the campaign after the move, or a 409 that says why not."""

    required_scope = SCOPE
    action = ""

    def move(self, request: Request, campaign: Campaign) -> bool:
        raise NotImplementedError

    def moved(self, request: Request, campaign_id: UUID) -> Response:
        campaign = campaign_of(request, campaign_id)
        try:
            done = self.move(request, campaign)
        except states.MoveRefusedError as error:
            raise ConflictError(str(error)) from None
        if not done:
            raise ConflictError(f"This campaign is {campaign.state}; it cannot be {self.action}.")
        audit(request, f"{self.action} campaign", campaign)
        return shown(request, campaign_id)


@extend_schema(tags=["Campaigns"])
class StartView(_MoveView):
    action = "started"

    def move(self, request: Request, campaign: Campaign) -> bool:
        states.start(campaign)
        return True

    @extend_schema(
        operation_id="campaigns_start", summary="Start now", request=None, responses=CampaignResponse
    )
    def post(self, request: Request, campaign_id: UUID) -> Response:
        return self.moved(request, campaign_id)


class ScheduleSerializer(serializers.Serializer):
    at = serializers.DateTimeField(help_text="With its zone.")


@extend_schema(tags=["Campaigns"])
class ScheduleView(_MoveView):
    action = "scheduled"

    def move(self, request: Request, campaign: Campaign) -> bool:
        serializer = ScheduleSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        states.schedule(campaign, serializer.validated_data["at"])
        return True

    @extend_schema(
        operation_id="campaigns_schedule",
        summary="Start at a time",
        request=ScheduleSerializer,
        responses=CampaignResponse,
    )
    def post(self, request: Request, campaign_id: UUID) -> Response:
        return self.moved(request, campaign_id)


@extend_schema(tags=["Campaigns"])
class PauseView(_MoveView):
    action = "paused"

    def move(self, request: Request, campaign: Campaign) -> bool:
        return states.pause(campaign.pk, reason=f"Paused by {caller_of(request).name}.")

    @extend_schema(
        operation_id="campaigns_pause",
        summary="Pause; it takes effect between two emails",
        request=None,
        responses=CampaignResponse,
    )
    def post(self, request: Request, campaign_id: UUID) -> Response:
        return self.moved(request, campaign_id)


@extend_schema(tags=["Campaigns"])
class ResumeView(_MoveView):
    action = "resumed"

    def move(self, request: Request, campaign: Campaign) -> bool:
        return states.resume(campaign.pk)

    @extend_schema(operation_id="campaigns_resume", summary="Go on", request=None, responses=CampaignResponse)
    def post(self, request: Request, campaign_id: UUID) -> Response:
        return self.moved(request, campaign_id)


@extend_schema(tags=["Campaigns"])
class CancelView(_MoveView):
    action = "cancelled"

    def move(self, request: Request, campaign: Campaign) -> bool:
        return states.cancel(campaign.pk)

    @extend_schema(
        operation_id="campaigns_cancel",
        summary="Stop for good; what was sent stays sent",
        request=None,
        responses=CampaignResponse,
    )
    def post(self, request: Request, campaign_id: UUID) -> Response:
        return self.moved(request, campaign_id)


def audit(request: Request, action: str, campaign: Campaign) -> None:
    record(campaign.account, "key", caller_of(request).name, action, target=campaign, request=request)
