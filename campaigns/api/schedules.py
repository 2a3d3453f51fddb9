"""When emails may leave and what follows them, over the API: steps, schedule, A/B test, who gets what."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from campaigns import followups, previewing, public_holidays, splitting
from campaigns.api import SCOPE
from campaigns.api.campaigns import audit, campaign_of
from campaigns.models import Campaign, EmailTemplate, Recipient, Schedule, SplitTest, Step, Variant
from campaigns.models.schedules import EVERY_DAY
from config.api.authentication import caller_of
from config.api.envelope import success
from config.api.errors import ConflictError, NotFoundError
from config.api.models import Account
from config.api.openapi import enveloped

MOST_STEPS = 50


def changeable(campaign: Campaign) -> Campaign:
    """Steps and times may change before the start, while paused, and of a standing campaign."""
    state = Campaign.State
    if campaign.is_standing or campaign.state in (state.DRAFT, state.SCHEDULED, state.PAUSED):
        return campaign
    raise ConflictError(f"This campaign is {campaign.state}; pause it first.")


class _OfAccount(serializers.ModelSerializer):
    """Templates are only found in the caller's account."""

    template_field = "template"

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        account: Account | None = self.context.get("account")
        if account is not None:
            field: Any = fields[self.template_field]
            field.queryset = EmailTemplate.objects.for_account(account)
        return fields


class FollowUpSerializer(_OfAccount):
    template = serializers.PrimaryKeyRelatedField(queryset=EmailTemplate.objects.none())
    condition = serializers.ChoiceField(choices=Step.Condition.choices, default=Step.Condition.ALWAYS)

    class Meta:
        model = Step
        fields = ("position", "template", "delay_minutes", "condition", "keeps_subject")
        read_only_fields = ("position",)


class StepsSerializer(serializers.Serializer):
    steps = FollowUpSerializer(many=True, help_text="In their order; the invitation is not one of them.")

    def validate_steps(self, steps: list[Any]) -> list[Any]:
        if len(steps) > MOST_STEPS:
            raise serializers.ValidationError(f"At most {MOST_STEPS} follow-ups.")
        return steps


class HolidaySerializer(serializers.Serializer):
    day = serializers.DateField()
    name = serializers.CharField()


class SendingScheduleSerializer(serializers.ModelSerializer):
    weekdays = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=7),
        allow_empty=False,
        required=False,
        help_text="1 is Monday, 7 Sunday.",
    )
    holidays = serializers.ListField(child=serializers.DateField(), required=False, max_length=1000)
    coming_holidays = serializers.SerializerMethodField(help_text="Of the country: the next ten.")

    class Meta:
        model = Schedule
        fields = (
            "send_from",
            "send_until",
            "weekdays",
            "holidays",
            "holiday_country",
            "holiday_subdivision",
            "coming_holidays",
            "time_zone",
            "max_emails",
            "interval_minutes",
            "daily_at",
            "repeats_last_step",
            "max_invitations_a_day",
        )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        opens, closes = attrs.get("send_from"), attrs.get("send_until")
        if (opens is None) != (closes is None) or (opens is not None and opens == closes):
            raise serializers.ValidationError({"send_until": "Give both ends of the window, not the same."})
        if attrs.get("repeats_last_step") and not attrs.get("max_emails"):
            raise serializers.ValidationError({"max_emails": "A repeated step needs a greatest number."})
        if "weekdays" in attrs:
            attrs["weekdays"] = "".join(str(day) for day in sorted(set(attrs["weekdays"])))
        if "holidays" in attrs:
            attrs["holidays"] = sorted({day.isoformat() for day in attrs["holidays"]})
        self._check_country(attrs)
        return attrs

    def _check_country(self, attrs: dict[str, Any]) -> None:
        weekdays = [int(day) for day in attrs.get("weekdays", EVERY_DAY)]
        country, part = attrs.get("holiday_country", ""), attrs.get("holiday_subdivision", "")
        try:
            public_holidays.check(country, part, weekdays=weekdays)
        except public_holidays.UnknownPlaceError as error:
            raise serializers.ValidationError({error.field: str(error)}) from None

    @extend_schema_field(HolidaySerializer(many=True))
    def get_coming_holidays(self, schedule: Schedule) -> list[dict[str, Any]]:
        country, part = schedule.holiday_country, schedule.holiday_subdivision
        days = public_holidays.coming(country, part, today=timezone.now().date())
        return [{"day": day.isoformat(), "name": name} for day, name in days]


class SplitTestSerializer(_OfAccount):
    template_field = "template_b"
    template_b = serializers.PrimaryKeyRelatedField(
        queryset=EmailTemplate.objects.none(), required=False, allow_null=True
    )
    metric = serializers.ChoiceField(choices=SplitTest.Metric.choices, default=SplitTest.Metric.STARTED)
    winner = serializers.CharField(read_only=True, help_text="a, b, or empty while it is open.")

    class Meta:
        model = SplitTest
        fields = (
            "subject_b",
            "template_b",
            "test_percent",
            "metric",
            "min_sample",
            "is_automatic",
            "decide_after_hours",
            "winner",
            "decided_at",
            "decided_by",
        )
        read_only_fields = ("winner", "decided_at", "decided_by")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs.get("subject_b") and attrs.get("template_b") is None:
            raise serializers.ValidationError({"subject_b": "Give B another subject or another template."})
        return attrs


StepsResponse = enveloped("CampaignStepsResponse", StepsSerializer())
SendingScheduleResponse = enveloped("CampaignSendingScheduleResponse", SendingScheduleSerializer())


def given(kind: Any, request: Request, campaign: Campaign) -> dict[str, Any]:
    """The whole of what a PUT says, checked."""
    serializer = kind(data=request.data, context={"account": campaign.account})
    serializer.is_valid(raise_exception=True)
    found: dict[str, Any] = serializer.validated_data
    return found


@extend_schema(tags=["Campaigns"])
class StepsView(APIView):
    required_scope = SCOPE

    @extend_schema(operation_id="campaigns_steps", summary="The follow-ups", responses=StepsResponse)
    def get(self, request: Request, campaign_id: UUID) -> Response:
        steps = campaign_of(request, campaign_id).steps.all()
        return success(request, {"steps": FollowUpSerializer(steps, many=True).data})

    @extend_schema(
        operation_id="campaigns_set_steps",
        summary="Replace the follow-ups; nobody gets one twice",
        request=StepsSerializer,
        responses=StepsResponse,
    )
    def put(self, request: Request, campaign_id: UUID) -> Response:
        campaign = changeable(campaign_of(request, campaign_id))
        given_steps = given(StepsSerializer, request, campaign)["steps"]
        with transaction.atomic():
            campaign.steps.all().delete()
            rows = [Step(campaign=campaign, position=n, **one) for n, one in enumerate(given_steps, 1)]
            Step.objects.bulk_create(rows)
            followups.plan_again(campaign)
        audit(request, "changed follow-ups", campaign)
        return self.get(request, campaign_id)


@extend_schema(tags=["Campaigns"])
class SendingScheduleView(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="campaigns_sending_schedule",
        summary="When emails may leave",
        responses=SendingScheduleResponse,
    )
    def get(self, request: Request, campaign_id: UUID) -> Response:
        campaign = campaign_of(request, campaign_id)
        row = Schedule.objects.filter(campaign=campaign).first() or Schedule(campaign=campaign)
        return success(request, SendingScheduleSerializer(row).data)

    @extend_schema(
        operation_id="campaigns_set_sending_schedule",
        summary="Set when emails may leave; what is left out is as by default",
        request=SendingScheduleSerializer,
        responses=SendingScheduleResponse,
    )
    def put(self, request: Request, campaign_id: UUID) -> Response:
        campaign = changeable(campaign_of(request, campaign_id))
        row = Schedule(campaign=campaign, **given(SendingScheduleSerializer, request, campaign))
        with transaction.atomic():
            Schedule.objects.filter(campaign=campaign).delete()
            row.save(force_insert=True)
            followups.plan_again(campaign)
        audit(request, "changed schedule", campaign)
        return self.get(request, campaign_id)


class SideSerializer(serializers.Serializer):
    sent = serializers.IntegerField()
    reached = serializers.IntegerField(help_text="Who did what the test counts.")
    share = serializers.FloatField()


class ResultSerializer(serializers.Serializer):
    a = SideSerializer()
    b = SideSerializer()
    p_value = serializers.FloatField(help_text="Two-proportion z-test, pooled, two-sided.")
    has_sample = serializers.BooleanField(help_text="Both versions were sent often enough.")
    leader = serializers.CharField(help_text="The version that did better beyond chance, or empty.")


class SplitTestWithResultSerializer(SplitTestSerializer):
    result = serializers.SerializerMethodField()

    class Meta(SplitTestSerializer.Meta):
        fields = (*SplitTestSerializer.Meta.fields, "result")  # type: ignore[assignment]

    @extend_schema_field(ResultSerializer)
    def get_result(self, test: SplitTest) -> dict[str, Any]:
        shown: dict[str, Any] = ResultSerializer(splitting.result_of(test)).data
        return shown


SplitTestResponse = enveloped("CampaignSplitTestResponse", SplitTestWithResultSerializer())


def split_test_of(campaign: Campaign) -> SplitTest:
    found = SplitTest.objects.filter(campaign=campaign).first()
    if found is None:
        raise NotFoundError("A/B test")
    return found


@extend_schema(tags=["Campaigns"])
class SplitTestView(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="campaigns_split_test",
        summary="The A/B test and its result",
        responses=SplitTestResponse,
    )
    def get(self, request: Request, campaign_id: UUID) -> Response:
        test = split_test_of(campaign_of(request, campaign_id))
        return success(request, SplitTestWithResultSerializer(test).data)

    @extend_schema(
        operation_id="campaigns_set_split_test",
        summary="Set the A/B test of a campaign that has not started",
        request=SplitTestSerializer,
        responses=SplitTestResponse,
    )
    def put(self, request: Request, campaign_id: UUID) -> Response:
        campaign = campaign_of(request, campaign_id)
        if campaign.state not in (Campaign.State.DRAFT, Campaign.State.SCHEDULED):
            raise ConflictError("A test is set before the campaign starts.")
        row = SplitTest(campaign=campaign, **given(SplitTestSerializer, request, campaign))
        with transaction.atomic():
            SplitTest.objects.filter(campaign=campaign).delete()
            row.save(force_insert=True)
        audit(request, "set A/B test", campaign)
        return self.get(request, campaign_id)


class WinnerSerializer(serializers.Serializer):
    winner = serializers.ChoiceField(choices=Variant.choices)


@extend_schema(tags=["Campaigns"])
class WinnerView(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="campaigns_choose_winner",
        summary="Choose the version that everybody else gets",
        request=WinnerSerializer,
        responses=SplitTestResponse,
    )
    def post(self, request: Request, campaign_id: UUID) -> Response:
        campaign = campaign_of(request, campaign_id)
        test, winner = split_test_of(campaign), given(WinnerSerializer, request, campaign)["winner"]
        try:
            splitting.choose(test, winner, by=f"key {caller_of(request).name}")
        except splitting.SplitRefusedError as error:
            raise ConflictError(str(error)) from None
        audit(request, "chose winner of A/B test", campaign)
        return success(request, SplitTestWithResultSerializer(split_test_of(campaign)).data)


class PlannedEmailSerializer(serializers.Serializer):
    step = serializers.IntegerField(source="number", help_text="0 is the invitation.")
    at = serializers.DateTimeField(help_text="At the earliest.")
    template = serializers.CharField(source="template.name")
    condition = serializers.CharField(help_text="Looked at when the email is due.")


class PlannedPersonSerializer(serializers.Serializer):
    id = serializers.IntegerField(source="recipient.pk")
    name = serializers.CharField(source="recipient.contact.name")
    email = serializers.CharField(source="address")
    time_zone = serializers.CharField(source="zone")
    reason = serializers.CharField(help_text="Why they are skipped; empty when they are not.")
    emails = PlannedEmailSerializer(many=True, help_text="Should they never answer; the first 12.")


@extend_schema(tags=["Campaigns"])
class PlannedPeople(generics.ListAPIView):
    required_scope = SCOPE
    serializer_class = PlannedPersonSerializer
    ordering = "id"

    def get_queryset(self) -> Any:
        if getattr(self, "swagger_fake_view", False):
            return Recipient.objects.none()
        campaign = campaign_of(self.request, self.kwargs["campaign_id"])
        waiting = campaign.recipients.filter(state=Recipient.State.WAITING)
        return waiting.select_related("contact").prefetch_related("contact__addresses")

    @extend_schema(
        operation_id="campaigns_preview_people",
        summary="Who waits, what each of them would get and when, and who is skipped and why",
    )
    def get(self, request: Request, campaign_id: UUID) -> Response:
        people = self.paginate_queryset(self.get_queryset()) or []
        ahead = self.get_queryset().filter(pk__lt=people[0].pk).count() if people else 0
        planned = previewing.plan_for(campaign_of(request, campaign_id), people, ahead=ahead)
        return self.get_paginated_response(PlannedPersonSerializer(planned, many=True).data)


@extend_schema(tags=["Campaigns"])
class StopView(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="campaigns_stop_recipient",
        summary="Send nothing more to one person of this campaign",
        request=None,
        responses={204: OpenApiResponse(description="Nothing more is sent.")},
    )
    def post(self, request: Request, campaign_id: UUID, recipient_id: int) -> Response:
        campaign = campaign_of(request, campaign_id)
        person = campaign.recipients.filter(pk=recipient_id)
        if not person.exists():
            raise NotFoundError("recipient")
        followups.stop(person, Recipient.Stop.STAFF)
        audit(request, "stopped recipient", campaign)
        return Response(status=204)
