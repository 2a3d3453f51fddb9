"""The answers of a guide as a table: one row per interview, one column per question."""

import csv
from collections.abc import Iterator
from typing import Any

from config.api.models import Account
from crm.models import ContactAddress
from crm.spreadsheets import guarded
from interviews.models import Answer, Guide, Interview

FINISHED = ("completed", "processed", "failed")
FACTS = ("interview", "name", "email", "state", "started_at", "completed_at")
BATCH = 500


class _Echo:
    def write(self, text: str) -> str:
        return text


def question_keys(guide: Guide) -> list[str]:
    """The guide's questions in order, then those that only earlier versions had."""
    now = list(guide.questions.values_list("key", flat=True))
    kept = Answer.objects.filter(interview__guide=guide).values_list("question_key", flat=True).distinct()
    return [*now, *sorted(set(kept.order_by()) - set(now))]


def rows(guide: Guide, account: Account) -> Iterator[dict[str, Any]]:
    """Finished interviews, oldest first; three queries for each batch."""
    interviews = Interview.objects.for_account(account).filter(guide=guide, state__in=FINISHED).order_by("pk")
    last = None
    while True:
        page = interviews.filter(pk__gt=last) if last else interviews
        batch = list(page.select_related("contact").prefetch_related("answers")[:BATCH])
        if not batch:
            return
        emails = emails_of([interview.contact_id for interview in batch])
        yield from (_row(interview, emails.get(interview.contact_id, "")) for interview in batch)
        last = batch[-1].pk


def emails_of(contact_ids: list[Any]) -> dict[Any, str]:
    found = ContactAddress.objects.filter(contact_id__in=contact_ids, kind=ContactAddress.Kind.EMAIL)
    return dict(found.order_by("is_primary", "-id").values_list("contact_id", "value"))


def _row(interview: Interview, email: str) -> dict[str, Any]:
    return {
        "interview": str(interview.pk),
        "name": interview.contact.name,
        "email": email,
        "state": interview.state,
        "started_at": interview.started_at.isoformat() if interview.started_at else "",
        "completed_at": interview.completed_at.isoformat() if interview.completed_at else "",
        "answers": {answer.question_key: _cell(answer) for answer in interview.answers.all()},
    }


def _cell(answer: Answer) -> str:
    return answer.value if answer.kind == Answer.Kind.ANSWERED else f"({answer.get_kind_display()})"


def csv_lines(guide: Guide, account: Account) -> Iterator[str]:
    """UTF-8 with a mark in front, which spreadsheets need to read it as such."""
    keys = question_keys(guide)
    writer = csv.writer(_Echo())
    yield "\ufeff" + writer.writerow([*FACTS, *keys])
    for row in rows(guide, account):
        facts = [row[name] for name in FACTS]
        told = [row["answers"].get(key, "") for key in keys]
        yield writer.writerow([guarded(cell) for cell in (*facts, *told)])
