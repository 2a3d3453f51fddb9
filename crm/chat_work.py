"""What the chat socket does in the database: each function is one whole piece of work for one frame."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from config.api.prepared import PreparedRows, given
from crm import frames, talk, turns
from crm.authentication import Authority, LinkEnded, authority_for
from crm.models import Conversation, Message
from crm.turns import Turn
from personas import speaking

BUTTONS = frozenset({"skip", "refuse", "stop", "back", "correct", "repeat"})


class NoAuthority(Exception):  # noqa: N818
    """The caller may no longer be here."""


@dataclass(frozen=True, slots=True)
class Admission:
    authority: Authority
    hello: dict[str, Any]
    closed: str
    language: str  # in which the page is told what went wrong


@dataclass(frozen=True, slots=True)
class Caught:
    """What a page missed; `writing` is the message whose reply is being written now."""

    frames: list[dict[str, Any]]
    last_seq: int
    writing: int | None
    closed: str


def admit(scope: Mapping[str, Any], conversation_id: UUID) -> Admission | None:
    """None for a stranger. Raises LinkEnded for the holder of a link that ran out."""
    authority = authority_for(scope, conversation_id)
    if authority is None:
        return None
    conversation = _conversation(conversation_id)
    if conversation is None:
        return None
    return Admission(authority, _hello(conversation), _closed(conversation), talk.language_of(conversation))


_talk = PreparedRows(
    lambda: (
        Conversation.objects.filter(pk=given(Conversation, "id"))
        .select_related("persona", "account")
        .order_by()
    )
)


def _conversation(conversation_id: UUID) -> Conversation | None:
    return _talk.first(id=conversation_id)


def _hello(conversation: Conversation) -> dict[str, Any]:
    return {
        "type": "hello",
        "conversation": str(conversation.pk),
        "state": conversation.state,
        "last_seq": conversation.last_seq,
        "progress": frames.progress_of(conversation),
        "offline": not speaking.has_model(conversation.persona),
    }


def _closed(conversation: Conversation) -> str:
    return "" if conversation.is_open else conversation.close_reason or "completed"


def check(authority: Authority) -> None:
    if not authority.holds():
        raise NoAuthority


def take(
    authority: Authority,
    conversation_id: UUID,
    *,
    text: str,
    client_message_id: str,
    act: str,
    question_key: str,
) -> tuple[Message, Turn | None]:
    """Stores a message and begins its turn. Raises NoAuthority and what talk.record_message raises."""
    check(authority)
    conversation = _conversation(conversation_id)
    if conversation is None:
        raise NoAuthority
    return turns.take(
        conversation, text, client_message_id, act=act if act in BUTTONS else "", question_key=question_key
    )


def to_retry(authority: Authority, conversation_id: UUID, *, seq: int) -> int | None:
    """The id of a person's message at this seq."""
    check(authority)
    rows = Message.objects.filter(conversation_id=conversation_id, seq=seq, author=Message.Author.PERSON)
    return rows.values_list("pk", flat=True).first()


def catch_up(authority: Authority, conversation_id: UUID, *, after: int) -> Caught:
    check(authority)
    conversation = _conversation(conversation_id)
    if conversation is None:
        raise NoAuthority
    rows = frames.messages_after(conversation_id, after)
    writing = Message.objects.filter(conversation_id=conversation_id, state=Message.State.STREAMING)
    return Caught(
        [{"type": "message", "message": frames.message_frame(row)} for row in rows],
        conversation.last_seq,
        writing.values_list("reply_to_id", flat=True).first(),
        _closed(conversation),
    )


def news_of(
    authority: Authority, conversation_id: UUID, *, what: str, seq: int | None
) -> list[dict[str, Any]]:
    """The frames for a watcher who was told that something is new."""
    check(authority)
    if what == "message" and seq is not None:
        message = frames.message_at(conversation_id, seq)
        return [] if message is None else [{"type": "message", "message": frames.message_frame(message)}]
    conversation = _conversation(conversation_id)
    if conversation is None or conversation.is_open:
        progress = frames.progress_of(conversation) if conversation is not None else None
        return [{"type": "progress", "progress": progress}]
    return [{"type": "closed", "reason": _closed(conversation)}]


__all__ = [
    "Admission",
    "Caught",
    "LinkEnded",
    "NoAuthority",
    "admit",
    "catch_up",
    "check",
    "news_of",
    "take",
    "to_retry",
]
