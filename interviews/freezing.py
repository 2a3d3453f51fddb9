"""The guide as it is at Begin, kept with the interview: later changes of the guide do not reach it."""

import random
from datetime import datetime
from typing import Any

from config.api.models import digest
from crm.briefs import Brief, BriefQuestion, Limits
from interviews.models import Guide, Question


def consent_mark(guide: Guide) -> str:
    """Tells one wording of the consent from another: it goes with the form that a person agrees by."""
    return digest(f"{guide.consent_version}\n{guide.consent_text}")[:16]


def frozen_guide(guide: Guide, *, seed: str, at: datetime) -> dict[str, Any]:
    """JSON with the brief of the talk, and what the pages and the PDF say of the guide."""
    return {
        "name": guide.name,
        "version": guide.version,
        "consent_text": guide.consent_text,
        "consent_version": guide.consent_version,
        "redacts_personal_data": guide.redacts_personal_data,
        "brief": brief_of(guide, seed=seed, at=at).to_json(),
    }


def brief_of(guide: Guide, *, seed: str, at: datetime) -> Brief:
    return Brief(
        organisation=guide.account.name,
        guide_name=guide.name,
        goal=guide.goal,
        language=guide.language,
        welcome=guide.welcome,
        closing=guide.closing,
        minutes=guide.minutes,
        questions=ordered_questions(guide, seed=seed),
        limits=Limits(turns=guide.max_turns, minutes=guide.max_minutes),
        forbidden_topics=guide.forbidden_topics,
        privacy=guide.consent_text,
        started_at=at.isoformat(),
    )


def ordered_questions(guide: Guide, *, seed: str) -> tuple[BriefQuestion, ...]:
    """As listed, or shuffled: one seed (the interview's id) always gives one order."""
    questions = [_frozen(question) for question in guide.questions.all()]
    if guide.order == Guide.Order.SHUFFLED:
        random.Random(seed).shuffle(questions)
    return tuple(questions)


def _frozen(question: Question) -> BriefQuestion:
    return BriefQuestion(
        key=question.key,
        text=question.text,
        topic=question.topic,
        kind=question.kind,
        choices=tuple(map(str, question.choices)),
        must_ask=question.must_ask,
        probe_depth=question.probe_depth,
        probes=tuple(map(str, question.probes)),
    )
