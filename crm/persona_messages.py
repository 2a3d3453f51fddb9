"""A message to an influencer: stored first, its one reply begun, and what became of it.

The id of a message in the persona API is a UUID (version 8 of RFC 9562) made of its chat and number: the
same for ever, found again without a column of its own.
"""

import hashlib
from dataclasses import dataclass, replace
from uuid import UUID

from django.conf import settings

from config.api.threads import in_database, to_its_end
from crm import media, media_fetching, persona_chats, replies, turns
from crm.models import Conversation, MediaFile, Message
from crm.persona_authentication import PersonaUser
from crm.persona_care import refuse_minor
from crm.replies import Running
from crm.turns import Turn

LONGEST_CLIENT_ID = 1_000  # characters that a program may send
KEPT_CLIENT_ID = 64  # characters; of a longer one its digest


@dataclass(frozen=True, slots=True)
class Sent:
    """What a user says. `media` are the references of their uploads."""

    type: str = Message.Type.TEXT
    text: str = ""
    client_message_id: str | None = None
    media: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Received:
    """A stored message. `turn` is None where the message was known before."""

    conversation: Conversation
    message: Message
    turn: Turn | None


@dataclass(frozen=True, slots=True)
class Begun:
    received: Received
    running: Running


def kept_client_id(given: str | None) -> str | None:
    if given is None or len(given) <= KEPT_CLIENT_ID:
        return given or None
    return hashlib.sha256(given.encode()).hexdigest()


async def begin(user: PersonaUser, conversation_id: str, sent: Sent) -> Begun:
    """The stored message, and its reply being written from now on. A caller who leaves stops nothing.

    Raises NoSuchChat, InfluencerAway, MediaRefused, ApiError (403) where it is for adults alone, and what
    talk.record_message raises.
    """
    return await to_its_end(_begun(user, conversation_id, sent))


async def _begun(user: PersonaUser, conversation_id: str, sent: Sent) -> Begun:
    if sent.media and settings.MEDIA_FETCH:
        sent = await _fetched(user, conversation_id, sent)
    received = await in_database(receive, user, conversation_id, sent)
    return Begun(received, replies.ensure_reply(received.message.pk, received.turn))


async def _fetched(user: PersonaUser, conversation_id: str, sent: Sent) -> Sent:
    """With foreign addresses fetched, for a message that is new and whose chat is the user's own."""
    conversation = await in_database(persona_chats.chat_of, user, conversation_id)
    if await in_database(known_message, conversation, sent.client_message_id) is not None:
        return sent
    media_keys = await media_fetching.own_references(conversation.contact, sent.media, _kind_of(sent))
    return replace(sent, media=tuple(media_keys))


def _kind_of(sent: Sent) -> str:
    return str(MediaFile.Kind.AUDIO if sent.type == Message.Type.AUDIO else MediaFile.Kind.IMAGE)


def receive(user: PersonaUser, conversation_id: str, sent: Sent) -> Received:
    """One piece of database work. A client id that was stored before gives that same message."""
    conversation = persona_chats.chat_of(user, conversation_id)
    known = known_message(conversation, sent.client_message_id)
    if known is not None:
        return Received(conversation, known, None)
    if conversation.persona is not None:
        persona_chats.refuse_away(conversation.persona)
        refuse_minor(conversation.persona, claim=user.is_adult, contact=conversation.contact)
    files = media.claimed(conversation.contact, sent.media, _kind_of(sent)) if sent.media else []
    message, turn = turns.take(
        conversation, sent.text, kept_client_id(sent.client_message_id), media=files, type=sent.type
    )
    return Received(conversation, message, turn)


def known_message(conversation: Conversation, client_id: str | None) -> Message | None:
    kept = kept_client_id(client_id)
    if kept is None:
        return None
    rows = Message.objects.filter(conversation_id=conversation.pk, client_message_id=kept)
    found: Message | None = rows.prefetch_related("media").first()
    return found


def reply_to(received: Received) -> Message | None:
    """The reply as it was stored; None when the chat was deleted meanwhile."""
    found: Message | None = Message.objects.filter(reply_to_id=received.message.pk).first()
    return found


def is_there(conversation: Conversation) -> bool:
    return Conversation.objects.filter(pk=conversation.pk).exists()


def message_id(conversation_id: UUID, seq: int) -> UUID:
    start = hashlib.sha256(b"message of " + conversation_id.bytes).digest()[:8]
    value = int.from_bytes(start + seq.to_bytes(8))
    value = value & ~(0xF << 76) | 0x8 << 76  # version
    return UUID(int=value & ~(0x3 << 62) | 0x2 << 62)  # variant


def seq_of(conversation_id: UUID, reference: str) -> int | None:
    """The number of the message that an id names; None for an id of no message of this chat."""
    try:
        given = UUID(reference)
    except ValueError:
        return None
    seq = given.int & 0xFFFF_FFFF
    return seq if message_id(conversation_id, seq) == given else None
