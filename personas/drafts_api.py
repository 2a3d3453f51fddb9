"""`/api/v1/personas/drafts` and `…/{id}/draft`: what personas are going to be, for programs."""

from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError as ModelError
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api.audit import record_by_key
from config.api.authentication import account_of, caller_of
from config.api.envelope import success
from config.api.errors import ConflictError
from config.api.openapi import enveloped
from personas import drafts
from personas.api import SCOPE, PersonaSerializer, persona_of
from personas.models import Persona, PersonaDraft


class DraftContentSerializer(PersonaSerializer):
    """What of a persona is drafted: all but its kind, status and address."""

    has_model = None  # type: ignore[assignment]

    class Meta:
        model = Persona
        fields = drafts.DRAFTED


class DraftListSerializer(serializers.ModelSerializer):
    slug = serializers.CharField(source="persona.slug")
    name = serializers.CharField(source="persona.name")

    class Meta:
        model = PersonaDraft
        fields = ("id", "persona", "slug", "name", "based_on", "author", "updated_at")


class DraftSerializer(serializers.Serializer):
    persona = serializers.UUIDField()
    content = DraftContentSerializer()
    changed = serializers.ListField(
        child=serializers.CharField(), help_text="Fields that are not as published."
    )
    has_draft = serializers.BooleanField(help_text="False: the content is what is published.")
    based_on = serializers.IntegerField(help_text="The version that it was begun from.")
    author = serializers.CharField(allow_blank=True)
    updated_at = serializers.DateTimeField(allow_null=True)
    seen = serializers.CharField(help_text="Stands for what was looked at: publishing asks for it.")


class PublishSerializer(serializers.Serializer):
    seen = serializers.CharField(max_length=100, help_text="Of the draft as it was looked at.")


class DiscardedSerializer(serializers.Serializer):
    discarded = serializers.BooleanField(help_text="False: there was none.")


def _body(persona: Persona) -> dict[str, Any]:
    draft = drafts.draft_of(persona)
    to_be = drafts.with_content(persona, drafts.content_to_be(persona))
    return {
        "persona": str(persona.pk),
        "content": DraftContentSerializer(to_be).data,
        "changed": [one.name for one in drafts.changes(persona)],
        "has_draft": draft is not None,
        "based_on": draft.based_on if draft else persona.version,
        "author": draft.author if draft else "",
        "updated_at": draft.updated_at if draft else None,
        "seen": drafts.stamp(persona),
    }


@extend_schema(tags=["Personas"])
class DraftList(generics.ListAPIView):
    """Drafts of the account's personas, the newest first; without their content."""

    required_scope = SCOPE
    serializer_class = DraftListSerializer
    queryset = PersonaDraft.objects.none()  # for the schema

    def get_queryset(self) -> Any:
        return PersonaDraft.objects.for_account(account_of(self.request)).select_related("persona")

    @extend_schema(operation_id="personas_drafts")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


@extend_schema(tags=["Personas"])
class Draft(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="personas_draft_read",
        summary="What the persona is going to be",
        responses=enveloped("PersonaDraftRead", DraftSerializer()),
    )
    def get(self, request: Request, persona_id: UUID) -> Response:
        return success(request, _body(persona_of(request, persona_id)))

    @extend_schema(
        operation_id="personas_draft_write",
        summary="Write the draft",
        description="The fields that are given; the others stay. People meet what is published.",
        request=DraftContentSerializer(partial=True),
        responses=enveloped("PersonaDraftWritten", DraftSerializer()),
    )
    def patch(self, request: Request, persona_id: UUID) -> Response:
        persona = persona_of(request, persona_id)
        _refuse_others(request.data)
        to_be = drafts.with_content(persona, drafts.content_to_be(persona))
        asked = DraftContentSerializer(to_be, data=request.data, partial=True)
        asked.is_valid(raise_exception=True)
        given = asked.validated_data
        content = {name: given.get(name, getattr(to_be, name)) for name in drafts.DRAFTED}
        drafts.keep_draft(persona, content, author=f"API key {caller_of(request).name}")
        record_by_key(request, "write draft of persona", persona, detail={"fields": sorted(given)})
        return success(request, _body(persona))

    @extend_schema(
        operation_id="personas_draft_discard",
        summary="Throw the draft away",
        description="Nothing of what is published changes. Safe to repeat.",
        responses={200: enveloped("PersonaDraftDiscarded", DiscardedSerializer())},
    )
    def delete(self, request: Request, persona_id: UUID) -> Response:
        persona = persona_of(request, persona_id)
        discarded = drafts.discard(persona)
        if discarded:
            record_by_key(request, "discard draft of persona", persona)
        return success(request, {"discarded": discarded})


def _refuse_others(data: Any) -> None:
    """Raises ValidationError: a field that no draft has would be left out without a word."""
    others = sorted(set(data) - set(drafts.DRAFTED)) if isinstance(data, dict) else []
    if others:
        raise serializers.ValidationError({name: ["This is not part of a draft."] for name in others})


@extend_schema(tags=["Personas"])
class Publish(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="personas_publish",
        summary="Publish the draft",
        description="In all its conversations, from its next reply on. A persona of status `draft` is met "
        "from now on. 409 when it, or what is published, is no longer what was looked at.",
        request=PublishSerializer,
        responses=enveloped("PersonaPublished", PersonaSerializer()),
    )
    def post(self, request: Request, persona_id: UUID) -> Response:
        persona = persona_of(request, persona_id)
        asked = PublishSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        author = f"API key {caller_of(request).name}"
        try:
            published = drafts.publish(persona, author=author, seen=asked.validated_data["seen"])
        except drafts.DraftMoved as refusal:
            raise ConflictError(str(refusal)) from None
        except ModelError as error:
            raise serializers.ValidationError(error.message_dict) from None
        record_by_key(request, "publish persona", published, detail={"version": published.version})
        return success(request, PersonaSerializer(published).data)
