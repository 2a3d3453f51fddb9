"""The rows of a turn: a message's one reply is claimed, kept alive, and ended complete or failed.

Whole short functions of database work; crm/replies.py runs them on the pool of threads.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.utils import timezone

from config.api.prepared import PreparedUpdate, given
from crm import talk, versions
from crm.briefs import Brief, Said
from crm.frames import message_frame, progress_of, said_in
from crm.models import Conversation, MediaFile, Message
from crm.recognising import Recognition
from crm.signals import after_commit, message_recorded
from personas import drafts
from personas.models import Persona
from personas.providers.base import Done, TurnPlan

SILENCE = timedelta(seconds=30)  # a streaming row without a heartbeat this long was left by its process
# What a whole reply is stored with.
COMPLETED = (
    "text",
    "act",
    "question_key",
    "plan",
    "completed_at",
    "provider",
    "model",
    "prompt_tokens",
    "completion_tokens",
    "persona_version",
)
ALSO_COMPLETED: dict[str, Any] = {"state": Message.State.COMPLETE, "heartbeat_at": None}


@dataclass(frozen=True, slots=True)
class Turn:
    """A claimed turn. `attempt` fences it: after the sweep gave it up, its writes change nothing."""

    message: Message
    reply: Message  # its fields are those of the claim; what comes later is in the row
    attempt: int
    conversation: Conversation
    persona: Persona
    brief: Brief  # of the conversation, read once
    said: tuple[Said, ...]

    @property
    def reply_id(self) -> int:
        return int(self.reply.pk)

    @property
    def reply_seq(self) -> int:
        return self.reply.seq


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
    return claimed_turn(message, claimed)


def take(
    conversation: Conversation,
    text: str,
    client_message_id: str | None,
    *,
    media: Sequence[MediaFile] = (),
    type: str = Message.Type.TEXT,
    act: str = "",
    question_key: str = "",
    of_reply: dict[str, Any] | None = None,
) -> tuple[Message, Turn | None]:
    """A person's message, stored, and the turn it begins, in one transaction.

    None when no reply is due now, or when the message was known: then `begin_turn` tells what is.
    `conversation` comes with its persona and account. Raises what talk.record_message raises.
    """
    message, is_new = talk.record_message(
        conversation,
        text,
        client_message_id,
        media=media,
        type=type,
        act=act,
        question_key=question_key,
        with_reply=True,
        of_reply=of_reply,
    )
    if not is_new or not Message.reply.is_cached(message):
        return message, None
    message.conversation = conversation
    return message, claimed_turn(message, message.reply)


def claimed_turn(message: Message, reply: Message) -> Turn:
    """The turn of a reply that was claimed just now; `message` comes with its conversation and `reply`."""
    conversation = message.conversation
    # The reply knows its message; the other way too they would be a circle, which only the garbage collector
    # ends, and a full collection with 200 chats open stops them all for 80 ms.
    Message._meta.get_field("reply").delete_cached_value(message)  # type: ignore[union-attr]
    return Turn(
        message=message,
        reply=reply,
        attempt=reply.attempts,
        conversation=conversation,
        persona=_persona_of(conversation),
        brief=Brief.from_json(conversation.brief),
        said=(_as_said(message),) if message.seq == 1 else tuple(said_in(conversation, upto=message.seq)),
    )


def _persona_of(conversation: Conversation) -> Persona:
    persona = cast(Persona, conversation.persona)  # no other conversation has replies
    if conversation.tried_out_by_id is None:
        return persona
    return drafts.with_content(persona, conversation.brief.get("draft") or {})


def _as_said(message: Message) -> Said:
    return Said(
        message.author, message.text, message.act, message.question_key, message.seq, message.created_at
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
    rows = Conversation.objects.filter(pk=message.conversation_id)
    rows.update(last_seq=F("last_seq") + 1, last_activity_at=timezone.now())
    return talk.begin_reply(message, seq=rows.values_list("last_seq", flat=True).get())


def _claim_failed(reply: Message) -> Message | None:
    now = timezone.now()
    rows = Message.objects.filter(pk=reply.pk, state=Message.State.FAILED, attempts=reply.attempts)
    won = rows.update(
        state=Message.State.STREAMING, text="", error_code="", attempts=F("attempts") + 1, heartbeat_at=now
    )
    reply.attempts += 1
    return reply if won else None


@dataclass(frozen=True, slots=True)
class Beat:
    """A heartbeat of one reply, with the partial text when it has grown, and what the person meant."""

    turn: Turn
    text: str | None
    read: Recognition | None = None


def keep_alive(beats: Sequence[Beat]) -> set[int]:
    """Writes the heartbeats of many replies at once; the ids of replies that are no longer ours.

    One statement run for each row: as an UPDATE of the ORM each, forty replies a second would cost the web
    process more than their words do.
    """
    table, now = Message._meta.db_table, connection.ops.adapt_datetimefield_value(timezone.now())
    statement = (
        f"UPDATE {table} SET heartbeat_at = %s, text = COALESCE(%s, text)"  # noqa: S608 (the table's own name)
        " WHERE id = %s AND state = 'streaming' AND attempts = %s"
    )
    rows = [(now, beat.text, beat.turn.reply_id, beat.turn.attempt) for beat in beats]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.executemany(statement, rows)
        all_ours = cursor.rowcount == len(rows)
        for beat in beats:
            _note_recognition(beat.turn, beat.read)
    if all_ours:
        return set()
    streaming = Message.objects.filter(
        pk__in=[beat.turn.reply_id for beat in beats], state=Message.State.STREAMING
    )
    attempts = dict(streaming.values_list("pk", "attempts"))
    return {b.turn.reply_id for b in beats if attempts.get(b.turn.reply_id) != b.turn.attempt}


def _ours(turn: Turn) -> Any:
    return Message.objects.filter(pk=turn.reply_id, state=Message.State.STREAMING, attempts=turn.attempt)


def _note_recognition(turn: Turn, read: Recognition | None) -> None:
    """What the person meant, kept on their message: a repeated attempt reads it instead of deciding anew."""
    if read is None or (turn.message.act, turn.message.question_key) == (read.act, read.question_key):
        return
    Message.objects.filter(pk=turn.message.pk).update(act=read.act, question_key=read.question_key)
    turn.message.act, turn.message.question_key = read.act, read.question_key


def _completing() -> tuple[Any, dict[str, Any]]:
    rows = Message.objects.filter(
        pk=given(Message, "id"), state=Message.State.STREAMING, attempts=given(Message, "attempts")
    )
    return rows, {name: given(Message, name) for name in COMPLETED} | ALSO_COMPLETED


_complete = PreparedUpdate(_completing)


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

    Without `done` the person stopped it: it is marked so. None when the turn was given up meanwhile.
    """
    fields: dict[str, Any] = {
        "text": text,
        "act": str(plan.act),
        "question_key": plan.question_key[:60],
        "plan": talk.plan_json(plan, sources=sources, was_stopped=done is None),
        "completed_at": timezone.now(),
        "persona_version": _version_of(turn),
        **_costs(done),
    }
    with transaction.atomic():
        won = _complete(id=turn.reply_id, attempts=turn.attempt, **fields)
        if not won:
            return None
        _note_recognition(turn, read)
        closed = plan.ends and talk.close(turn.conversation, plan.end_reason or "completed")
        after_commit(message_recorded, message_id=turn.reply_id)
    for name, value in (fields | ALSO_COMPLETED).items():
        setattr(turn.reply, name, value)
    return _ending(turn, turn.reply, read=read, closed=plan.end_reason if closed else "")


def _version_of(turn: Turn) -> int | None:
    return None if turn.conversation.tried_out_by_id is not None else turn.persona.version or None


def _costs(done: Done | None) -> dict[str, Any]:
    if done is None:  # a repeated attempt had none either
        return {"provider": "", "model": "", "prompt_tokens": None, "completion_tokens": None}
    return {
        "provider": done.provider[:40],
        "model": done.model[:100],
        "prompt_tokens": done.prompt_tokens,
        "completion_tokens": done.completion_tokens,
    }


def _ending(turn: Turn, reply: Message, *, read: Recognition, closed: str) -> Ending:
    asked = replace(turn.said[-1], act=read.act, question_key=read.question_key)
    answered = Said("persona", reply.text, reply.act, reply.question_key, reply.seq, reply.created_at)
    progress = progress_of(turn.conversation, [*turn.said[:-1], asked, answered], brief=turn.brief)
    return Ending(message_frame(reply), progress, closed)


def fail_turn(turn: Turn, code: str, text: str = "", *, read: Recognition | None = None) -> bool:
    """streaming → failed. What was said is kept for staff to see; a repeated attempt begins anew.

    An answer that this one was to replace is there again: streaming → complete.
    """
    with transaction.atomic():
        failed = {"state": Message.State.FAILED, "error_code": code[:30], "text": text, "heartbeat_at": None}
        if not _ours(turn).update(**failed):
            return False
        versions.put_back(turn.reply_id)
        _note_recognition(turn, read)
    return True


def stop_turn(conversation_id: UUID) -> bool:
    """A reply that another process writes ends with the text that is stored: up to a second less than it has.

    Its process finds at the next heartbeat that the reply is its own no more. False when none is written.
    """
    rows = Message.objects.filter(conversation_id=conversation_id, state=Message.State.STREAMING)
    reply = rows.first()
    if reply is None:
        return False
    ours = rows.filter(pk=reply.pk, attempts=reply.attempts)
    ended: dict[str, Any] = {"heartbeat_at": None, "completed_at": timezone.now()}
    with transaction.atomic():
        if reply.text.strip():
            kept = {"text": reply.text.rstrip(), "plan": {talk.STOPPED: True}}
            return bool(ours.update(state=Message.State.COMPLETE, **kept, **ended))
        won = ours.update(state=Message.State.FAILED, error_code="stopped", **ended)
        if won:
            versions.put_back(reply.pk)
        return bool(won)


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
