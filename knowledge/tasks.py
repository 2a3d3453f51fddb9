"""Wake-ups: each task names one row; the sweep names every row whose wake-up was lost."""

from celery import shared_task
from django.db.models import Q

from knowledge import carrying, embedding, ingestion, remote, replacing
from knowledge.models import Document, RemoteCopy

MOST_AT_ONCE = 200


@shared_task(name="knowledge.tasks.read_document")
def read_document(document_id: str) -> None:
    ingestion.read_document(document_id)


@shared_task(name="knowledge.tasks.embed_document")
def embed_document(document_id: str) -> None:
    embedding.embed_document(document_id)


@shared_task(name="knowledge.tasks.carry_copy")
def carry_copy(copy_id: int) -> None:
    carrying.carry(copy_id)


@shared_task(name="knowledge.tasks.sweep")
def sweep() -> None:
    ingestion.fail_what_never_arrived()
    replacing.remove_superseded()
    for document_id in _due(ingestion.due()):
        read_document.delay(document_id)
    for document_id in _due(embedding.due()):
        embed_document.delay(document_id)
    remote.queue_missing()
    copies = RemoteCopy.objects.filter(remote.due()).order_by("not_before").values_list("pk", flat=True)
    for copy_id in copies[:MOST_AT_ONCE]:
        carry_copy.delay(copy_id)


def _due(condition: Q) -> list[str]:
    rows = Document.objects.filter(condition).order_by("not_before").values_list("pk", flat=True)
    return [str(pk) for pk in rows[:MOST_AT_ONCE]]
