"""`POST /upload_docs`: several files at once, each with its own outcome.

The answer waits a little for the readers, so that small files are searchable when it comes. It waits on the
event loop: no thread and no database connection is held meanwhile.
"""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.core.files.uploadedfile import UploadedFile
from django.db.models import QuerySet
from django.http import HttpRequest, JsonResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParser, MultiPartParserError
from django.http.response import HttpResponseBase
from django.utils.translation import gettext, ngettext

from config.api import envelope
from config.api.async_views import async_endpoint
from config.api.authentication import Caller
from config.api.errors import ApiError
from config.api.metadata import timestamp
from config.api.threads import in_database
from knowledge import arriving, replacing
from knowledge.account_documents import documents_collection
from knowledge.models import Collection, Document
from knowledge.reading import Refused

PATIENCE_SECONDS = 10.0  # for all files of a request together
FIRST_LOOK_SECONDS, LONGEST_PAUSE_SECONDS = 0.05, 0.5
PART = "files"
MULTIPART = "multipart/form-data"
ENDED = (Document.State.READY, Document.State.FAILED, Document.State.REFUSED)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Upload:
    """One file of a request and what became of it. `refusal`: it was not even stored."""

    filename: str
    size_bytes: int
    declared_type: str = ""
    document: Document | None = None
    refusal: str = ""
    is_replacement: bool = False
    is_known: bool = False  # the same content was here before


@async_endpoint(scope="knowledge", methods=("POST",))
async def upload_docs(request: HttpRequest, caller: Caller) -> HttpResponseBase:
    """POST multipart/form-data with one or more parts `files`."""
    started = time.monotonic()
    files = await _files(request)
    collection = await in_database(documents_collection, caller.account)
    try:
        uploads = [await _taken(collection, name, file) for name, file in files]
    finally:
        for _, file in files:
            file.close()
    uploads = await _followed(uploads, deadline=started + PATIENCE_SECONDS)
    return JsonResponse(_body(uploads, seconds=time.monotonic() - started))


# --- What was sent ----------------------------------------------------------------------------


class NamesAsGiven(MultiPartParser):
    """Django cuts a file's name to its last part; here the name travels beside the file, whole."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.names: list[str] = []

    def sanitize_file_name(self, file_name: str) -> str:
        self.names.append(file_name)
        return str(len(self.names) - 1)


async def _files(request: HttpRequest) -> list[tuple[str, UploadedFile]]:
    """Names and files in the order they were sent. Raises ApiError."""
    if request.content_type != MULTIPART:
        raise _bad_request(gettext("Send the files as multipart/form-data."))
    parser_input = (request.META, request, request.upload_handlers, request.encoding)
    try:
        parser = NamesAsGiven(*parser_input)
        # It reads the body, which may be on disk: not on the event loop.
        _, files = await asyncio.to_thread(parser.parse)
    except (MultiPartParserError, UnreadablePostError):
        raise _bad_request(gettext("The multipart body could not be read.")) from None
    found = files.getlist(PART)
    if not found:
        raise _bad_request(gettext("Send one or more files in parts named “files”."))
    return [(parser.names[int(file.name)], file) for file in found]


def _bad_request(message: str) -> ApiError:
    return ApiError("VALIDATION_ERROR", message, details={PART: [message]})


# --- Taken in ---------------------------------------------------------------------------------


async def _taken(collection: Collection, name: str, file: UploadedFile) -> Upload:
    """The rows on the database's threads, the file on another: a store may be a network away."""
    upload = Upload(arriving.shown_name(name), file.size or 0, str(file.content_type or ""))
    try:
        content, checksum = await asyncio.to_thread(_content_of, file)
    except Refused as refusal:
        return replace(upload, refusal=str(refusal))
    upload = await in_database(_registered, collection, upload, checksum)
    document = upload.document
    if document is not None and document.stored_at is None:
        try:
            await asyncio.to_thread(arriving.keep_file, document, content)
        except Exception as error:  # each kind of store has its own
            logger.warning("Storing document %s failed: %s", document.pk, type(error).__name__)
            return replace(upload, refusal=gettext("It could not be stored. Try again."))
    return replace(upload, document=await in_database(_settled, upload))


def _content_of(file: UploadedFile) -> tuple[bytes, str]:
    arriving.check_size(file.size or 0)
    content = file.read()
    return content, arriving.checksum_of(content)


def _registered(collection: Collection, upload: Upload, checksum: str) -> Upload:
    given = arriving.Given("", upload.filename, checksum=checksum, size_bytes=upload.size_bytes)
    document = arriving.register(collection, given, replaces_same_name=True)
    before = replacing.same_name(collection.pk, upload.filename).exclude(pk=document.pk)
    return replace(
        upload,
        document=document,
        is_known=document.stored_at is not None,
        is_replacement=before.exists(),
    )


def _settled(upload: Upload) -> Document | None:
    document = upload.document
    if document is None:
        return None
    if upload.is_known or document.filename != upload.filename:
        replacing.given_again(document, upload.filename)
    return arriving.arrived(document)


# --- Followed ---------------------------------------------------------------------------------


async def _followed(uploads: Sequence[Upload], *, deadline: float) -> list[Upload]:
    """The uploads with their documents as they are when all have ended, or when our patience has."""
    waiting = [upload.document.pk for upload in uploads if upload.document and not _has_ended(upload)]
    pause = FIRST_LOOK_SECONDS
    rows: dict[UUID, Document] = {}
    while waiting and time.monotonic() < deadline:
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        rows |= await in_database(_rows, waiting)
        waiting = [pk for pk in waiting if pk in rows and rows[pk].state not in ENDED]
    return [
        replace(upload, document=rows.get(upload.document.pk, upload.document)) if upload.document else upload
        for upload in uploads
    ]


def _has_ended(upload: Upload) -> bool:
    """A file that could not be kept is not read while we wait: its sender must send it again."""
    return bool(upload.refusal) or (upload.document is not None and upload.document.state in ENDED)


def _rows(ids: Sequence[UUID]) -> dict[UUID, Document]:
    found: QuerySet[Document] = Document.objects.filter(pk__in=ids).defer("given_sections")
    return {document.pk: document for document in found}


# --- Answered ---------------------------------------------------------------------------------


def outcome(upload: Upload) -> dict[str, Any]:
    """What the documented API says of one file, and how far ours is."""
    document = upload.document
    if document is None:
        return _outcome(upload, "failed", error=upload.refusal)
    more: dict[str, Any] = {"document_id": str(document.pk), "progress_percent": document.progress_percent}
    if upload.is_known and document.filename != upload.filename:
        more["same_content_as"] = document.filename
    if document.state == Document.State.READY:
        return _outcome(upload, "success", chunks=document.chunk_count, mime=document.mime, **more)
    if document.state in (Document.State.FAILED, Document.State.REFUSED) or upload.refusal:
        return _outcome(upload, "failed", error=upload.refusal or document.reason, **more)
    return _outcome(upload, "processing", **more)


def _outcome(
    upload: Upload, status: str, *, chunks: int = 0, mime: str = "", error: str = "", **more: Any
) -> dict[str, Any]:
    told = {
        "filename": upload.filename,
        "size": upload.size_bytes,
        "type": mime or upload.declared_type or "application/octet-stream",
        "status": status,
        "chunks_created": chunks,
        **more,
    }
    return {**told, "error": error} if error else told


def _body(uploads: Sequence[Upload], *, seconds: float) -> dict[str, Any]:
    files = [outcome(upload) for upload in uploads]
    taken = [
        (upload, told) for upload, told in zip(uploads, files, strict=True) if told["status"] != "failed"
    ]
    replaced = [_shown(told) for upload, told in taken if upload.is_replacement]
    data = {
        "uploaded_files": files,
        "total_uploaded": len(taken),
        "total_failed": len(files) - len(taken),
        "total_processing": sum(told["status"] == "processing" for told in files),
        # Files of one content are one document, and its passages are there once.
        "total_chunks": sum({told.get("document_id"): told["chunks_created"] for told in files}.values()),
        "uploaded_documents": [_shown(told) for upload, told in taken if not upload.is_replacement],
        "replaced_documents": replaced,
        "total_processed": sum(told["status"] == "success" for told in files),
    }
    body = envelope.body(data, message=_message(data), error=None, timestamp=timestamp())
    body["metadata"]["processing_time"] = round(seconds, 6)
    return body


def _shown(told: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "filename": told["filename"],
        "document_id": told["document_id"],
        "content_type": told["type"],
    }


def _message(data: Mapping[str, Any]) -> str:
    """ "2 files uploaded, 1 of them replaced, 1 failed." """
    count, failed, replaced = data["total_uploaded"], data["total_failed"], len(data["replaced_documents"])
    parts = [ngettext("%d file uploaded", "%d files uploaded", count) % count]
    if replaced:
        parts.append(gettext("%d replaced an older one") % replaced)
    if data["total_processing"]:
        parts.append(gettext("%d still being read") % data["total_processing"])
    if failed:
        parts.append(gettext("%d failed") % failed)
    return ", ".join(parts) + "."
