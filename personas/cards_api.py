"""`/api/v1/personas/import` and `…/{id}/card`: personas as character cards, JSON or PNG."""

from typing import IO, Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api.audit import record_by_key
from config.api.authentication import caller_of
from config.api.envelope import success
from config.api.errors import ApiError, TooLargeError
from config.api.openapi import enveloped
from personas.api import SCOPE, PersonaSerializer, persona_of
from personas.card_png import MOST_FILE_BYTES
from personas.cards import CardRefused
from personas.importing import exported_json, exported_png, import_card
from personas.models import Persona

FORMATS = {"json": "application/json", "png": "image/png"}
# Of a multipart body beside the file itself.
AROUND_THE_FILE_BYTES = 64 * 1024


class CardParser(BaseParser):
    """The file as it is: a card's numbers and texts are kept as they came."""

    media_type = "application/json"

    def parse(self, stream: IO[Any], media_type: str | None = None, parser_context: Any = None) -> Any:
        return bytes(stream.read(MOST_FILE_BYTES + 1))


class PictureParser(CardParser):
    media_type = "image/png"


class CardUploadSerializer(serializers.Serializer):
    file = serializers.FileField(max_length=300, allow_empty_file=True)


class ImportedSerializer(serializers.Serializer):
    persona = PersonaSerializer()
    notes = serializers.ListField(child=serializers.CharField(), help_text="What is kept and not used.")


@extend_schema(tags=["Personas"])
class PersonaImport(APIView):
    required_scope = SCOPE
    parser_classes = (MultiPartParser, CardParser, PictureParser)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        length = str(request.META.get("CONTENT_LENGTH") or "0")
        if length.isdecimal() and int(length) > MOST_FILE_BYTES + AROUND_THE_FILE_BYTES:
            raise TooLargeError(f"A file may have at most {MOST_FILE_BYTES // 1024**2} MB.")

    @extend_schema(
        operation_id="personas_import",
        summary="Import a character card as a draft",
        description="`chara_card_v2` as JSON or in a PNG. Nobody meets it before it is published.",
        request={
            "multipart/form-data": CardUploadSerializer,
            "application/json": OpenApiTypes.OBJECT,
            "image/png": OpenApiTypes.BINARY,
        },
        responses={201: enveloped("PersonaImported", ImportedSerializer())},
    )
    def post(self, request: Request) -> Response:
        caller = caller_of(request)
        try:
            made = import_card(caller.account, _content(request), author=f"API key {caller.name}")
        except CardRefused as refusal:
            raise as_api_error(refusal) from None
        record_by_key(request, "import persona", made.persona)
        body = {"persona": PersonaSerializer(made.persona).data, "notes": list(made.notes)}
        return success(request, body, 201)


def _content(request: Request) -> bytes:
    if isinstance(request.data, bytes):
        return request.data
    given = CardUploadSerializer(data=request.data)
    given.is_valid(raise_exception=True)
    content: bytes = given.validated_data["file"].read(MOST_FILE_BYTES + 1)
    return content


def as_api_error(refusal: CardRefused) -> ApiError:
    if refusal.reason == "too_large":
        return TooLargeError(refusal.message)
    return ApiError("VALIDATION_ERROR", refusal.message)


@extend_schema(tags=["Personas"])
class PersonaCardFile(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="personas_card",
        summary="The persona as a character card",
        description="What was imported leaves as it came, but for what was changed since.",
        parameters=[OpenApiParameter("as", OpenApiTypes.STR, enum=list(FORMATS), description="Else `json`.")],
        responses={
            (200, "application/json"): OpenApiTypes.OBJECT,
            (200, "image/png"): OpenApiTypes.BINARY,
        },
    )
    def get(self, request: Request, persona_id: UUID) -> HttpResponse:
        form = request.query_params.get("as", "json")
        if form not in FORMATS:
            raise serializers.ValidationError({"as": [f"One of: {', '.join(FORMATS)}."]})
        persona = persona_of(request, persona_id)
        record_by_key(request, "export persona", persona)
        return card_response(persona, form)


def card_response(persona: Persona, form: str) -> HttpResponse:
    """The file, to be kept on a disk."""
    content = exported_png(persona) if form == "png" else exported_json(persona)
    headers = {
        "Content-Disposition": f'attachment; filename="{persona.slug}.{form}"',
        "Cache-Control": "no-store",
    }
    return HttpResponse(content, content_type=FORMATS[form], headers=headers)
