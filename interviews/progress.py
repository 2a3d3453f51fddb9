"""How far a person is in their interview, and what they have told so far."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from crm import briefs
from crm.models import Message
from interviews.freezing import ordered_questions
from interviews.models import Interview

SPOKEN = ("author", "text", "act", "question_key", "seq", "created_at")


@dataclass(frozen=True, slots=True)
class Told:
    """One question of the guide, and what the person said to it; `kind` is empty when it was not reached."""

    question: briefs.BriefQuestion
    kind: str = ""  # answered | skipped | refused | withheld
    text: str = ""
    corrected: bool = False
    seqs: tuple[int, ...] = ()


def brief_of(interview: Interview) -> briefs.Brief:
    """The frozen brief of an interview that has begun. Raises InvalidBrief when there is none to be read."""
    brief: Any = interview.frozen_guide.get("brief")
    return briefs.Brief.from_json(brief)


def talk_of(conversation_id: UUID) -> list[briefs.Said]:
    """The whole talk, as light as the planner needs it, without replies that failed or are being written."""
    return list(said_in(conversation_id))


def said_in(conversation_id: UUID) -> Iterator[briefs.Said]:
    rows = Message.objects.filter(conversation_id=conversation_id, state=Message.State.COMPLETE).order_by(
        "seq"
    )
    for author, text, act, key, seq, at in rows.values_list(*SPOKEN).iterator(chunk_size=500):
        yield briefs.Said(author=author, text=text, act=act, question_key=key, seq=seq, at=at)


def progress_of(interview: Interview) -> briefs.Progress:
    if not interview.has_begun:
        return briefs.Progress(0, len(ordered_questions(interview.guide, seed=str(interview.pk))), "", "", 0)
    return briefs.progress(brief_of(interview), talk_of(interview.conversation_id))


def told_by(interview: Interview) -> list[Told]:
    """Every question of the frozen guide in order, with the person's own words: what the last page shows."""
    if not interview.has_begun:
        return []
    brief = brief_of(interview)
    given = {
        answer.question_key: answer for answer in briefs.answers(brief, talk_of(interview.conversation_id))
    }
    return [_told(question, given.get(question.key)) for question in brief.questions]


def _told(question: briefs.BriefQuestion, answer: briefs.GivenAnswer | None) -> Told:
    if answer is None:
        return Told(question)
    return Told(question, answer.kind, answer.text, answer.corrected, answer.seqs)
