"""Documents are read, cut into chunks, and counted. Every step may be repeated.

The one door for other apps: coming in is arriving.py, going out removing.py.
"""

import hashlib
import logging
import tempfile
import time
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from knowledge import embedding, remote, replacing
from knowledge.arriving import Origin, add_document, retry
from knowledge.chunking import Passage, Section, chunked_with_progress
from knowledge.models import Chunk, Document
from knowledge.reading import Reading, Refused, read
from knowledge.removing import count_chunks, forget_chunks, remove_collection, remove_document
from knowledge.signals import settling
from knowledge.words import padded, terms_of

__all__ = [
    "Origin",
    "Refused",
    "Section",
    "add_document",
    "read_document",
    "remove_collection",
    "remove_document",
    "retry",
]

LEASE = timedelta(seconds=settings.LEASE_SECONDS)
MOST_ATTEMPTS = 5
FIRST_PAUSE = timedelta(seconds=30)  # doubled with each attempt
# Percent: what the parts of the work come to, in the time they take.
BEGUN, READ, STORING = 5, 60, 90
TELL_EVERY_SECONDS = 0.5
NEVER_STORED_AFTER = timedelta(hours=1)
MOST_CHUNKS = 50_000
GIVEN_UP = "Reading it was begun {} times and never ended."

logger = logging.getLogger(__name__)


# --- Being read -----------------------------------------------------------------------------


@settling
def read_document(document_id: str | UUID) -> bool:
    """Read one document, if it is due and nobody else is at it. A second run changes nothing."""
    document = _claimed(document_id)
    if document is None:
        return False
    try:
        reading = _reading_of(document)
        chunks = _chunks_of(document, reading)
        _progress(document, STORING)
    except Refused as refusal:
        _end(document, Document.State.REFUSED, str(refusal))
        return True
    except Exception as error:  # storage away, no process to be had: the file is not at fault
        logger.warning("Reading document %s failed: %s", document.pk, type(error).__name__)
        _try_again(document, error)
        return True
    if _store(document, reading, chunks):
        if document.vectors_due:
            embedding.wake(document.pk)
        remote.queue(document)
        if document.replaces_same_name:
            replacing.remove_superseded(document.collection_id)
    return True


def due() -> Q:
    """Documents to read now: queued and due, or left by a worker that died."""
    now = timezone.now()
    waiting = Q(state=Document.State.QUEUED, not_before__lte=now, stored_at__isnull=False)
    waiting &= Q(superseded_at=None)
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
        progress_percent=BEGUN,
        units_done=None,
        units_total=None,
        reason="",
    )
    if not won:
        return None
    return Document.objects.select_related("collection__account").get(pk=document_id)


def _reading_of(document: Document) -> Reading:
    if document.given_sections is not None:
        sections = [Section(*given) for given in document.given_sections]
        return Reading(document.mime, sections, document.page_count)
    with default_storage.open(str(document.file.name), "rb") as stored, tempfile.TemporaryFile() as copy:
        for piece in stored.chunks():
            copy.write(piece)
        copy.seek(0)
        return read(copy, size=document.size_bytes, on_progress=partial(_reader_is_at, document))


def _reader_is_at(document: Document, done: int, total: int, unit: str) -> None:
    percent = BEGUN + (READ - BEGUN) * min(done, total) // max(1, total)
    _progress(document, percent, units_done=min(done, total), units_total=total, unit=unit)


def _chunks_of(document: Document, reading: Reading) -> list[Chunk]:
    title_terms = terms_of(document.title)
    chunks: list[Chunk] = []
    told = time.monotonic()
    for passage, done in chunked_with_progress(reading.sections):
        if time.monotonic() - told > TELL_EVERY_SECONDS:
            told = time.monotonic()
            _progress(document, READ + (STORING - READ) * done // len(reading.sections))
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
        replacing.lock_same_name(document)
        ours = _ours(document).select_for_update().first()
        if ours is None:
            return False
        forget_chunks(document)
        Chunk.objects.bulk_create(chunks, batch_size=500)
        count_chunks(
            document.collection_id,
            chunks=len(chunks),
            tokens=sum(chunk.token_count for chunk in chunks),
            characters=sum(len(chunk.text) for chunk in chunks),
        )
        _ours(document).update(**_outcome(document, reading, chunk_count=len(chunks)))
        replacing.settle(ours)
    return True


def _outcome(document: Document, reading: Reading, *, chunk_count: int) -> dict[str, Any]:
    now = timezone.now()
    return {
        "state": Document.State.READY,
        "reason": "",
        "progress_percent": 100,
        "units_done": F("units_total"),
        "attempts": 0,
        "lease_until": None,
        "chunk_count": chunk_count,
        "vectors_due": document.vectors_due,
        "not_before": now,
        "mime": reading.mime,
        "page_count": reading.page_count,
        "updated_at": now,
    }


def _ours(document: Document) -> Any:
    """The row while this attempt holds it: each claim counts one attempt more."""
    return Document.objects.filter(pk=document.pk, state=Document.State.READING, attempts=document.attempts)


def _progress(document: Document, percent: int, **units: Any) -> None:
    _ours(document).update(progress_percent=percent, lease_until=timezone.now() + LEASE, **units)


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


def fail_what_never_arrived() -> int:
    """Rows whose file was never stored, as the process died between, say so instead of waiting for ever."""
    return Document.objects.filter(
        state=Document.State.QUEUED, stored_at=None, created_at__lt=timezone.now() - NEVER_STORED_AFTER
    ).update(state=Document.State.FAILED, reason="Its file was never stored. Upload it again.")
