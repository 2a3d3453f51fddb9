"""`POST /api/v1/media/upload`: a picture or a recording of a persona-chat user, for a later message.

The form is the persona API's (docs/media.md). Also the addresses under which files of the data folder open.
"""

import math
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api.errors import ApiError, NotFoundError, TooLargeError, UnavailableError
from config.api.handler import error_response
from config.api.metadata import timestamp
from config.api.security import capability_page
from crm import media
from crm.media_checking import most_bytes, refuse_unfit
from crm.media_content import MediaRefused
from crm.media_serving import file_response
from crm.models import MediaFile
from crm.persona_authentication import PersonaAuthentication, contact_of, persona_user
from personas.rate_limits import PersonaThrottle

# Of a multipart body beside the file itself.
AROUND_THE_FILE_BYTES = 64 * 1024
UPLOAD_TYPES = [("image", "Image"), ("audio", "Audio")]


class MediaUploadSerializer(serializers.Serializer):
    file = serializers.FileField(max_length=300, allow_empty_file=True)
    type = serializers.ChoiceField(choices=UPLOAD_TYPES)


class UploadedMediaSerializer(serializers.Serializer):
    url = serializers.URLField(help_text="Opens the file for some minutes. Keep the storage key instead.")
    storage_key = serializers.CharField(help_text="What messages name the file by.")
    type = serializers.ChoiceField(choices=UPLOAD_TYPES)
    size = serializers.IntegerField(help_text="Bytes, as stored: pictures are drawn anew.")
    mime_type = serializers.CharField()
    duration_seconds = serializers.IntegerField(allow_null=True, help_text="Of a recording, rounded up.")
    uploaded_at = serializers.DateTimeField()


@extend_schema(tags=["Persona chat"])
class MediaUpload(APIView):
    authentication_classes = (PersonaAuthentication,)
    throttle_classes = (PersonaThrottle,)
    permission_classes = ()
    parser_classes = (MultiPartParser,)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        most = max(map(most_bytes, (MediaFile.Kind.IMAGE, MediaFile.Kind.AUDIO))) + AROUND_THE_FILE_BYTES
        # Before anything is read: what is longer can be no file that we take.
        length = str(request.META.get("CONTENT_LENGTH") or "0")
        if length.isdecimal() and int(length) > most:
            raise TooLargeError(f"An upload may have at most {most // 1024**2} MB.")

    @extend_schema(
        operation_id="uploadMedia",
        summary="Upload a picture or a recording",
        request={"multipart/form-data": MediaUploadSerializer},
        responses=UploadedMediaSerializer,
    )
    def post(self, request: Request) -> Response:
        given = MediaUploadSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        file, kind = given.validated_data["file"], given.validated_data["type"]
        contact = contact_of(persona_user(request))
        try:
            refuse_unfit(kind, filename=file.name, size_bytes=file.size)
            row = media.stored(contact, file.read(), kind, filename=file.name)
        except MediaRefused as refusal:
            raise as_api_error(refusal) from None
        return Response(_body(row))


def as_api_error(refusal: MediaRefused) -> ApiError:
    """In the codes that the persona API documents: 413 for size, 503 for our part, else 400."""
    if refusal.reason == "store":
        return UnavailableError(refusal.message)
    if refusal.reason == "too_large":
        return TooLargeError(refusal.message)
    return ApiError("VALIDATION_ERROR", refusal.message)


def _body(row: MediaFile) -> dict[str, Any]:
    seconds = row.duration_seconds
    return {
        "url": media.url_of(row),
        "storage_key": row.file.name,
        "type": row.kind,
        "size": row.size_bytes,
        "mime_type": row.mime,
        "duration_seconds": None if seconds is None else math.ceil(seconds),
        "uploaded_at": timestamp(row.created_at),
    }


@capability_page
@require_safe
def media_file(request: HttpRequest, token: str) -> HttpResponseBase:
    """GET of an address that `media.url_of` signed: the file, for some minutes."""
    row = media.file_signed_in(token)
    response = file_response(row, request.headers.get("Range", "")) if row else None
    return response or error_response(request, NotFoundError("file"))
