"""Guides as they are edited: questions replaced as a whole, and a version that tells changed guides apart."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F

from config.api.models import Account
from interviews.models import Guide, Question

MOST_QUESTIONS = 100
MOST_CHOICES = 20
LONGEST_QUESTION = 2_000  # characters
CLOSED = (Question.Kind.CHOICE, Question.Kind.SCALE)


def check_question(kind: str, choices: Any, probes: Any) -> None:
    """What no single field can say. Raises ValidationError by field."""
    if not _are_texts(choices):
        raise ValidationError({"choices": "Choices are a list of texts."})
    if not _are_texts(probes):
        raise ValidationError({"probes": "Follow-ups are a list of texts."})
    if kind in CLOSED and not 2 <= len(choices) <= MOST_CHOICES:
        raise ValidationError({"choices": f"Give 2 to {MOST_CHOICES} choices."})
    if kind not in CLOSED and choices:
        raise ValidationError({"choices": "Only a choice or a scale has choices."})
    if len({choice.strip().casefold() for choice in choices}) != len(choices):
        raise ValidationError({"choices": "Two choices are the same."})


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) and item.strip() for item in value)


@transaction.atomic
def make_guide(account: Account, *, questions: Sequence[Mapping[str, Any]], **fields: Any) -> Guide:
    guide = Guide.objects.create(account=account, **fields)
    replace_questions(guide, questions)
    return guide


@transaction.atomic
def change_guide(
    guide: Guide, *, questions: Sequence[Mapping[str, Any]] | None = None, **fields: Any
) -> Guide:
    """Set the fields, and the questions when they are given. Any change is a new version."""
    for name, value in fields.items():
        setattr(guide, name, value)
    if fields:
        guide.save(update_fields=[*fields, "updated_at"])
    if questions is not None:
        replace_questions(guide, questions)
    if fields or questions is not None:
        bump_version(guide)
    return guide


@transaction.atomic
def replace_questions(guide: Guide, questions: Iterable[Mapping[str, Any]]) -> None:
    """These questions, in this order, are the guide's. Answers name questions by key and stay."""
    guide.questions.all().delete()
    Question.objects.bulk_create(
        Question(guide=guide, position=position, **question) for position, question in enumerate(questions)
    )
    guide._prefetched_objects_cache = {}  # type: ignore[attr-defined]


def bump_version(guide: Guide) -> None:
    """After any change of what is asked: interviews keep the number they were held by."""
    Guide.objects.filter(pk=guide.pk).update(version=F("version") + 1)
    guide.refresh_from_db(fields=["version", "updated_at"])
