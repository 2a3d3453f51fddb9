"""The last exchange of a talk said anew: another answer, or the person's own words edited and answered.

The message and its reply keep their rows and numbers; what they said before is kept beside them
(crm/versions.py). Whole short functions of database work.
"""

from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from crm import remembering, talk, turns, versions
from crm.models import Conversation, Message
from crm.talk import InvalidMessage, TalkError
from crm.turns import Turn

MOST_VERSIONS = 30  # of one message

State = Message.State
PERSON = Message.Author.PERSON


class NotTheLast(TalkError):  # noqa: N818
    """Only the last message, and the last answer, can be said anew."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """The last message of the person, and its reply where there is one."""

    asked: Message
    reply: Message | None


def last_exchange(conversation: Conversation) -> Exchange | None:
    """None where something else was said last: a greeting, or words of staff."""
    rows = Message.objects.filter(conversation_id=conversation.pk).select_related("reply_to")
    last = rows.order_by("-seq").first()
    asked = last if last is None or last.author == PERSON else last.reply_to
    if last is None or asked is None:
        return None
    asked.conversation = conversation
    return Exchange(asked, last if last is not asked else None)


@transaction.atomic
def regenerate(conversation: Conversation, *, seq: int | None = None) -> tuple[Message, Turn]:
    """The person's last message, and the turn in which its answer is written anew.

    `conversation` comes with its persona, account and contact. `seq` is of the answer that is meant. Raises
    TalkError: NotTheLast, TurnTaken, or another whose text says why not.
    """
    exchange = _locked(conversation)
    reply = exchange.reply
    if reply is None or seq not in (None, reply.seq):
        raise _not_the_last()
    if reply.state == State.COMPLETE:
        _refuse_too_many(reply)
        versions.keep(reply, versions.Why.REGENERATED)
    return exchange.asked, _claimed(exchange.asked, reply)


@transaction.atomic
def edit(conversation: Conversation, text: str, *, seq: int | None = None) -> tuple[Message, Turn | None]:
    """The person's last message with other words, and the turn in which it is answered.

    The same words again change nothing: then, and where no reply was begun yet, the turn is None. `seq` is
    of the message that is meant. Raises what `regenerate` raises, and InvalidMessage.
    """
    exchange = _locked(conversation)
    asked, reply = exchange.asked, exchange.reply
    if seq not in (None, asked.seq):
        raise _not_the_last()
    if asked.type == Message.Type.AUDIO:
        raise InvalidMessage(_("A recording cannot be edited. Please send another."))
    words = talk.checked_text(text, is_needed=asked.type == Message.Type.TEXT)
    if words == asked.text:
        return asked, None
    _refuse_too_many(asked)
    versions.keep(asked, versions.Why.EDITED)
    Message.objects.filter(pk=asked.pk).update(
        text=words, act="", question_key="", type=_type_of(asked, words)
    )
    asked.text, asked.act, asked.question_key, asked.type = words, "", "", _type_of(asked, words)
    remembering.take_back(asked)
    if reply is None:
        return asked, None
    if reply.state == State.COMPLETE:
        versions.keep(reply, versions.Why.EDITED)
    versions.answers_other_words(reply)
    return asked, _claimed(asked, reply)


def _type_of(asked: Message, words: str) -> str:
    """A picture alone becomes one with words, and the other way round."""
    if asked.type == Message.Type.TEXT:
        return asked.type
    return Message.Type.MULTIMODAL if words else Message.Type.IMAGE


def _locked(conversation: Conversation) -> Exchange:
    """The last exchange, while nothing can come after it. Raises TalkError when it must stay as it is."""
    # A new message changes this row too, so it waits, and finds the reply being written.
    now = Conversation.objects.select_for_update().get(pk=conversation.pk)
    if not now.is_open:
        raise talk.TalkClosed(_("This conversation has ended."))
    if now.taken_over_by_id is not None:
        raise TalkError(_("A member of our team answers here now: what was said stays."))
    exchange = last_exchange(conversation)
    if exchange is None:
        raise _not_the_last()
    if exchange.reply is not None and exchange.reply.state == State.STREAMING:
        raise talk.turn_taken()
    return exchange


def _not_the_last() -> NotTheLast:
    return NotTheLast(_("Only your last message, and the answer to it, can be said anew."))


def _refuse_too_many(message: Message) -> None:
    if versions.count_of(message) >= MOST_VERSIONS:
        raise TalkError(_("This was said anew often enough. Please write a new message."))


def _claimed(asked: Message, reply: Message) -> Turn:
    """complete | failed → streaming, by who still finds it so. Raises TurnTaken."""
    rows = Message.objects.filter(pk=reply.pk, attempts=reply.attempts).exclude(state=State.STREAMING)
    fresh: dict[str, Any] = {
        "state": State.STREAMING,
        "text": "",
        "error_code": "",
        "plan": {},
        "completed_at": None,
    }
    if not rows.update(**fresh, attempts=F("attempts") + 1, heartbeat_at=timezone.now()):
        raise talk.turn_taken()
    for name, value in fresh.items():
        setattr(reply, name, value)
    reply.attempts += 1
    asked.reply = reply  # type: ignore[attr-defined]
    return turns.claimed_turn(asked, reply)
