"""A stored file as a response, whole or a part of it: players of recordings ask for parts (RFC 9110, 14)."""

import re

from django.core.files.storage import default_storage
from django.http import FileResponse, HttpResponse
from django.http.response import HttpResponseBase

from crm.media import disposition_of
from crm.models import MediaFile

_RANGE = re.compile(r"bytes=(\d{0,12})-(\d{0,12})")


def file_response(media: MediaFile, wanted: str = "") -> HttpResponseBase | None:
    """An upload, with what was found in it as its type; see `stored_response`."""
    response = stored_response(str(media.file.name), size_bytes=media.size_bytes, wanted=wanted)
    if response is not None:
        # The type that we found in the content, and no guessing: a browser must not run what was sent.
        response.headers["Content-Type"] = media.mime
        response.headers["Content-Disposition"] = disposition_of(media)
    return response


def stored_response(name: str, *, size_bytes: int, wanted: str = "") -> HttpResponseBase | None:
    """`wanted` is the Range header; one we cannot follow is passed over. None when the file is gone."""
    try:
        stored = default_storage.open(name, "rb")
    except FileNotFoundError:
        return None
    part = _part(wanted, size_bytes)
    response: HttpResponseBase
    if part is None:
        response = FileResponse(stored)
    else:
        with stored:
            stored.seek(part[0])
            response = HttpResponse(stored.read(part[1] - part[0] + 1), status=206)
        response.headers["Content-Range"] = f"bytes {part[0]}-{part[1]}/{size_bytes}"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Accept-Ranges"] = "bytes"
    return response


def _part(wanted: str, size: int) -> tuple[int, int] | None:
    """First and last byte of one range; None for no range, several, or one beyond the end."""
    found = _RANGE.fullmatch(wanted.strip())
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        first, last = max(0, size - int(found[2])), size - 1
    else:
        first, last = int(found[1]), min(int(found[2] or size), size - 1)
    return (first, last) if first <= last else None
