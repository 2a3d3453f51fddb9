"""News of a user's chats as their inbox socket tells them: read from the rows, by the ids that travelled."""

from typing import Any
from uuid import UUID

from crm.api.persona_bodies import message_body, persona_body
from crm.models import Ban, Contact, Conversation
from crm.persona_chats import history, look_at
from crm.persona_news import READ, TYPING

Event = dict[str, Any]


def event_of(contact_id: UUID, news: Event) -> Event | None:
    """One piece of database work. None when the chat, or the message, is gone. Raises PermissionError
    for somebody who was deactivated or banned meanwhile.
    """
    rows = Contact.objects.select_related("ban").filter(pk=contact_id, is_active=True, erased_at=None)
    contact = rows.first()
    ban: Ban | None = getattr(contact, "ban", None)
    if contact is None or (ban is not None and ban.is_in_force()):
        raise PermissionError
    own = Conversation.objects.filter(contact_id=contact_id).select_related("persona")
    conversation = own.filter(pk=news["conversation"]).first()
    data = _data(conversation, news) if conversation is not None else None
    if data is None:
        return None
    return {"event": news["what"], "data": {"conversation_id": news["conversation"], **data}}


def _data(conversation: Conversation, news: Event) -> Event | None:
    persona = persona_body(conversation.persona)
    if news["what"] == TYPING:
        return {"influencer_id": persona["id"], "is_typing": bool(news.get("is_typing"))}
    if news["what"] == READ:
        return {"unread_count": look_at(conversation).unread_count, "read_at": news.get("read_at")}
    message = history(conversation).filter(seq=int(news.get("seq") or 0)).first()
    if message is None:
        return None
    return {
        "message": message_body(message, conversation),
        "influencer_id": persona["id"],
        "influencer": {name: persona[name] for name in ("id", "display_name", "avatar_url")},
        "unread_count": look_at(conversation).unread_count,
    }
