"""The rows of a turn: a message's one reply is claimed, kept alive, and ended complete or failed.

Whole short functions of database work; crm/replies.py runs them on the pool of threads.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, cast

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from crm import talk
from crm.briefs import Said
from crm.frames import message_frame, progress_of, said_in
from crm.models import Conversation, Message
from crm.recognising import Recognition
from crm.signals import after_commit, message_recorded
from personas.models import Persona
from personas.providers.base import Done, TurnPlan

SILENCE = timedelta(seconds=30)  # a streaming row without a heartbeat this long was left by its process


@dataclass(frozen=True, slots=True)
class Turn:
    """A claimed turn. `attempt` fences it: after the sweep gave it up, its writes change nothing."""

    message: Message
    reply_id: int
    reply_seq: int
    attempt: int
    conversation: Conversation
    persona: Persona
    said: tuple[Said, ...]


@dataclass(frozen=True, slots=True)
class Standstill:
    """Why there is nothing to write: done, elsewhere (being written), silent (staff speak), closed, late,
    missing.
    """

    why: str
    reply: dict[str, Any] | None = None
    conversation_id: Any = None
    reply_seq: int = 0
    progress: dict[str, Any] | None = None
    close_reason: str = ""


@dataclass(frozen=True, slots=True)
class Ending:
    """A reply that was stored whole."""

    reply: dict[str, Any]
    progress: dict[str, Any] | None
    closed: str = ""  # the reason, when the talk ended with it


def begin_turn(message_id: int) -> Turn | Standstill:
    """Claims the one reply of a message: a new row, or its failed one again."""
    rows = Message.objects.select_related(
        "conversation__persona", "conversation__account", "conversation__contact", "reply"
    )
    message = rows.filter(pk=message_id, author=Message.Author.PERSON).first()
    if message is None:
        return Standstill("missing")
    reply = getattr(message, "reply", None)
    stopped = _standstill(message, reply)
    if stopped is not None:
        return stopped
    try:
        with transaction.atomic():
            claimed = _claim_new(message) if reply is None else _claim_failed(reply)
    except IntegrityError:
        claimed = None  # another reply is being written in this talk
    if claimed is None:
        return Standstill("elsewhere", conversation_id=message.conversation_id)
    conversation = message.conversation
    return Turn(
        message=message,
        reply_id=claimed.pk,
        reply_seq=claimed.seq,
        attempt=claimed.attempts,
        conversation=conversation,
        persona=cast(Persona, conversation.persona),  # _standstill lets no other pass
        said=tuple(said_in(conversation, upto=message.seq)),
    )


def _standstill(message: Message, reply: Message | None) -> Standstill | None:
    conversation = message.conversation
    where: dict[str, Any] = {"conversation_id": conversation.pk, "reply_seq": reply.seq if reply else 0}
    if reply is not None and reply.state == Message.State.COMPLETE:
        reason = conversation.close_reason if not conversation.is_open else ""
        frame = message_frame(reply)
        return Standstill(
            "done", reply=frame, progress=progress_of(conversation), close_reason=reason, **where
        )
    if reply is not None and reply.state == Message.State.STREAMING:
        return Standstill("elsewhere", **where)
    if not conversation.is_open:
        return Standstill("closed", close_reason=conversation.close_reason, **where)
    if conversation.taken_over_by_id is not None or conversation.persona_id is None:
        return Standstill("silent", **where)
    later = Message.objects.filter(
        conversation_id=conversation.pk, author=Message.Author.PERSON, seq__gt=message.seq
    )
    return Standstill("late", **where) if later.exists() else None


def _claim_new(message: Message) -> Message:
    now = timezone.now()
    rows = Conversation.objects.filter(pk=message.conversation_id)
    rows.update(last_seq=F("last_seq") + 1, last_activity_at=now)
    return Message.objects.create(
        conversation_id=message.conversation_id,
        seq=rows.values_list("last_seq", flat=True).get(),
        author=Message.Author.PERSONA,
        state=Message.State.STREAMING,
        reply_to=message,
        attempts=1,
        created_at=now,
        heartbeat_at=now,
    )


def _claim_failed(reply: Message) -> Message | None:
    now = timezone.now()
    rows = Message.objects.filter(pk=reply.pk, state=Message.State.FAILED, attempts=reply.attempts)
    won = rows.update(
        state=Message.State.STREAMING, text="", error_code="", attempts=F("attempts") + 1, heartbeat_at=now
    )
    reply.attempts += 1
    return reply if won else None


def keep_alive(turn: Turn, text: str | None) -> bool:
    """The heartbeat, with the partial text when it has grown. False: the turn is no longer ours."""
    fields: dict[str, Any] = {"heartbeat_at": timezone.now()}
    if text is not None:
        fields["text"] = text
    return _ours(turn).update(**fields) > 0


def _ours(turn: Turn) -> Any:
    return Message.objects.filter(pk=turn.reply_id, state=Message.State.STREAMING, attempts=turn.attempt)


def note_recognition(turn: Turn, read: Recognition) -> None:
    """What the person meant, kept on their message: a repeated attempt reads it instead of deciding anew."""
    if (turn.message.act, turn.message.question_key) == (read.act, read.question_key):
        return
    Message.objects.filter(pk=turn.message.pk).update(act=read.act, question_key=read.question_key)
    turn.message.act, turn.message.question_key = read.act, read.question_key


def finish_turn(
    turn: Turn,
    text: str,
    *,
    plan: TurnPlan,
    read: Recognition,
    done: Done | None,
    sources: Sequence[dict[str, Any]],
) -> Ending | None:
    """Stores the whole reply and, when the plan ends the talk, closes it in the same transaction.

    None when the sweep had given the turn up meanwhile.
    """
    now = timezone.now()
    with transaction.atomic():
        won = _ours(turn).update(
            state=Message.State.COMPLETE,
            text=text,
            act=str(plan.act),
            question_key=plan.question_key[:60],
            plan=talk.plan_json(plan, sources=sources),
            completed_at=now,
            heartbeat_at=None,
            **_costs(done),
        )
        if not won:
            return None
        closed = plan.ends and talk.close(turn.conversation, plan.end_reason or "completed")
        after_commit(message_recorded, message_id=turn.reply_id)
    return _ending(turn, plan=plan, read=read, text=text, closed=plan.end_reason if closed else "")


def _costs(done: Done | None) -> dict[str, Any]:
    if done is None:
        return {}
    return {
        "provider": done.provider[:40],
        "model": done.model[:100],
        "prompt_tokens": done.prompt_tokens,
        "completion_tokens": done.completion_tokens,
    }


def _ending(turn: Turn, *, plan: TurnPlan, read: Recognition, text: str, closed: str) -> Ending:
    reply = Message.objects.select_related("reply_to").get(pk=turn.reply_id)
    asked = replace(turn.said[-1], act=read.act, question_key=read.question_key)
    answered = Said("persona", text, str(plan.act), plan.question_key, turn.reply_seq, reply.created_at)
    return Ending(
        message_frame(reply), progress_of(turn.conversation, [*turn.said[:-1], asked, answered]), closed
    )


def fail_turn(turn: Turn, code: str, text: str = "") -> bool:
    """streaming → failed. What was said is kept for staff to see; a repeated attempt begins anew."""
    return (
        _ours(turn).update(state=Message.State.FAILED, error_code=code[:30], text=text, heartbeat_at=None) > 0
    )


def reply_now(message_id: int) -> tuple[dict[str, Any], dict[str, Any] | None, str] | None:
    """The reply of a message as it is, for those who wait while another process writes it."""
    reply = Message.objects.select_related("reply_to", "conversation").filter(reply_to_id=message_id).first()
    if reply is None:
        return None
    if reply.state == Message.State.STREAMING and interrupt_silent(pk=reply.pk):
        reply.state, reply.error_code = Message.State.FAILED, "interrupted"
    conversation = reply.conversation
    progress = progress_of(conversation) if reply.state == Message.State.COMPLETE else None
    return message_frame(reply), progress, "" if conversation.is_open else conversation.close_reason


def interrupt_silent(**which: Any) -> int:
    """Replies whose process stopped: streaming → failed. `which` narrows them.

    The person's message is kept, and can be tried again.
    """
    silent = Message.objects.filter(
        state=Message.State.STREAMING, heartbeat_at__lt=timezone.now() - SILENCE, **which
    )
    return silent.update(state=Message.State.FAILED, error_code="interrupted", heartbeat_at=None)
