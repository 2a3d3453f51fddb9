"""The documents of an account: one collection that uploads go to and its assistants answer from."""

from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import unquote
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from config.api.models import Account
from knowledge.arriving import visible
from knowledge.models import Collection, Document, OtherName
from knowledge.removing import remove_document
from knowledge.replacing import keeps_a_name_without

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
    """`kept_as`: the content was uploaded under other names too, and stays under this one."""

    filename: str
    documents: int
    chunks: int
    size_bytes: int
    kept_as: str = ""


def remove_named(account: Account, name: str) -> Removed | None:
    """Remove what has this file name, else this id; None when there is no such document.

    Several may share a name, such as one that is searched and a newer one that was refused. A document that
    was uploaded under other names too loses this one; by its id it goes with all of them.
    """
    collection = existing_collection(account)
    if collection is None:
        return None
    # Some clients of the documented API encode a name twice.
    for given in dict.fromkeys((visible(name), visible(unquote(name)))):
        if found := list(_named(collection, given).order_by("-uploaded_at")):
            return _removed(given, _nameless(found, given), kept=found)
    found = _with_id(documents_in(collection), name)
    return _removed(found[0].filename, found, kept=[]) if found else None


def _named(collection: Collection, name: str) -> QuerySet[Document]:
    also = OtherName.objects.filter(collection=collection, name=name)
    return documents_in(collection).filter(
        Q(filename=name) | Q(pk__in=list(also.values_list("document", flat=True)))
    )


def _nameless(documents: list[Document], name: str) -> list[Document]:
    """Takes the name from each; those that have no other."""
    with transaction.atomic():
        return [document for document in documents if not keeps_a_name_without(name, document)]


def _removed(name: str, gone: list[Document], *, kept: list[Document]) -> Removed:
    for document in gone:
        remove_document(document)
    stays = next((document for document in kept if document not in gone), None)
    if stays is not None:
        stays.refresh_from_db(fields=["filename"])
    return Removed(
        filename=name,
        documents=len(gone),
        chunks=sum(document.chunk_count for document in gone),
        size_bytes=sum(document.size_bytes for document in gone),
        kept_as=stays.filename if stays else "",
    )


def _with_id(documents: QuerySet[Document], name: str) -> list[Document]:
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
