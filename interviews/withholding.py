"""A person withholds one answer: its words are taken out, and what came of the interview is made anew."""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from crm import timeline, withholding
from crm.models.contacts import Channel
from interviews import extraction, processing, steps
from interviews.models import Interview
from interviews.starting import FINISHED, MoveRefused

State = Interview.State
LASTS = timedelta(minutes=1)  # longer than taking away what the steps made

logger = logging.getLogger(__name__)


def withhold(interview_id: UUID, question_key: str, *, now: datetime | None = None) -> bool:
    """False when nothing of this answer is left to withhold. As long as answers can be corrected.

    Raises MoveRefused after that, and TurnTaken (crm/talk.py) while a reply is being written.
    """
    at = now or timezone.now()
    with transaction.atomic():
        interview = _read(interview_id)
        if not may_withhold(interview, at=at):
            raise MoveRefused(_("The time to correct answers has passed."))
        if not withholding.withhold(interview.conversation, question_key):
            return False
        is_finished = _forget(interview, at=at)
        _note(interview, at=at)
    _discard(interview)
    if is_finished:
        processing.hurry_along(interview.pk)
    return True


def may_withhold(interview: Interview, *, at: datetime) -> bool:
    if not interview.has_begun or (interview.expires_at and interview.expires_at <= at):
        return False
    return interview.state in (State.STARTED, State.ABANDONED, *FINISHED)


def _read(interview_id: UUID) -> Interview:
    rows = Interview.objects.select_related("guide", "contact", "conversation")
    found: Interview = rows.get(pk=interview_id)
    return found


def _forget(interview: Interview, *, at: datetime) -> bool:
    """In the rows: the PDF and the passages are named no more. Whether the steps are to run again."""
    if interview.answers.exists():
        extraction.rebuild(interview)
    rows = Interview.objects.filter(pk=interview.pk)
    rows.update(pdf="", pdf_pages=None, document=None, subheading="")
    if not rows.move(State.COMPLETED, since=FINISHED, at=interview.completed_at):
        return False
    # Were this process to die now, the sweep would find them: with the answer's words in them, they wait.
    processing.begin_again(interview.pk, at=at + LASTS)
    return True


def _discard(interview: Interview) -> None:
    """The stored PDF and the passages themselves."""
    try:
        steps.discard(interview)
    except Exception:  # storage away: no row names them any more, and the steps write over them
        logger.exception("What came of interview %s could not be taken away", interview.pk)


def _note(interview: Interview, *, at: datetime) -> None:
    timeline.write(
        interview.contact,
        "interview_answer_withheld",
        f"Withheld an answer of the interview “{interview.guide.name}”",
        direction="in",
        channel=Channel.WEB,
        ref=interview.ref,
        at=at,
    )
