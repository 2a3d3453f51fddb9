"""Guides over the API: lists, creation, change; questions are nested and replaced as a whole."""

from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError as ModelError
from django.db import transaction
from django.db.models import ProtectedError
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from config.api.audit import record
from config.api.authentication import account_of, caller_of
from config.api.envelope import success
from config.api.errors import ConflictError
from config.api.models import Account
from config.api.openapi import enveloped
from config.api.owned import OwnedList, given, one_of
from interviews.guides import LONGEST_QUESTION, MOST_QUESTIONS, change_guide, check_question, make_guide
from interviews.models import Guide, Question
from knowledge.models import Collection
from personas.models import Persona

SCOPE = "interviews"


class QuestionSerializer(serializers.ModelSerializer):
    text = serializers.CharField(max_length=LONGEST_QUESTION)
    choices = serializers.ListField(child=serializers.CharField(max_length=200), required=False, default=list)
    probes = serializers.ListField(
        child=serializers.CharField(max_length=500), required=False, default=list, max_length=5
    )

    class Meta:
        model = Question
        fields = ("key", "text", "topic", "kind", "choices", "must_ask", "probe_depth", "probes")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        # Questions are replaced as a whole, also where the rest of the guide is changed in part.
        if missing := {name: ["This field is required."] for name in ("key", "text") if name not in attrs}:
            raise serializers.ValidationError(missing)
        try:
            check_question(
                attrs.get("kind", Question.Kind.OPEN), attrs.get("choices", []), attrs.get("probes", [])
            )
        except ModelError as error:
            raise serializers.ValidationError(error.message_dict) from None
        return attrs


class GuideSerializer(serializers.ModelSerializer):
    """`persona` and `collection` are ids of the caller's own account."""

    persona = serializers.PrimaryKeyRelatedField(queryset=Persona.objects.none())
    collection = serializers.PrimaryKeyRelatedField(
        queryset=Collection.objects.none(), required=False, allow_null=True
    )
    goal = serializers.CharField(max_length=4_000)
    welcome = serializers.CharField(max_length=4_000, required=False, allow_blank=True)
    consent_text = serializers.CharField(max_length=10_000)
    closing = serializers.CharField(max_length=4_000, required=False, allow_blank=True)
    forbidden_topics = serializers.CharField(max_length=4_000, required=False, allow_blank=True)
    minutes = serializers.IntegerField(min_value=1, max_value=600, required=False)
    link_days = serializers.IntegerField(min_value=1, max_value=365, required=False)
    questions = QuestionSerializer(many=True)

    class Meta:
        model = Guide
        fields = (
            "id",
            "name",
            "goal",
            "persona",
            "collection",
            "language",
            "minutes",
            "welcome",
            "consent_text",
            "consent_version",
            "closing",
            "forbidden_topics",
            "order",
            "max_turns",
            "max_minutes",
            "link_days",
            "redacts_personal_data",
            "is_active",
            "version",
            "questions",
            "created_at",
            "updated_at",
        )
        read_only_fields = ("id", "version", "created_at", "updated_at")

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        account: Account | None = self.context.get("account")
        if account is not None:
            fields["persona"].queryset = Persona.objects.for_account(account)  # type: ignore[attr-defined]
            fields["collection"].queryset = Collection.objects.for_account(account)  # type: ignore[attr-defined]
        return fields

    def validate_questions(self, questions: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if not 1 <= len(questions) <= MOST_QUESTIONS:
            raise serializers.ValidationError(f"A guide has 1 to {MOST_QUESTIONS} questions.")
        keys = [question["key"] for question in questions]
        if len(set(keys)) != len(keys):
            raise serializers.ValidationError("Two questions have the same key.")
        return questions


GUIDE_RESPONSE = enveloped("GuideResponse", GuideSerializer())


def guide_of(request: Request, guide_id: UUID) -> Guide:
    rows = Guide.objects.for_account(account_of(request)).prefetch_related("questions")
    found: Guide = one_of(rows, guide_id, "guide")
    return found


@extend_schema(tags=["Guides"])
class GuideList(OwnedList):
    required_scope = SCOPE
    serializer_class = GuideSerializer
    queryset = Guide.objects.none()

    def rows_of(self, account: Account) -> Any:
        return Guide.objects.for_account(account).prefetch_related("questions")

    @extend_schema(operation_id="guides_list", summary="Guides, newest first")
    def get(self, request: Request) -> Response:
        return self.list(request)

    @extend_schema(
        operation_id="guides_create",
        summary="Make a guide with its questions",
        request=GuideSerializer,
        responses={201: GUIDE_RESPONSE},
    )
    def post(self, request: Request) -> Response:
        serializer = given(GuideSerializer, request)
        guide = make_guide(account_of(request), **serializer.validated_data)
        _audit(request, "created guide", guide)
        return success(request, GuideSerializer(guide).data, 201)


@extend_schema(tags=["Guides"])
class GuideDetail(generics.GenericAPIView):
    required_scope = SCOPE
    serializer_class = GuideSerializer
    queryset = Guide.objects.none()

    @extend_schema(
        operation_id="guides_read",
        summary="One guide with its questions",
        responses=GUIDE_RESPONSE,
    )
    def get(self, request: Request, guide_id: UUID) -> Response:
        return success(request, GuideSerializer(guide_of(request, guide_id)).data)

    @extend_schema(
        operation_id="guides_change",
        summary="Change a guide; interviews that have begun keep the one they began with",
        request=GuideSerializer(partial=True),
        responses=GUIDE_RESPONSE,
    )
    def patch(self, request: Request, guide_id: UUID) -> Response:
        guide = guide_of(request, guide_id)
        serializer = given(GuideSerializer, request, guide)
        changed = change_guide(guide, **serializer.validated_data)
        _audit(request, "changed guide", changed)
        return success(request, GuideSerializer(changed).data)

    @extend_schema(
        operation_id="guides_delete",
        summary="Delete a guide nobody was invited by",
        responses={204: OpenApiResponse(description="It is gone.")},
    )
    def delete(self, request: Request, guide_id: UUID) -> Response:
        guide = guide_of(request, guide_id)
        try:
            with transaction.atomic():
                _audit(request, "deleted guide", guide)
                guide.delete()
        except ProtectedError:
            raise ConflictError(
                "People were invited by this guide. Set is_active to false instead of deleting it."
            ) from None
        return Response(status=204)


def _audit(request: Request, action: str, guide: Guide) -> None:
    record(guide.account, "key", caller_of(request).name, action, target=guide, request=request)
