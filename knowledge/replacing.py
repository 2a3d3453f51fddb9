"""A new document takes the place of an older one of its name: found first, then the old one is removed.

Of two of one name the one that was given later stays, whichever is read first. Until the new one is ready
the old one is found; one that fails replaces nothing.
"""

import logging
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from knowledge.models import Document, OtherName
from knowledge.removing import forget_chunks, remove_document

MOST_AT_ONCE = 200
READY = Document.State.READY
UPLOADED = "upload"  # what other apps have given is theirs

logger = logging.getLogger(__name__)


def same_name(collection_id: UUID, filename: str) -> QuerySet[Document]:
    """The uploads of a name in a collection that nothing has replaced, be it their first name or another."""
    also = OtherName.objects.filter(collection=collection_id, name=filename)
    rows = Document.objects.filter(collection=collection_id, superseded_at=None, origin_kind=UPLOADED)
    return rows.filter(Q(filename=filename) | Q(pk__in=list(also.values_list("document", flat=True))))


def lock_same_name(document: Document) -> None:
    """In the caller's transaction, before it touches the collection: two that are ready at once take turns.

    Everybody locks documents first, in this order, and collections last.
    """
    rows = [
        same_name(document.collection_id, name).values_list("pk", flat=True) for name, _ in _names(document)
    ]
    _lock(Document.objects.filter(pk__in={key for keys in rows for key in keys}))


def _lock(documents: QuerySet[Document]) -> None:
    list(documents.select_for_update().order_by("pk").values_list("pk", flat=True))


def _names(document: Document) -> list[tuple[str, datetime]]:
    """The names it takes from older documents, and when it was last given under each."""
    first = [(document.filename, document.uploaded_at)] if document.replaces_same_name else []
    return [*first, *document.other_names.values_list("name", "given_at")]


def settle(document: Document) -> None:
    """A document has just become ready: the older ones of its names go, or it gives a name up itself.

    In the caller's transaction.
    """
    for name, given_at in _names(document):
        others = same_name(document.collection_id, name).exclude(pk=document.pk)
        times = {other: dict(_names(other)).get(name) for other in others.defer("given_sections")}
        newer = [at for other, at in times.items() if at and at > given_at and other.state == READY]
        older = [other for other, at in times.items() if (at or other.uploaded_at) <= given_at]
        give_up(name, [document] if newer else older)


def given_again(document: Document, filename: str) -> None:
    """Content that is here already was given once more, perhaps under another name, which then is its too.

    It is the latest of that name now. What the name stood for before has been replaced by it.
    """
    now = timezone.now()
    with transaction.atomic():
        others = same_name(document.collection_id, filename).exclude(pk=document.pk)
        _lock(others | Document.objects.filter(pk=document.pk))
        if filename == document.filename:
            Document.objects.filter(pk=document.pk).update(uploaded_at=now)
        else:
            OtherName.objects.update_or_create(
                document=document,
                name=filename,
                defaults={"collection_id": document.collection_id, "given_at": now},
            )
        if document.state == READY:
            give_up(filename, list(others.filter(uploaded_at__lte=now).defer("given_sections")))


def give_up(name: str, documents: list[Document]) -> None:
    """The name is no longer theirs; those without another are superseded. In the caller's transaction."""
    supersede([document for document in documents if not keeps_a_name_without(name, document)])


def keeps_a_name_without(name: str, document: Document) -> bool:
    """Takes a name from a document, unless it is its last; whether it was not."""
    document.other_names.filter(name=name).delete()
    if document.filename != name:
        return True
    heir = document.other_names.first()
    if heir is None:
        return False
    title = heir.name if document.title == document.filename else document.title
    Document.objects.filter(pk=document.pk).update(
        filename=heir.name, title=title, uploaded_at=heir.given_at, replaces_same_name=True
    )
    heir.delete()
    return True


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
