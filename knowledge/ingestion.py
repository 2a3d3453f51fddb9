"""Documents come in: stored, read, cut into chunks, and counted. Every step may be repeated."""

import hashlib
import logging
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.db.models import Count, F, Q, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from knowledge import embedding
from knowledge.chunking import Passage, Section, chunked
from knowledge.formats.found import clean
from knowledge.models import Chunk, Collection, Document
from knowledge.reading import Reading, Refused, read
from knowledge.words import padded, terms_of

__all__ = ["Origin", "Refused", "Section", "add_document", "read_document", "remove_document", "retry"]

LEASE = timedelta(seconds=settings.LEASE_SECONDS)
MOST_ATTEMPTS = 5
FIRST_PAUSE = timedelta(seconds=30)  # doubled with each attempt
NEVER_STORED_AFTER = timedelta(hours=1)
MOST_CHUNKS = 50_000
GIVEN_UP = "Reading it was begun {} times and never ended."

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a document came from: a kind, the id there, and the name of the admin URL that opens that id."""

    kind: str = "upload"
    id: str = ""
    link: str = ""


# --- Coming in ------------------------------------------------------------------------------


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
    _check_size(content)
    checksum = hashlib.sha256(content).hexdigest()
    document = _row_for(
        collection,
        checksum,
        _facts(title, filename, content=content, sections=sections, origin=origin or Origin()),
    )
    if document.stored_at is None:
        default_storage.save(document.file.name, ContentFile(content))
        Document.objects.filter(pk=document.pk).update(stored_at=timezone.now(), not_before=timezone.now())
        _wake(document.pk)
    elif document.state == Document.State.FAILED:
        retry(document)
    document.refresh_from_db()
    return document


def _check_size(content: bytes) -> None:
    if not content:
        raise Refused("The file is empty.")
    if len(content) > settings.MAX_DOCUMENT_BYTES:
        raise Refused(f"It is larger than {settings.MAX_DOCUMENT_BYTES // 1024**2} MB.")


def _facts(
    title: str, filename: str, *, content: bytes, sections: Sequence[Section] | None, origin: Origin
) -> dict[str, Any]:
    filename = safe_filename(filename)
    return {
        "title": clean(title).strip()[:300] or filename,
        "filename": filename,
        "size_bytes": len(content),
        "given_sections": None
        if sections is None
        else [[clean(s.text), s.locator, s.is_record] for s in sections],
        "origin_kind": origin.kind,
        "origin_id": origin.id,
        "origin_link": origin.link,
    }


def safe_filename(filename: str) -> str:
    """The last part of a name, without control characters; it is shown and downloaded under this name."""
    name = re.split(r"[/\\]", clean(filename))[-1]
    return re.sub(r"[\x00-\x1f\x7f\"]", "", name).strip(" .")[-200:] or "document"


def _row_for(collection: Collection, checksum: str, facts: dict[str, Any]) -> Document:
    """The row comes before the file: a crash between them leaves a row that says what is missing."""
    found = collection.documents.filter(checksum=checksum).first()
    if found is not None:
        return found
    document = Document(collection=collection, checksum=checksum, **facts)
    document.file.name = _storage_key(document)
    try:
        with transaction.atomic():
            document.save(force_insert=True)
    except IntegrityError:  # another request with the same content was faster
        return collection.documents.get(checksum=checksum)
    return document


def _storage_key(document: Document) -> str:
    # The shown name may hold anything; a key holds what every store and file system takes.
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", document.filename)[-80:].strip("._") or "document"
    return f"knowledge/{document.collection.account_id}/{document.pk}/{name}"


def _wake(document_id: UUID) -> None:
    from knowledge.tasks import read_document as task  # tasks.py imports this module

    task.delay_on_commit(str(document_id))  # type: ignore[attr-defined]


def retry(document: Document) -> bool:
    """Reads a failed or refused document again; false when it is neither."""
    moved = Document.objects.filter(
        pk=document.pk, state__in=[Document.State.FAILED, Document.State.REFUSED], stored_at__isnull=False
    ).update(
        state=Document.State.QUEUED, attempts=0, reason="", progress_percent=0, not_before=timezone.now()
    )
    if moved:
        _wake(document.pk)
    return bool(moved)


# --- Being read -----------------------------------------------------------------------------


def read_document(document_id: str | UUID) -> bool:
    """Read one document, if it is due and nobody else is at it. A second run changes nothing."""
    document = _claimed(document_id)
    if document is None:
        return False
    try:
        reading = _reading_of(document)
        chunks = _chunks_of(document, reading)
    except Refused as refusal:
        _end(document, Document.State.REFUSED, str(refusal))
        return True
    except Exception as error:  # storage away, no process to be had: the file is not at fault
        logger.warning("Reading document %s failed: %s", document.pk, type(error).__name__)
        _try_again(document, error)
        return True
    _progress(document, 60)
    if _store(document, reading, chunks) and document.vectors_due:
        embedding.wake(document.pk)
    return True


def due() -> Q:
    """Documents to read now: queued and due, or left by a worker that died."""
    now = timezone.now()
    waiting = Q(state=Document.State.QUEUED, not_before__lte=now, stored_at__isnull=False)
    return waiting | Q(state=Document.State.READING, lease_until__lt=now)


def _claimed(document_id: str | UUID) -> Document | None:
    claim = Document.objects.filter(due(), pk=document_id)
    claim.filter(attempts__gte=MOST_ATTEMPTS).update(
        state=Document.State.FAILED, reason=GIVEN_UP.format(MOST_ATTEMPTS), lease_until=None
    )
    won = claim.filter(attempts__lt=MOST_ATTEMPTS).update(
        state=Document.State.READING,
        attempts=F("attempts") + 1,
        lease_until=timezone.now() + LEASE,
        progress_percent=5,
        reason="",
    )
    if not won:
        return None
    return Document.objects.select_related("collection__account").get(pk=document_id)


def _reading_of(document: Document) -> Reading:
    if document.given_sections is not None:
        sections = [Section(text, locator, is_record) for text, locator, is_record in document.given_sections]
        return Reading(document.mime, sections, document.page_count)
    with default_storage.open(str(document.file.name), "rb") as stored, tempfile.TemporaryFile() as copy:
        for piece in stored.chunks():
            copy.write(piece)
        copy.seek(0)
        return read(copy, size=document.size_bytes)


def _chunks_of(document: Document, reading: Reading) -> list[Chunk]:
    title_terms = terms_of(document.title)
    chunks: list[Chunk] = []
    for passage in chunked(reading.sections):
        if len(chunks) == MOST_CHUNKS:
            raise Refused(f"It makes more than {MOST_CHUNKS:,} passages. Split it into several files.")
        chunks.append(_chunk(document, passage, position=len(chunks), title_terms=title_terms))
    if not chunks:
        raise Refused("It holds no text.")
    return chunks


def _chunk(document: Document, passage: Passage, *, position: int, title_terms: list[str]) -> Chunk:
    # A passage is also found by the words of its title: "Interview with Ada" says who speaks in it.
    terms = [*title_terms, *terms_of(passage.text)]
    return Chunk(
        document=document,
        collection=document.collection,
        position=position,
        text=passage.text,
        terms=padded(terms),
        token_count=len(terms),
        text_checksum=hashlib.sha256(passage.text.encode()).hexdigest(),
        locator=passage.locator,
    )


def _store(document: Document, reading: Reading, chunks: list[Chunk]) -> bool:
    """Old chunks out, new ones in, counts and state right: all or nothing, while the claim is ours."""
    document.vectors_due = embedding.is_wanted(document.collection)
    if document.vectors_due:
        embedding.lend_known_vectors(document.collection, chunks)
        document.vectors_due = any(chunk.vector is None for chunk in chunks)
    with transaction.atomic():
        ours = _ours(document).select_for_update().first()
        if ours is None:
            return False
        _forget_chunks(document)
        Chunk.objects.bulk_create(chunks, batch_size=500)
        _count(document.collection_id, chunks=len(chunks), tokens=sum(chunk.token_count for chunk in chunks))
        _ours(document).update(
            state=Document.State.READY,
            reason="",
            progress_percent=100,
            attempts=0,
            lease_until=None,
            chunk_count=len(chunks),
            vectors_due=document.vectors_due,
            not_before=timezone.now(),
            mime=reading.mime,
            page_count=reading.page_count,
            updated_at=timezone.now(),
        )
    return True


def _ours(document: Document) -> Any:
    """The row while this attempt holds it: each claim counts one attempt more."""
    return Document.objects.filter(pk=document.pk, state=Document.State.READING, attempts=document.attempts)


def _forget_chunks(document: Document) -> None:
    gone = document.chunks.aggregate(chunks=Count("pk"), tokens=Coalesce(Sum("token_count"), 0))
    if gone["chunks"]:
        document.chunks.all().delete()
        _count(document.collection_id, chunks=-gone["chunks"], tokens=-gone["tokens"])


def _count(collection_id: UUID, *, chunks: int, tokens: int) -> None:
    Collection.objects.filter(pk=collection_id).update(
        chunk_count=F("chunk_count") + chunks, token_count=F("token_count") + tokens, version=F("version") + 1
    )


def _progress(document: Document, percent: int) -> None:
    _ours(document).update(progress_percent=percent, lease_until=timezone.now() + LEASE)


def _end(document: Document, state: str, reason: str) -> None:
    _ours(document).update(state=state, reason=reason, lease_until=None, updated_at=timezone.now())


def _try_again(document: Document, error: Exception) -> None:
    if isinstance(error, FileNotFoundError):
        _end(document, Document.State.FAILED, "Its stored file is missing. Upload it again.")
    elif document.attempts >= MOST_ATTEMPTS:
        _end(
            document, Document.State.FAILED, f"It could not be read ({type(error).__name__}). You may retry."
        )
    else:
        pause = FIRST_PAUSE * 2 ** (document.attempts - 1)
        _ours(document).update(
            state=Document.State.QUEUED,
            reason=f"Reading it failed ({type(error).__name__}); it is tried again.",
            not_before=timezone.now() + pause,
            lease_until=None,
        )


# --- Going out ------------------------------------------------------------------------------


def remove_document(document: Document) -> None:
    """Take away the file, the chunks and their vectors. Safe to repeat after a crash half-way."""
    # The file first: were the row gone and the file not, nobody would know of it any more.
    if document.file.name:
        default_storage.delete(document.file.name)
    with transaction.atomic():
        if Document.objects.select_for_update().filter(pk=document.pk).first() is None:
            return
        _forget_chunks(document)
        Document.objects.filter(pk=document.pk).delete()


def remove_collection(collection: Collection) -> None:
    """Every document of it with its file, then the collection itself."""
    for document in collection.documents.iterator(chunk_size=200):
        remove_document(document)
    collection.delete()


def fail_what_never_arrived() -> int:
    """Rows whose file was never stored, as the process died between, say so instead of waiting for ever."""
    return Document.objects.filter(
        state=Document.State.QUEUED, stored_at=None, created_at__lt=timezone.now() - NEVER_STORED_AFTER
    ).update(state=Document.State.FAILED, reason="Its file was never stored. Upload it again.")
