"""The three things done with a finished interview. Each may be done again: it finds what is there."""

import hashlib
import os
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.utils import translation
from django.utils.translation import gettext as _

from interviews import transcripts
from interviews.models import Interview, ProcessingStep
from interviews.records import indexed_name_of, redactor_of, sections_of, transcript_of
from interviews.summarising import summarise
from knowledge import ingestion
from knowledge.models import Collection, Document

Name = ProcessingStep.Name
Result = dict[str, Any]
ORIGIN = "interview"
ORIGIN_LINK = "admin:interviews_interview_transcript"
LOOK_AGAIN = timedelta(seconds=2)  # at a document that is still being read


class StepFailed(Exception):  # noqa: N818
    """A step cannot be done, and trying again by itself would not help. The text is for staff."""


class NotYet(Exception):  # noqa: N818
    """The step waits for something that is under way. `result` is kept until it is looked at again."""

    def __init__(self, result: Result) -> None:
        super().__init__("waiting")
        self.result = result


def spool_file(interview_id: UUID) -> Path:
    return Path(settings.DATA_DIR) / "spool" / "interviews" / f"{interview_id}.pdf"


def storage_key(interview: Interview) -> str:
    """The same for every attempt: doing it again writes the same object, also when the answer was lost."""
    return f"interviews/{interview.account_id}/{interview.pk}.pdf"


def make_pdf(interview: Interview, step: ProcessingStep) -> Result:
    """Render into the spool folder; the finished file appears there whole."""
    file = spool_file(interview.pk)
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = file.with_suffix(f".{os.getpid()}.part")
    try:
        pages = transcripts.render(transcript_of(interview), part)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
    Interview.objects.filter(pk=interview.pk).update(pdf_pages=pages)
    return {"pages": pages, "bytes": file.stat().st_size, "sha256": _sha256(file)}


def store(interview: Interview, step: ProcessingStep) -> Result:
    """Save the PDF under its stable key; on a machine that has not rendered it, render it first."""
    file = spool_file(interview.pk)
    if not file.exists():
        make_pdf(interview, step)
    with file.open("rb") as content:
        name = default_storage.save(storage_key(interview), File(content))
    Interview.objects.filter(pk=interview.pk).update(pdf=name)
    return {"key": name, "bytes": file.stat().st_size}


def remember(interview: Interview, step: ProcessingStep) -> Result:
    """Give the transcript to the knowledge, and wait until it has been read. Raises NotYet, StepFailed."""
    document = _given_before(step)
    if document is None:
        summarise(interview)
        document = _give(interview)
    if document.state == Document.State.READY:
        spool_file(interview.pk).unlink(missing_ok=True)
        return {"document": str(document.pk), "passages": document.chunk_count}
    if document.state in (Document.State.FAILED, Document.State.REFUSED):
        raise StepFailed(f"The knowledge could not read it: {document.reason}")
    raise NotYet({"document": str(document.pk)})


def _given_before(step: ProcessingStep) -> Document | None:
    document_id = step.result.get("document")
    return Document.objects.filter(pk=document_id).first() if document_id else None


def _give(interview: Interview) -> Document:
    sections = sections_of(interview)
    filename, content = _file_of(interview, sections)
    with translation.override(interview.guide.language):
        title = _("Interview with %(name)s") % {"name": indexed_name_of(interview)}
    try:
        document = ingestion.add_document(
            collection_of(interview),
            title=f"{title} · {interview.guide.name}",
            filename=filename,
            content=content,
            sections=sections,
            origin=ingestion.Origin(ORIGIN, str(interview.pk), ORIGIN_LINK),
        )
    except ingestion.Refused as refusal:
        raise StepFailed(f"The knowledge refused it: {refusal}") from None
    if document.state == Document.State.REFUSED and ingestion.retry(document):
        document.refresh_from_db()
    Interview.objects.filter(pk=interview.pk).update(document=document)
    _remove_earlier(interview, document)
    return document


def _file_of(interview: Interview, sections: Sequence[ingestion.Section]) -> tuple[str, bytes]:
    """The PDF; of a redacted interview its sections, as the file may go to a vendor's knowledge too.

    The id in it keeps two interviews with the same words two documents.
    """
    if redactor_of(interview) is not None:
        texts = [f"Interview {interview.pk}", *(section.text for section in sections)]
        return f"interview-{interview.pk}.txt", "\n\n".join(texts).encode()
    with default_storage.open(str(interview.pdf.name), "rb") as stored:
        return f"interview-{interview.pk}.pdf", stored.read()


def _remove_earlier(interview: Interview, document: Document) -> None:
    """A corrected interview replaces what was remembered of it before."""
    earlier = Document.objects.filter(origin_kind=ORIGIN, origin_id=str(interview.pk)).exclude(pk=document.pk)
    for row in earlier:
        ingestion.remove_document(row)


def collection_of(interview: Interview) -> Collection:
    """The one named for this interview, else the guide's; when it names none, one is made for the guide."""
    guide = interview.guide
    if interview.collection is not None:
        return interview.collection
    if guide.collection is not None:
        return guide.collection
    collection, _made = Collection.objects.get_or_create(
        account_id=interview.account_id,
        slug=f"interviews-{guide.pk}",
        defaults={
            "name": f"Interviews: {guide.name}"[:200],
            "description": f"What people told us by the guide “{guide.name}”.",
            "embedding_provider": settings.EMBEDDING_PROVIDER,
        },
    )
    type(guide).objects.filter(pk=guide.pk, collection=None).update(collection=collection)
    return collection


def discard(interview: Interview) -> dict[str, int]:
    """Take away what the steps made, wherever a crash left it. Safe to repeat; counts what was there."""
    file = spool_file(interview.pk)
    spooled = file.exists()
    file.unlink(missing_ok=True)
    keys = {storage_key(interview), interview.pdf.name or storage_key(interview)}
    stored = [key for key in keys if default_storage.exists(key)]
    for key in keys:
        default_storage.delete(key)
    documents = list(Document.objects.filter(origin_kind=ORIGIN, origin_id=str(interview.pk)))
    for document in documents:
        ingestion.remove_document(document)
    return {"pdfs": len(stored) or int(spooled), "documents": len(documents)}


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


WORK: dict[str, Callable[[Interview, ProcessingStep], Result]] = {
    Name.PDF: make_pdf,
    Name.STORAGE: store,
    Name.KNOWLEDGE: remember,
}
ORDER = (Name.PDF, Name.STORAGE, Name.KNOWLEDGE)
