"""Documents come in: a row, then the file, then the wake-up of a reader. Every step may be repeated."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.utils import timezone

from knowledge.chunking import Section
from knowledge.formats.found import clean
from knowledge.models import Collection, Document
from knowledge.reading import Refused
from knowledge.removing import count_document, remove_document

LONGEST_NAME = 300  # characters
CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a document came from: a kind, the id there, and the name of the admin URL that opens that id."""

    kind: str = "upload"
    id: str = ""
    link: str = ""


def add_document(
    collection: Collection,
    *,
    title: str,
    filename: str,
    content: bytes,
    sections: Sequence[Section] | None = None,
    origin: Origin | None = None,
) -> Document:
    """The document of this content in this collection, stored and queued for reading.

    Safe to repeat: the same content is the same document and the same stored file; one that failed is
    queued again. With `sections` these are searched, and the file is only kept for download.
    Raises Refused when the file is empty or too large; storage errors pass through, to be tried again.
    """
    given = Given(title, filename, checksum=checksum_of(content), size_bytes=len(content))
    document = register(collection, given, sections=sections, origin=origin)
    if document.stored_at is None:
        keep_file(document, content)
    return arrived(document)


@dataclass(frozen=True, slots=True)
class Given:
    """A document as somebody gave it, without its content."""

    title: str
    filename: str
    checksum: str
    size_bytes: int


def checksum_of(content: bytes) -> str:
    """SHA-256. Raises Refused when there is nothing in it, or too much."""
    check_size(len(content))
    return hashlib.sha256(content).hexdigest()


def check_size(size_bytes: int) -> None:
    if not size_bytes:
        raise Refused("The file is empty.")
    if size_bytes > settings.MAX_DOCUMENT_BYTES:
        raise Refused(f"It is larger than {settings.MAX_DOCUMENT_BYTES // 1024**2} MB.")


def register(
    collection: Collection,
    given: Given,
    *,
    sections: Sequence[Section] | None = None,
    origin: Origin | None = None,
    replaces_same_name: bool = False,
) -> Document:
    """The first of three steps, rows alone: the document's row, made when its content is new here.

    The row comes before the file: a crash between them leaves a row that says what is missing.
    Then `keep_file` where `stored_at` is null, and `arrived`.
    """
    found = _known(collection, given.checksum)
    if found is not None:
        return found
    document = Document(
        collection=collection, replaces_same_name=replaces_same_name, **_facts(given, sections, origin)
    )
    document.file.name = _storage_key(document)
    try:
        with transaction.atomic():
            document.save(force_insert=True)
            count_document(document, 1)
    except IntegrityError:  # another request with the same content was faster
        return collection.documents.get(checksum=given.checksum)
    return document


def _known(collection: Collection, checksum: str) -> Document | None:
    found = collection.documents.filter(checksum=checksum).first()
    if found is None or found.superseded_at is None:
        return found
    remove_document(found)  # it was to go anyway; given again, it is new
    return None


def _facts(given: Given, sections: Sequence[Section] | None, origin: Origin | None) -> dict[str, Any]:
    origin = origin or Origin()
    filename = shown_name(given.filename)
    return {
        "title": clean(given.title).strip()[:300] or filename,
        "filename": filename,
        "checksum": given.checksum,
        "size_bytes": given.size_bytes,
        "given_sections": None
        if sections is None
        else [[clean(s.text), s.locator, s.is_record, s.key] for s in sections],
        "origin_kind": origin.kind,
        "origin_id": origin.id,
        "origin_link": origin.link,
    }


def keep_file(document: Document, content: bytes) -> None:
    """The second step: storage alone, which may be a network away."""
    default_storage.save(document.file.name, ContentFile(content))


def arrived(document: Document) -> Document:
    """The third step, rows alone: it is queued for reading; one that failed is queued again."""
    if document.stored_at is None:
        Document.objects.filter(pk=document.pk).update(stored_at=timezone.now(), not_before=timezone.now())
        wake(document.pk)
    elif document.state == Document.State.FAILED:
        retry(document)
    document.refresh_from_db()
    return document


def shown_name(filename: str) -> str:
    """A file's name as it was given, without what no page can show; it is never used as a path."""
    return visible(filename) or "document"


def visible(name: str) -> str:
    return CONTROL.sub("", clean(name)).strip()[-LONGEST_NAME:]


def _storage_key(document: Document) -> str:
    # The shown name may hold anything; a key holds what every store and file system takes.
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", document.filename)[-80:].strip("._") or "document"
    return f"knowledge/{document.collection.account_id}/{document.pk}/{name}"


def wake(document_id: UUID) -> None:
    from knowledge.tasks import read_document as task  # tasks.py imports this module

    task.delay_on_commit(str(document_id))  # type: ignore[attr-defined]


def retry(document: Document) -> bool:
    """Reads a failed or refused document again; false when it is neither."""
    moved = Document.objects.filter(
        pk=document.pk, state__in=[Document.State.FAILED, Document.State.REFUSED], stored_at__isnull=False
    ).update(
        state=Document.State.QUEUED,
        attempts=0,
        reason="",
        progress_percent=0,
        units_done=None,
        units_total=None,
        not_before=timezone.now(),
    )
    if moved:
        wake(document.pk)
    return bool(moved)
