"""Vectors of chunks: made by the collection's provider, a batch at a time, each text once."""

import logging
import time
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import numpy as np
from asgiref.sync import async_to_sync
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from knowledge.models import Chunk, Collection, Document
from personas.providers.base import ProviderError

BATCH = 64  # texts of one call
BUDGET_SECONDS = 30  # of one task; what is left goes on in the next
LEASE = timedelta(minutes=3)
MOST_ATTEMPTS = 8
FIRST_PAUSE = timedelta(seconds=30)

logger = logging.getLogger(__name__)


def is_wanted(collection: Collection) -> bool:
    return collection.embedding_provider in settings.PROVIDERS


def model_of(collection: Collection) -> str:
    """The embedding model of a collection: its own, else its provider's default."""
    options = settings.PROVIDERS.get(collection.embedding_provider, {})
    return collection.embedding_model or str(options.get("EMBEDDING_MODEL", ""))


async def embed(collection: Collection, texts: Sequence[str]) -> list[bytes]:
    """Unit vectors as they are stored. Raises ProviderError."""
    from personas.speaking import embedder

    provider = embedder(collection.embedding_provider, collection.account)
    vectors = await provider.embed(model_of(collection), texts)
    if len(vectors) != len(texts):
        raise ProviderError("bad_response", "It gave another number of vectors than it was sent texts.", True)
    return [packed(vector) for vector in vectors]


def packed(vector: Sequence[float]) -> bytes:
    """float32, little endian, unit length: the product of two is then their cosine."""
    values = np.asarray(vector, dtype="<f4")
    norm = float(np.linalg.norm(values))
    if not values.size or not np.isfinite(norm):
        raise ProviderError("bad_response", "It gave a vector that is empty or not finite.", True)
    return bytes((values / norm if norm else values).tobytes())


def lend_known_vectors(collection: Collection, chunks: Sequence[Chunk]) -> None:
    """Texts this account had embedded by the same model get that vector: nothing is paid twice."""
    model = model_of(collection)
    for start in range(0, len(chunks), 500):
        batch = chunks[start : start + 500]
        known = _known_vectors(collection, model, [chunk.text_checksum for chunk in batch])
        for chunk in batch:
            chunk.vector = known.get(chunk.text_checksum)
            chunk.embedding_model = model if chunk.vector is not None else ""


def _known_vectors(collection: Collection, model: str, checksums: list[str]) -> dict[str, bytes]:
    rows = Chunk.objects.for_account(collection.account).filter(
        text_checksum__in=checksums, embedding_model=model, vector__isnull=False
    )
    pairs = rows.values_list("text_checksum", "vector")
    return {checksum: bytes(vector or b"") for checksum, vector in pairs}


def due() -> Q:
    now = timezone.now()
    free = Q(lease_until=None) | Q(lease_until__lt=now)
    return free & Q(state=Document.State.READY, vectors_due=True, not_before__lte=now)


def wake(document_id: UUID) -> None:
    from knowledge.tasks import embed_document as task  # tasks.py imports this module

    task.delay_on_commit(str(document_id))  # type: ignore[attr-defined]


def embed_document(document_id: str | UUID) -> bool:
    """Give the chunks of a document their vectors, as many as fit in half a minute. Safe to repeat."""
    won = Document.objects.filter(due(), pk=document_id).update(
        lease_until=timezone.now() + LEASE, attempts=F("attempts") + 1
    )
    if not won:
        return False
    document = Document.objects.select_related("collection__account").get(pk=document_id)
    try:
        finished = _embed_some(document)
    except ProviderError as error:
        _after_error(document, error)
        return True
    _held(document).update(vectors_due=not finished, lease_until=None, attempts=0, reason="")
    if not finished:
        wake(document.pk)
    return True


def _embed_some(document: Document) -> bool:
    """True when every chunk has its vector."""
    deadline = time.monotonic() + BUDGET_SECONDS
    done = False
    while not (finished := not (batch := _without_vector(document))) and time.monotonic() < deadline:
        vectors = async_to_sync(embed)(document.collection, [chunk.text for chunk in batch])
        _write(batch, vectors, model_of(document.collection))
        done = True
    if done:
        Collection.objects.filter(pk=document.collection_id).update(version=F("version") + 1)
    return finished


def _without_vector(document: Document) -> list[Chunk]:
    current = Q(vector__isnull=False, embedding_model=model_of(document.collection))
    return list(document.chunks.exclude(current).order_by("position")[:BATCH])


def _write(chunks: Sequence[Chunk], vectors: Sequence[bytes], model: str) -> None:
    for chunk, vector in zip(chunks, vectors, strict=True):
        chunk.vector = vector
        chunk.embedding_model = model
    with transaction.atomic():
        Chunk.objects.bulk_update(chunks, ["vector", "embedding_model"])


def _held(document: Document) -> QuerySet[Document]:
    return Document.objects.filter(pk=document.pk, state=Document.State.READY, attempts=document.attempts)


def _after_error(document: Document, error: ProviderError) -> None:
    """A document without vectors is found by its words: it stays ready, and says what is missing."""
    logger.warning("Vectors of document %s: %s", document.pk, error.code)
    reason = f"It has no vectors yet ({error.message}). It is found by its words."
    again = error.retryable and document.attempts < MOST_ATTEMPTS
    pause = FIRST_PAUSE * 2 ** (document.attempts - 1)
    _held(document).update(
        vectors_due=again, lease_until=None, reason=reason, not_before=timezone.now() + pause
    )


def reindex(collection: Collection) -> int:
    """Make vectors of another model again, in every document; how many documents that is."""
    due = collection.documents.filter(state=Document.State.READY)
    return due.update(vectors_due=is_wanted(collection), attempts=0, not_before=timezone.now())
