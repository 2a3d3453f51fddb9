"""What happens when a talk has ended: PDF → storage → knowledge, each step a row and repeatable."""

import logging
import random
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from crm import briefs, timeline
from crm.models.contacts import Channel
from interviews import extraction
from interviews.models import Interview, ProcessingStep
from interviews.progress import brief_of, talk_of
from interviews.steps import LOOK_AGAIN, ORDER, WORK, NotYet, StepFailed, discard
from knowledge.models import Document
from knowledge.signals import SETTLED

State = Interview.State
Step = ProcessingStep.State
LEASE = timedelta(seconds=settings.LEASE_SECONDS)
FIRST_PAUSE = timedelta(seconds=5)  # doubled with each attempt
LONGEST_PAUSE = timedelta(minutes=15)
MOST_ATTEMPTS = 8
GIVEN_UP = "It was begun {} times and never ended: the worker died each time."

logger = logging.getLogger(__name__)


# --- The talk has ended ---------------------------------------------------------------------


def finish(conversation_id: UUID) -> bool:
    """Notice that an interview's talk has ended. Twice is once; any other conversation is left alone."""
    with transaction.atomic():
        interview = (
            Interview.objects.closed_unfinished()
            .select_related("guide", "contact", "conversation")
            .filter(conversation_id=conversation_id)
            .first()
        )
        if interview is None or not _move_to_end(interview):
            return False
    return True


def _move_to_end(interview: Interview) -> bool:
    to = _outcome(interview)
    at = interview.conversation.closed_at or timezone.now()
    if not Interview.objects.filter(pk=interview.pk).move(to, since=[State.STARTED, State.ABANDONED], at=at):
        return False
    extraction.rebuild(interview)
    timeline.write(
        interview.contact,
        f"interview_{to}",
        f"{State(to).label} the interview “{interview.guide.name}”",
        direction="in",
        channel=Channel.WEB,
        ref=interview.ref,
        at=at,
    )
    if to == State.COMPLETED:
        begin_again(interview.pk)
        wake(interview.pk)
    return True


def _outcome(interview: Interview) -> str:
    """Whoever answered something has completed it, also when they asked to stop."""
    given = briefs.answers(brief_of(interview), talk_of(interview.conversation_id))
    reason = interview.conversation.close_reason
    if reason == "completed" or any(answer.kind == "answered" for answer in given):
        return State.COMPLETED
    return State.DECLINED if reason in ("stopped", "declined") else State.ABANDONED


def begin_again(interview_id: UUID, *, at: datetime | None = None) -> None:
    """The three steps, waiting until `at`; those of an earlier end (a corrected interview) begin again."""
    steps = [
        ProcessingStep(interview_id=interview_id, name=name, position=position)
        for position, name in enumerate(ORDER)
    ]
    ProcessingStep.objects.bulk_create(steps, ignore_conflicts=True)
    _reset(ProcessingStep.objects.filter(interview_id=interview_id), at=at)


def hurry_along(interview_id: UUID) -> None:
    """What was to wait for something is due now."""
    ProcessingStep.objects.filter(interview_id=interview_id, state=Step.WAITING).update(
        not_before=timezone.now()
    )
    wake(interview_id)


def _reset(steps: QuerySet[ProcessingStep], *, at: datetime | None = None) -> int:
    return int(
        steps.update(
            state=Step.WAITING,
            attempts=0,
            not_before=at or timezone.now(),
            lease_until=None,
            error="",
            result={},
            finished_at=None,
        )
    )


def wake(interview_id: UUID) -> None:
    """Hurries; when the broker is away, the sweep finds the same rows."""
    from interviews.tasks import process  # tasks.py imports this module

    # A lambda: Django's log of a failed robust hook wants a name, which a partial has not.
    transaction.on_commit(lambda: process.delay(str(interview_id)), robust=True)


# --- The steps ------------------------------------------------------------------------------


def run(interview_id: UUID) -> bool:
    """Do what is due of one interview, in order. Returns whether it should be looked at again soon."""
    did_some = False
    for step_id in ProcessingStep.objects.filter(interview_id=interview_id).values_list("pk", flat=True):
        if run_step(step_id):
            did_some = True
    return (
        did_some
        and ProcessingStep.objects.filter(
            interview_id=interview_id, state=Step.WAITING, interview__state=State.COMPLETED
        ).exists()
    )


def run_step(step_id: int) -> bool:
    """Claim one step if it is due, do it, write the outcome. False when there was nothing to claim.

    Safe to call at any time and from several workers: one of them wins the row.
    """
    step = _claim(step_id)
    if step is None:
        return False
    interview = Interview.objects.select_related(
        "account", "guide__collection", "collection", "contact", "conversation__persona"
    ).get(pk=step.interview_id)
    try:
        result = WORK[step.name](interview, step)
    except NotYet as waiting:
        _wait(step, waiting)
    except StepFailed as failure:
        _give_up(step, str(failure))
    except Exception as error:  # storage away, a bug, a full disk: the row says what, and it is tried again
        logger.warning("Step %s of interview %s failed", step.name, step.interview_id, exc_info=True)
        _try_again(step, _words_for(error))
    else:
        _done(step, result)
    _discard_if_erased(interview)
    return True


def _discard_if_erased(interview: Interview) -> None:
    """The person was forgotten while a worker was at it: what it made since then goes too."""
    if not Interview.objects.filter(pk=interview.pk).exists():
        discard(interview)


def _claim(step_id: int) -> ProcessingStep | None:
    now = timezone.now()
    due = ProcessingStep.objects.filter(pk=step_id).due(at=now)
    if exhausted := due.filter(attempts__gte=MOST_ATTEMPTS).first():
        _give_up(exhausted, GIVEN_UP.format(exhausted.attempts))
        return None
    won = due.update(state=Step.RUNNING, attempts=F("attempts") + 1, lease_until=now + LEASE, started_at=now)
    return ProcessingStep.objects.get(pk=step_id) if won else None


def _move(step: ProcessingStep, state: str, **fields: object) -> bool:
    """The outcome, while the claim is still ours: every claim has its own lease."""
    mine = ProcessingStep.objects.filter(pk=step.pk, state=step.state, lease_until=step.lease_until)
    return mine.update(state=state, lease_until=None, **fields) > 0


def _done(step: ProcessingStep, result: dict[str, object]) -> None:
    with transaction.atomic():
        if not _move(step, Step.DONE, result=result, error="", finished_at=timezone.now()):
            return
        if ProcessingStep.objects.filter(interview_id=step.interview_id).exclude(state=Step.DONE).exists():
            return
        Interview.objects.filter(pk=step.interview_id).move(State.PROCESSED, since=[State.COMPLETED])


def _wait(step: ProcessingStep, waiting: NotYet) -> None:
    """Looking is not an attempt."""
    moved = _move(
        step,
        Step.WAITING,
        result=waiting.result,
        error="",
        attempts=F("attempts") - 1,
        not_before=timezone.now() + LOOK_AGAIN,
    )
    # It may have settled after we looked and before the step could be hurried.
    if moved and Document.objects.filter(pk=waiting.result["document"], state__in=SETTLED).exists():
        hurry(UUID(waiting.result["document"]))


def hurry(document_id: UUID) -> bool:
    """What waits for this document is due now. False when nothing waits for it."""
    waiting = ProcessingStep.objects.filter(
        interview__document=document_id, name=ProcessingStep.Name.KNOWLEDGE, state=Step.WAITING
    )
    interview_id = waiting.values_list("interview_id", flat=True).first()
    if interview_id is None or not waiting.update(not_before=timezone.now()):
        return False
    wake(interview_id)
    return True


def _try_again(step: ProcessingStep, reason: str) -> None:
    if step.attempts >= MOST_ATTEMPTS:
        return _give_up(step, f"{reason} Tried {step.attempts} times.")
    _move(step, Step.WAITING, error=reason, not_before=timezone.now() + pause_after(step.attempts))
    return None


def pause_after(attempts: int) -> timedelta:
    pause = min(FIRST_PAUSE * 2 ** (attempts - 1), LONGEST_PAUSE)
    return pause * random.uniform(0.8, 1.2)


def _give_up(step: ProcessingStep, reason: str) -> None:
    with transaction.atomic():
        if _move(step, Step.FAILED, error=reason, finished_at=timezone.now()):
            Interview.objects.filter(pk=step.interview_id).move(State.FAILED, since=[State.COMPLETED])


def _words_for(error: Exception) -> str:
    """For staff: the kind of error and its first line. Vendors' errors name the operation, never a key."""
    first = str(error).strip().partition("\n")[0][:300]
    return f"{type(error).__name__}: {first}." if first else f"{type(error).__name__}."


# --- Again ----------------------------------------------------------------------------------


def retry(interview: Interview) -> bool:
    """Repeat what failed, without the steps that are done. False when nothing failed."""
    with transaction.atomic():
        failed = interview.steps.exclude(state=Step.DONE)
        if not Interview.objects.filter(pk=interview.pk).move(
            State.COMPLETED, since=[State.FAILED], at=interview.completed_at
        ):
            return False
        _reset(failed)
        wake(interview.pk)
    return True


def repeat(step: ProcessingStep) -> bool:
    """Repeat one step; a failed one alone, a done one with those after it, which are made from it."""
    with transaction.atomic():
        interview = step.interview
        again = interview.steps.filter(position__gte=step.position)
        if step.state == Step.FAILED:
            again = again.exclude(state=Step.DONE)
        if step.state not in (Step.FAILED, Step.DONE) or not Interview.objects.filter(pk=interview.pk).move(
            State.COMPLETED, since=[State.FAILED, State.PROCESSED], at=interview.completed_at
        ):
            return False
        _reset(again)
        wake(interview.pk)
    return True


def due_interviews(*, at: datetime | None = None, limit: int = 200) -> list[UUID]:
    """Interviews with a step that a worker may claim now."""
    due = ProcessingStep.objects.due(at=at or timezone.now())
    return list(due.order_by("not_before").values_list("interview_id", flat=True)[:limit])


def unnoticed(*, limit: int = 200) -> list[UUID]:
    """Conversations that ended while nobody heard it."""
    return list(Interview.objects.closed_unfinished().values_list("conversation_id", flat=True)[:limit])
