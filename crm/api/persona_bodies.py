"""What the persona API answers: messages and chats in their documented fields."""

import math
from typing import Any

from config.api.metadata import timestamp
from crm import media
from crm.models import Conversation, MediaFile, Message
from crm.persona_chats import Chat
from crm.persona_messages import message_id
from personas.influencers import influencer_body
from personas.models import Persona

Body = dict[str, Any]
NOBODY: Body = {"id": "", "name": "", "display_name": "", "avatar_url": None}
PERSON = Message.Author.PERSON


def role_of(message: Message) -> str:
    return "user" if message.author == PERSON else "assistant"


def is_read(message: Message, conversation: Conversation) -> bool:
    """Whether the user's program said that they have read it; of their own messages nobody says so."""
    return message.author != PERSON and message.seq <= conversation.read_seq


def message_body(message: Message, conversation: Conversation) -> Body:
    """Its files are read from `media.all()`: prefetch them for a list."""
    files = [] if message.type == Message.Type.TEXT else ordered_files(message)
    audio = next((file for file in files if file.kind == MediaFile.Kind.AUDIO), None)
    pictures = [file for file in files if file.kind == MediaFile.Kind.IMAGE]
    read = is_read(message, conversation)
    seconds = audio.duration_seconds if audio is not None else None
    return {
        "id": str(message_id(conversation.pk, message.seq)),
        "role": role_of(message),
        "content": message.text or None,
        "message_type": str(message.type),
        "media_urls": [media.url_of(file) for file in pictures],
        "audio_url": media.url_of(audio) if audio is not None else None,
        "audio_duration_seconds": None if seconds is None else math.ceil(seconds),
        "token_count": message.completion_tokens,
        "created_at": timestamp(message.created_at),
        "status": "read" if read else "delivered",
        "is_read": read,
    }


def ordered_files(message: Message) -> list[MediaFile]:
    """As they were sent: ids of uploads sort by time, and a program uploads what it shows in that order."""
    return sorted(message.media.all(), key=lambda file: file.pk)


def preview(message: Message | None) -> Body | None:
    if message is None:
        return None
    return {
        "content": message.text or None,
        "role": role_of(message),
        "created_at": timestamp(message.created_at),
    }


def persona_body(persona: Persona | None) -> Body:
    shown = influencer_body(persona) if persona is not None else NOBODY
    return {name: shown[name] for name in NOBODY}


def chat_body(chat: Chat, user_id: str) -> Body:
    """A conversation of the first list, with nulls."""
    conversation, persona = chat.conversation, chat.conversation.persona
    suggested = list(persona.suggested_messages) if persona is not None and chat.message_count <= 1 else None
    return {
        "id": str(conversation.pk),
        "user_id": user_id,
        "influencer": {**persona_body(persona), "suggested_messages": suggested},
        "created_at": timestamp(conversation.created_at),
        "updated_at": timestamp(conversation.last_activity_at),
        "message_count": chat.message_count,
        "last_message": preview(chat.recent[0] if chat.recent else None),
        "recent_messages": [message_body(message, conversation) for message in chat.recent],
    }


def begun_body(chat: Chat, user_id: str) -> Body:
    """The answer to a chat's creation, which leaves out what is null, and messages where there are none."""
    body = chat_body(chat, user_id)
    body["influencer"] = without_nulls(body["influencer"])
    if not body["recent_messages"]:
        del body["recent_messages"]
    return without_nulls(body)


def without_nulls(body: Body) -> Body:
    return {name: value for name, value in body.items() if value is not None}


def inbox_body(chat: Chat, user_id: str) -> Body:
    """A conversation of the second list: what is unread in place of the messages."""
    conversation, persona = chat.conversation, chat.conversation.persona
    shown = persona_body(persona)
    last = chat.recent[0] if chat.recent else None
    return {
        "id": str(conversation.pk),
        "user_id": user_id,
        "influencer": {
            "id": shown["id"],
            "display_name": shown["display_name"],
            "avatar_url": shown["avatar_url"],
            "is_online": persona is not None and persona.status == Persona.Status.ACTIVE,
        },
        "created_at": timestamp(conversation.created_at),
        "updated_at": timestamp(conversation.last_activity_at),
        "unread_count": chat.unread_count,
        "last_message": last_of_inbox(last, conversation),
    }


def last_of_inbox(message: Message | None, conversation: Conversation) -> Body | None:
    shown = preview(message)
    if message is None or shown is None:
        return None
    read = is_read(message, conversation)
    return {**shown, "status": "read" if read else "delivered", "is_read": read}
