"""What models were used for and what that cost, over the API: per day, persona, provider and model."""

from datetime import date
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api.authentication import account_of
from config.api.envelope import success
from config.api.openapi import enveloped
from personas.budget import MICRO, Standing, seconds_to_midnight, standing_of
from personas.models import Usage
from personas.prices import price_of

SCOPE = "usage"


class UsageSerializer(serializers.ModelSerializer):
    persona_id = serializers.CharField(source="persona_key", help_text="Empty: no persona spoke.")
    total_tokens = serializers.SerializerMethodField()
    cost_usd = serializers.SerializerMethodField()
    is_priced = serializers.SerializerMethodField(help_text="False: nobody has said what this model costs.")

    class Meta:
        model = Usage
        fields = (
            "id",
            "day",
            "persona_id",
            "provider",
            "model",
            "calls",
            "prompt_tokens",
            "completion_tokens",
            "total_tokens",
            "estimated_tokens",
            "cost_usd",
            "is_priced",
        )

    def get_total_tokens(self, usage: Usage) -> int:
        return int(usage.prompt_tokens + usage.completion_tokens)

    def get_cost_usd(self, usage: Usage) -> float:
        return float(usage.cost_micro_usd / MICRO)

    def get_is_priced(self, usage: Usage) -> bool:
        return not usage.model or price_of(usage.provider, usage.model) is not None


class ChosenUsage(serializers.Serializer):
    """The list's filters."""

    since = serializers.DateField(required=False)
    until = serializers.DateField(required=False)
    persona_id = serializers.UUIDField(required=False)

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        if "since" in given and "until" in given and given["since"] > given["until"]:
            raise serializers.ValidationError({"until": ["Must not be before “since”."]})
        return given

    def of(self, rows: "QuerySet[Usage]") -> "QuerySet[Usage]":
        since: date | None = self.validated_data.get("since")
        until: date | None = self.validated_data.get("until")
        persona: UUID | None = self.validated_data.get("persona_id")
        rows = rows.filter(day__gte=since) if since else rows
        rows = rows.filter(day__lte=until) if until else rows
        return rows.filter(persona_key=str(persona)) if persona else rows


@extend_schema(tags=["Usage"])
class UsageList(generics.ListAPIView):
    """Calls, tokens and dollars, newest day first; days are UTC days."""

    required_scope = SCOPE
    serializer_class = UsageSerializer
    queryset = Usage.objects.none()  # for the schema
    ordering = "-day"

    def get_queryset(self) -> Any:
        chosen = ChosenUsage(data=self.request.query_params.dict())
        chosen.is_valid(raise_exception=True)
        return chosen.of(Usage.objects.for_account(account_of(self.request)))

    @extend_schema(
        operation_id="usage_list",
        parameters=[
            OpenApiParameter("since", OpenApiTypes.DATE, description="The first day."),
            OpenApiParameter("until", OpenApiTypes.DATE, description="The last day."),
            OpenApiParameter("persona_id", OpenApiTypes.UUID),
        ],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class TodaySerializer(serializers.Serializer):
    day = serializers.DateField(help_text="The UTC day.")
    tokens_used = serializers.IntegerField()
    tokens_cap = serializers.IntegerField(allow_null=True, help_text="Null: no limit.")
    cost_usd_used = serializers.FloatField()
    cost_usd_cap = serializers.FloatField(allow_null=True, help_text="Null: no limit.")
    is_exhausted = serializers.BooleanField(help_text="True: no model is asked until the day is over.")
    resets_in_seconds = serializers.IntegerField()


def today_of(standing: Standing) -> dict[str, Any]:
    cap, spent = standing.cap, standing.spent
    return {
        "day": standing.day.isoformat(),
        "tokens_used": spent.tokens,
        "tokens_cap": cap.tokens,
        "cost_usd_used": spent.micro_usd / MICRO,
        "cost_usd_cap": None if cap.micro_usd is None else cap.micro_usd / MICRO,
        "is_exhausted": standing.is_exhausted,
        "resets_in_seconds": seconds_to_midnight(),
    }


@extend_schema(tags=["Usage"])
class UsageToday(APIView):
    """Today's use of the account, beside its daily budget."""

    required_scope = SCOPE

    @extend_schema(operation_id="usage_today", responses=enveloped("UsageToday", TodaySerializer()))
    def get(self, request: Request) -> Response:
        return success(request, today_of(standing_of(account_of(request))))
