"""Answers: a projection of what was said, rebuilt at will. A quote is always the person's literal words."""

import re
from collections.abc import Sequence
from datetime import date

from django.db import transaction
from django.utils.dateparse import parse_date

from crm.briefs import Brief, BriefQuestion, GivenAnswer, Said, answers
from crm.choosing import chosen
from crm.models import Message
from crm.standing import words_of_answer
from interviews.models import Answer, Interview
from interviews.progress import brief_of, talk_of

DAY_FIRST = re.compile(r"\b(\d{1,2})[./](\d{1,2})[./](\d{4})\b")
ISO_DAY = re.compile(r"\b\d{4}-\d{1,2}-\d{1,2}\b")


@transaction.atomic
def rebuild(interview: Interview) -> list[Answer]:
    """Replace the stored answers by those the messages give now."""
    Interview.objects.select_for_update().filter(pk=interview.pk).first()
    found = project(interview)
    Answer.objects.filter(interview=interview).delete()
    return Answer.objects.bulk_create(found)


def project(interview: Interview) -> list[Answer]:
    """The answers as the messages give them, not stored."""
    if not interview.has_begun:
        return []
    brief, talk = brief_of(interview), talk_of(interview.conversation_id)
    by_person = {said.seq: said for said in talk if said.author == Message.Author.PERSON}
    ids = dict(
        Message.objects.filter(conversation_id=interview.conversation_id, author=Message.Author.PERSON)
        .values_list("seq", "pk")
        .iterator()
    )
    return [
        _answer(
            interview, brief, position, given, [by_person[seq] for seq in given.seqs if seq in by_person], ids
        )
        for position, given in enumerate(answers(brief, talk))
    ]


def _answer(
    interview: Interview,
    brief: Brief,
    position: int,
    given: GivenAnswer,
    said: Sequence[Said],
    ids: dict[int, int],
) -> Answer:
    question = brief.question(given.question_key)
    answer = Answer(
        interview=interview,
        question_key=given.question_key,
        position=position,
        kind=given.kind,
        is_corrected=given.corrected,
        message_id=ids.get(said[0].seq) if said else None,
    )
    if given.kind != Answer.Kind.ANSWERED or question is None or not said:
        return answer
    told = _most_telling(question, said)
    answer.message_id = ids.get(told.seq)
    answer.quote = _quote(told)
    answer.value = value_of(question, [words_of_answer(one) for one in said])
    return answer


def _most_telling(question: BriefQuestion, said: Sequence[Said]) -> Said:
    """The message an answer is quoted from: the one that names the choice or day, else the longest."""
    naming = [one for one in said if _closed_value(question, words_of_answer(one))]
    return naming[0] if naming else max(said, key=lambda one: len(one.text))


def _quote(said: Said) -> str:
    words = words_of_answer(said).strip()
    return words if words in said.text else said.text


def value_of(question: BriefQuestion, texts: Sequence[str]) -> str:
    """The choice in the guide's spelling, the day as ISO 8601, else the whole answer."""
    values = (_closed_value(question, text) for text in texts)
    return next((value for value in values if value), "\n".join(text.strip() for text in texts))


def _closed_value(question: BriefQuestion, text: str) -> str:
    if question.kind in ("choice", "scale") and question.choices:
        return chosen(text, question)
    return _day(text) if question.kind == "date" else ""


def _day(text: str) -> str:
    if found := ISO_DAY.search(text):
        return _iso(found.group())
    if found := DAY_FIRST.search(text):
        day, month, year = map(int, found.groups())
        return _iso(f"{year:04}-{month:02}-{day:02}")
    return ""


def _iso(text: str) -> str:
    try:
        day: date | None = parse_date(text)
    except ValueError:  # well written, and no such day
        return ""
    return day.isoformat() if day else ""
