"""A new document takes the place of an older one of its name: found first, then the old one is removed.

Of two of one name the one that was given later stays, whichever is read first. Until the new one is ready
the old one is found; one that fails replaces nothing.
"""

import logging
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from knowledge.models import Document
from knowledge.removing import forget_chunks, remove_document

MOST_AT_ONCE = 200
UPLOADED = "upload"  # what other apps have given is theirs

logger = logging.getLogger(__name__)


def same_name(collection_id: UUID, filename: str) -> QuerySet[Document]:
    """The uploads of a name in a collection that nothing has replaced."""
    rows = Document.objects.filter(collection=collection_id, filename=filename, superseded_at=None)
    return rows.filter(origin_kind=UPLOADED)


def lock_same_name(document: Document) -> None:
    """In the caller's transaction, before it touches the collection: two that are ready at once take turns.

    Everybody locks documents first, in this order, and collections last.
    """
    if document.replaces_same_name:
        _lock(same_name(document.collection_id, document.filename))


def _lock(documents: QuerySet[Document]) -> None:
    list(documents.select_for_update().order_by("pk").values_list("pk", flat=True))


def settle(document: Document) -> None:
    """A document has just become ready: the older ones go, or it goes itself. In the caller's transaction."""
    if not document.replaces_same_name:
        return
    others = same_name(document.collection_id, document.filename).exclude(pk=document.pk)
    newer = others.filter(
        uploaded_at__gt=document.uploaded_at, replaces_same_name=True, state=Document.State.READY
    )
    if newer.exists():
        supersede([document])
    else:
        supersede(list(others.filter(uploaded_at__lte=document.uploaded_at).defer("given_sections")))


def given_again(document: Document, filename: str) -> None:
    """Content that is here already was given once more, perhaps under another name.

    It is the latest of its name now. What that other name held before has been replaced by it.
    """
    now = timezone.now()
    others = same_name(document.collection_id, filename)
    with transaction.atomic():
        _lock(others | Document.objects.filter(pk=document.pk))
        Document.objects.filter(pk=document.pk).update(uploaded_at=now)
        if document.state == Document.State.READY:
            supersede(list(others.exclude(pk=document.pk).filter(uploaded_at__lte=now)))


def supersede(documents: list[Document]) -> None:
    """They are found no more from this transaction on; `remove_superseded` takes the rest away."""
    for document in documents:
        forget_chunks(document)
    Document.objects.filter(pk__in=[document.pk for document in documents]).update(
        superseded_at=timezone.now()
    )


def remove_superseded(collection_id: UUID | None = None) -> int:
    """Files and rows of what was replaced. The sweep calls it for what a killed process left."""
    rows = Document.objects.filter(superseded_at__isnull=False).defer("given_sections")
    if collection_id is not None:
        rows = rows.filter(collection=collection_id)
    removed = 0
    for document in rows.order_by("superseded_at")[:MOST_AT_ONCE]:
        try:
            remove_document(document)
        except Exception as error:  # storage is away; the next sweep tries again
            logger.warning("Removing the replaced document %s failed: %s", document.pk, type(error).__name__)
            continue
        removed += 1
    return removed
