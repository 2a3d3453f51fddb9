"""Documents go: their files, chunks and vectors, and what collections count of them."""

from uuid import UUID

from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Count, F, Sum
from django.db.models.functions import Coalesce, Greatest, Length
from django.utils import timezone

from knowledge import remote
from knowledge.models import Collection, Document


def remove_document(document: Document) -> None:
    """Take away the file, the chunks and their vectors. Safe to repeat after a crash half-way."""
    # The file first: were the row gone and the file not, nobody would know of it any more.
    if document.file.name:
        default_storage.delete(document.file.name)
    with transaction.atomic():
        if Document.objects.select_for_update().filter(pk=document.pk).first() is None:
            return
        forget_chunks(document)
        remote.let_go(document)
        if Document.objects.filter(pk=document.pk).delete()[0]:
            count_document(document, -1)


def remove_collection(collection: Collection) -> None:
    """Every document of it with its file, then the collection itself."""
    for document in collection.documents.iterator(chunk_size=200):
        remove_document(document)
    collection.delete()


def forget_chunks(document: Document) -> None:
    """In the caller's transaction."""
    gone = document.chunks.aggregate(
        chunks=Count("pk"),
        tokens=Coalesce(Sum("token_count"), 0),
        characters=Coalesce(Sum(Length("text")), 0),
    )
    if gone["chunks"]:
        document.chunks.all().delete()
        count_chunks(document.collection_id, **{name: -number for name, number in gone.items()})


def count_chunks(collection_id: UUID, *, chunks: int, tokens: int, characters: int) -> None:
    Collection.objects.filter(pk=collection_id).update(
        chunk_count=F("chunk_count") + chunks,
        token_count=F("token_count") + tokens,
        character_count=Greatest(F("character_count") + characters, 0),
        version=F("version") + 1,
        changed_at=timezone.now(),
    )


def count_document(document: Document, step: int) -> None:
    Collection.objects.filter(pk=document.collection_id).update(
        document_count=Greatest(F("document_count") + step, 0),
        size_bytes=Greatest(F("size_bytes") + step * document.size_bytes, 0),
    )
