"""The documents of an account: one collection that uploads go to and its assistants answer from."""

from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import unquote
from uuid import UUID

from django.conf import settings
from django.db.models import Count, QuerySet
from django.utils import timezone

from config.api.models import Account
from knowledge.arriving import visible
from knowledge.models import Collection, Document
from knowledge.removing import remove_document

SLUG = "documents"
# A reader begins within seconds; a document that waits longer says that no worker is there.
WAITS_TOO_LONG = timedelta(minutes=5)
KINDS = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "text/plain": "txt",
    "text/markdown": "md",
    "text/html": "html",
    "application/json": "json",
    "application/x-ndjson": "json",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
}


def documents_collection(account: Account) -> Collection:
    """Made at the first need. One of this name that staff made before stays as closed as they left it."""
    collection, _ = Collection.objects.get_or_create(
        account=account,
        slug=SLUG,
        defaults={
            "name": "Documents",
            "description": "What was uploaded for the assistants to answer from.",
            "assistants_may_read": True,
            "embedding_provider": settings.EMBEDDING_PROVIDER,
        },
    )
    return collection


def existing_collection(account: Account) -> Collection | None:
    """For readers: looking makes nothing."""
    return Collection.objects.for_account(account).filter(slug=SLUG).first()


def documents_in(collection: Collection) -> QuerySet[Document]:
    return collection.documents.filter(superseded_at=None).defer("given_sections")


@dataclass(frozen=True, slots=True)
class Removed:
    filename: str
    documents: int
    chunks: int
    size_bytes: int


def remove_named(account: Account, name: str) -> Removed | None:
    """Remove what has this file name, else this id; None when there is no such document.

    Several may share a name, such as one that is searched and a newer one that was refused.
    """
    collection = existing_collection(account)
    documents = _named(documents_in(collection), name) if collection else []
    for document in documents:
        remove_document(document)
    if not documents:
        return None
    return Removed(
        filename=documents[0].filename,
        documents=len(documents),
        chunks=sum(document.chunk_count for document in documents),
        size_bytes=sum(document.size_bytes for document in documents),
    )


def _named(documents: QuerySet[Document], name: str) -> list[Document]:
    # Some clients of the documented API encode a name twice.
    for given in dict.fromkeys((name, unquote(name))):
        if found := list(documents.filter(filename=visible(given)).order_by("-uploaded_at")):
            return found
    try:
        return list(documents.filter(pk=UUID(name)))
    except ValueError:
        return []


def file_types(collection: Collection) -> dict[str, int]:
    """How many documents of each type have been read: from an index, not from rows."""
    types = dict.fromkeys(("pdf", "csv", "txt", "json"), 0)  # the documented keys are always there
    rows = Document.objects.filter(collection=collection).exclude(mime="").order_by()
    for mime, count in rows.values_list("mime").annotate(count=Count("*")):
        kind = KINDS.get(mime, "other")
        types[kind] = types.get(kind, 0) + count
    return types


def health(collection: Collection) -> str:
    """ "healthy", or "degraded" when a document could not be read through no fault of its own, or waits."""
    failed = collection.documents.filter(state=Document.State.FAILED)
    waiting = Document.objects.filter(
        collection=collection,
        state__in=[Document.State.QUEUED, Document.State.READING],
        not_before__lt=timezone.now() - WAITS_TOO_LONG,
    )
    return "degraded" if failed.exists() or waiting.exists() else "healthy"
