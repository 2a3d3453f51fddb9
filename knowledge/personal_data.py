"""What knowledge holds of a person, for export and erasure (settings.PERSONAL_DATA).

Knowledge does not know people: it knows where a document came from. The app a document came from
removes it when that app erases its part (interviews for transcripts). What is done here: documents whose
origin is the contact itself, and quotations of removed passages in stored answers.
"""

from typing import Any
from uuid import UUID

from knowledge.ingestion import remove_document
from knowledge.models import Chunk, Document, Question

CONTACT = "contact"


def _documents(contact: Any) -> Any:
    return Document.objects.for_account(contact.account).filter(
        origin_kind=CONTACT, origin_id=str(contact.pk)
    )


def collect(contact: Any) -> dict[str, Any]:
    """Documents about the contact, with what they say."""
    return {
        "documents": [
            {
                "title": document.title,
                "filename": document.filename,
                "added_at": document.created_at.isoformat(),
                "passages": list(document.chunks.values_list("text", flat=True)),
            }
            for document in _documents(contact)
        ]
    }


def erase(contact: Any, conversation_id: UUID | None = None) -> dict[str, int]:
    """Remove the contact's documents, and quotes of documents that are gone. Safe to repeat."""
    documents = [] if conversation_id else list(_documents(contact))
    for document in documents:
        remove_document(document)
    return {"documents": len(documents), "answers": forget_quotes_of_removed(contact)}


def forget_quotes_of_removed(contact: Any) -> int:
    """Answers that quote a document that is gone lose the quote and their text; the question stays."""
    changed = 0
    for question in (
        Question.objects.for_account(contact.account).exclude(citations=[]).iterator(chunk_size=200)
    ):
        kept = _still_there(question.citations)
        if len(kept) < len(question.citations):
            Question.objects.filter(pk=question.pk).update(citations=kept, answer="")
            changed += 1
    return changed


def _still_there(citations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    ids = Chunk.objects.filter(document__in={cited["document_id"] for cited in citations})
    there = {str(pk) for pk in ids.values_list("document", flat=True).distinct()}
    return [cited for cited in citations if cited["document_id"] in there]
