"""The last exchange of a chat with an influencer: answered again, edited, stopped. By page and by API."""

from collections.abc import Callable

from config.api.threads import in_database, to_its_end
from crm import persona_chats, persona_messages, replies, rewriting, turns
from crm.models import Conversation, Message
from crm.persona_authentication import PersonaUser
from crm.persona_care import refuse_minor
from crm.persona_messages import Begun, Received
from crm.turns import Turn

Work = Callable[[Conversation, int | None], tuple[Message, Turn | None]]


class NoSuchMessage(Exception):  # noqa: N818
    """There is no message of this id in this chat."""


async def regenerate(user: PersonaUser, conversation_id: str, message_id: str | None = None) -> Begun:
    """The answer is written anew from now on. `message_id` is of the answer; None means the last.

    Raises NoSuchChat, NoSuchMessage, InfluencerAway and what `rewriting.regenerate` raises.
    """
    return await _begun(
        user, conversation_id, message_id, lambda chat, seq: rewriting.regenerate(chat, seq=seq)
    )


async def edit(user: PersonaUser, conversation_id: str, text: str, message_id: str | None = None) -> Begun:
    """The message has these words from now on, and its answer is written anew. Raises the same."""
    return await _begun(
        user, conversation_id, message_id, lambda chat, seq: rewriting.edit(chat, text, seq=seq)
    )


async def _begun(user: PersonaUser, conversation_id: str, message_id: str | None, work: Work) -> Begun:
    return await to_its_end(_writing(user, conversation_id, message_id, work))


async def _writing(user: PersonaUser, conversation_id: str, message_id: str | None, work: Work) -> Begun:
    received = await in_database(_received, user, conversation_id, message_id, work)
    return Begun(received, replies.ensure_reply(received.message.pk, received.turn))


def _received(user: PersonaUser, conversation_id: str, message_id: str | None, work: Work) -> Received:
    conversation = persona_chats.chat_of(user, conversation_id)
    seq = None
    if message_id is not None:
        seq = persona_messages.seq_of(conversation.pk, message_id)
        if seq is None:
            raise NoSuchMessage
    if conversation.persona is not None:
        persona_chats.refuse_away(conversation.persona)
        refuse_minor(conversation.persona, claim=user.is_adult, contact=conversation.contact)
    message, turn = work(conversation, seq)
    return Received(conversation, message, turn)


async def stop(user: PersonaUser, conversation_id: str) -> bool:
    """The reply that is being written ends with what it has; False when none is. Raises NoSuchChat."""
    conversation = await in_database(persona_chats.chat_of, user, conversation_id)
    return replies.stop(conversation.pk) or await in_database(turns.stop_turn, conversation.pk)
