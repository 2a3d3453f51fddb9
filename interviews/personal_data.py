"""What the interviews hold of a person: collected for them, and erased. Called by crm's erasure."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from crm.models import Contact
from interviews.models import Interview, ProcessingStep
from interviews.steps import discard


def collect(contact: Contact) -> dict[str, Any]:
    """JSON: each interview with its times and answers. The words of the talk are crm's part."""
    rows = _interviews(contact, None).select_related("guide").prefetch_related("answers")
    return {"interviews": [_record(interview) for interview in rows]}


def _record(interview: Interview) -> dict[str, Any]:
    return {
        "id": str(interview.pk),
        "guide": interview.guide.name,
        "state": interview.state,
        "invited_at": interview.invited_at.isoformat(),
        "started_at": interview.started_at.isoformat() if interview.started_at else None,
        "completed_at": interview.completed_at.isoformat() if interview.completed_at else None,
        "consent_version": interview.consent_version,
        "answers": [
            {
                "question": answer.question_key,
                "kind": answer.kind,
                "value": answer.value,
                "quote": answer.quote,
            }
            for answer in interview.answers.all()
        ],
    }


def erase(contact: Contact, conversation_id: UUID | None = None) -> dict[str, int]:
    """Remove PDFs, stored objects, documents, answers and the interviews themselves; of one talk or all.

    Safe to repeat after a crash: the rows go last, and until then they say what is left to do.
    """
    removed = {"interviews": 0, "answers": 0, "pdfs": 0, "documents": 0}
    for interview in _interviews(contact, conversation_id):
        for name, count in _erase(interview).items():
            removed[name] += count
    return removed


def _interviews(contact: Contact, conversation_id: UUID | None) -> QuerySet[Interview]:
    rows = Interview.objects.filter(contact=contact).order_by("pk")
    return rows.filter(conversation_id=conversation_id) if conversation_id else rows


def _erase(interview: Interview) -> dict[str, int]:
    # Without steps no worker can claim one; a worker that is at one finds the interview gone, and discards.
    ProcessingStep.objects.filter(interview=interview).delete()
    removed = discard(interview)
    with transaction.atomic():
        removed["answers"] = interview.answers.all().delete()[0]
        removed["interviews"] = (
            Interview.objects.filter(pk=interview.pk).delete()[1].get("interviews.Interview", 0)
        )
    discard(interview)  # what a worker made between the first time and now
    return removed
