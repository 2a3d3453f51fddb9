"""The answers by a guide, as JSON pages or as one CSV file."""

from typing import Any
from uuid import UUID

from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.text import slugify
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api.audit import record
from config.api.authentication import account_of, caller_of
from interviews.api.guides import SCOPE, guide_of
from interviews.api.interviews import AnswerSerializer
from interviews.exports import FINISHED, csv_lines
from interviews.models import Interview


class GivenAnswersSerializer(serializers.ModelSerializer):
    state = serializers.CharField(read_only=True, help_text=", ".join(FINISHED))
    contact_name = serializers.CharField(source="contact.name", read_only=True)
    answers = AnswerSerializer(many=True, read_only=True)

    class Meta:
        model = Interview
        fields = ("id", "contact", "contact_name", "state", "guide_version", "completed_at", "answers")
        read_only_fields = fields


@extend_schema(tags=["Guides"])
class GuideAnswers(generics.ListAPIView):
    required_scope = SCOPE
    serializer_class = GivenAnswersSerializer
    ordering = "-id"

    def get_queryset(self) -> Any:
        if getattr(self, "swagger_fake_view", False):
            return Interview.objects.none()
        guide = guide_of(self.request, self.kwargs["guide_id"])
        rows = Interview.objects.for_account(account_of(self.request)).filter(guide=guide, state__in=FINISHED)
        return rows.select_related("contact").prefetch_related("answers__message")

    @extend_schema(operation_id="guides_answers", summary="Answers of finished interviews, with their quotes")
    def get(self, request: Request, guide_id: UUID) -> Response:
        return self.list(request)


@extend_schema(tags=["Guides"])
class GuideAnswersCsv(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="guides_answers_csv",
        summary="Answers of finished interviews as a CSV file: a row per interview, a column per question",
        responses={(200, "text/csv"): OpenApiTypes.STR},
    )
    def get(self, request: Request, guide_id: UUID) -> HttpResponseBase:
        guide = guide_of(request, guide_id)
        record(
            guide.account, "key", caller_of(request).name, "exported answers", target=guide, request=request
        )
        name = f"{slugify(guide.name) or 'answers'}.csv"
        return StreamingHttpResponse(
            csv_lines(guide, account_of(request)),
            content_type="text/csv; charset=utf-8",
            headers={
                "Content-Disposition": f'attachment; filename="{name}"',
                "Cache-Control": "private, no-store",
            },
        )
