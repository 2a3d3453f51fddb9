"""`POST /api/v1/media/upload`: a picture or a recording of a persona-chat user, for a later message.

The form is the persona API's (docs/media.md). Also the addresses under which files of the data folder open.
"""

import math
from functools import partial
from typing import Any

from django.http import HttpRequest, JsonResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe
from rest_framework import serializers
from rest_framework.exceptions import ParseError, UnsupportedMediaType

from config.api.async_views import async_endpoint
from config.api.errors import ApiError, NotFoundError, TooLargeError, UnavailableError
from config.api.handler import error_response
from config.api.metadata import timestamp
from config.api.security import capability_page
from crm import media
from crm.media_checking import most_bytes
from crm.media_content import MediaRefused
from crm.media_serving import file_response
from crm.media_taking import on_a_thread, taken
from crm.models import MediaFile
from crm.persona_authentication import authenticate, contact_of

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


@async_endpoint(methods=("POST",))
async def upload(request: HttpRequest) -> HttpResponseBase:
    """Plain async: storage may be slow, and holds a few threads of its own at most (crm/media_taking.py)."""
    user = await authenticate(request)
    _refuse_long(request)
    try:
        given = await on_a_thread(_form_of, request)
        row = await taken(partial(contact_of, user), given["file"], given["type"])
    except MediaRefused as refusal:
        raise as_api_error(refusal) from None
    return JsonResponse(_body(row), headers={"Cache-Control": "no-store"})


def _refuse_long(request: HttpRequest) -> None:
    """Before anything is read: what is longer can be no file that we take. Raises TooLargeError."""
    most = max(map(most_bytes, (MediaFile.Kind.IMAGE, MediaFile.Kind.AUDIO))) + AROUND_THE_FILE_BYTES
    length = str(request.META.get("CONTENT_LENGTH") or "0")
    if length.isdecimal() and int(length) > most:
        raise TooLargeError(f"An upload may have at most {most // 1024**2} MB.")


def _form_of(request: HttpRequest) -> dict[str, Any]:
    """Raises APIException. It reads the body, which may be on disk: not for an event loop."""
    if request.content_type != "multipart/form-data":
        raise UnsupportedMediaType(str(request.content_type))
    try:
        sent = {**request.POST.dict(), **request.FILES.dict()}
    except (MultiPartParserError, UnreadablePostError):
        raise ParseError("The multipart body could not be read.") from None
    form = MediaUploadSerializer(data=sent)
    form.is_valid(raise_exception=True)
    return dict(form.validated_data)


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
