"""What `POST /chat` answers: the documented fields, and those that the system's public programs read."""

from typing import Any

from django.utils.translation import gettext as _

from config.api.metadata import response_metadata
from config.api.threads import in_database
from crm.agents_chat import Person, Received
from crm.models import Message

SHOWN_OF_SOURCE = 200  # characters


async def reply_row(received: Received) -> Message | None:
    """The reply as it was stored; without a query where it was written in this process."""
    turn = received.turn
    if turn is not None and turn.reply.state == Message.State.COMPLETE:
        return turn.reply
    return await in_database(_stored_reply, received.message.pk)


def _stored_reply(message_id: int) -> Message | None:
    rows = Message.objects.filter(reply_to_id=message_id).select_related("persona")
    found: Message | None = rows.first()
    return found


def answer_body(
    received: Received, reply: Message | None, *, user_id: str = "", session_id: str = ""
) -> dict[str, Any]:
    """`reply` is None while staff have taken the talk over: they will answer in it."""
    sources = (reply.plan or {}).get("sources", []) if reply is not None else []
    metadata = _metadata(received, reply, sources=len(sources))
    person = user_info(received.person, given_id=user_id)
    return {
        "response": reply.text if reply is not None else _("A member of our team answers here."),
        "conversation_id": received.shown_conversation_id,
        "user_id": person["id"],
        "session_id": session_id,
        "user_info": person,
        "rag_context": [rag_context(source) for source in sources],
        "sources": [shown_source(source) for source in sources],
        "processing_time": metadata["response_time"],
        "metadata": {**metadata, "user_info": person},
    }


def user_info(person: Person, *, given_id: str = "") -> dict[str, Any]:
    """`id` is the one that the caller uses."""
    contact = person.contact
    return {
        "id": given_id or person.reference,
        "name": contact.name,
        "email": person.email,
        "company": contact.company,
        "phone": person.phone,
        "role": contact.role,
    }


def rag_context(source: dict[str, Any]) -> dict[str, Any]:
    filename = source.get("filename") or source.get("title", "")
    return {
        "content": source.get("text", ""),
        "source": filename,
        "score": source.get("score", 0.0),
        "metadata": {
            "filename": filename,
            "chunk_id": str(source.get("chunk_id", "")),
            "number": source.get("number"),
            "document_id": source.get("document_id", ""),
            "locator": source.get("locator") or {},
        },
    }


def shown_source(source: dict[str, Any]) -> dict[str, Any]:
    text = source.get("text", "")
    return {
        "source": source.get("filename") or source.get("title", ""),
        "content": f"{text[:SHOWN_OF_SOURCE]}..." if len(text) > SHOWN_OF_SOURCE else text,
        "similarity_score": source.get("score", 0.0),
    }


def tokens_of(reply: Message | None) -> int | None:
    """As the vendor counted them: 0 without a model, None when the vendor did not say."""
    if reply is None or not reply.model:
        return 0
    if reply.prompt_tokens is None and reply.completion_tokens is None:
        return None
    return (reply.prompt_tokens or 0) + (reply.completion_tokens or 0)


def _metadata(received: Received, reply: Message | None, *, sources: int) -> dict[str, Any]:
    facts = response_metadata()
    routing = reply.routing if reply is not None else {}
    persona = reply.persona if reply is not None else None
    persona = persona or received.conversation.persona
    return {
        **facts,
        "tokens_used": tokens_of(reply),
        "agent_used": routing.get("agent") or (persona.slug if persona and reply is not None else "staff"),
        "agent_name": persona.name if persona and reply is not None else _("Our team"),
        "agent_reason": routing.get("reason", ""),
        "agent_chosen_by": routing.get("by", "staff" if reply is None else ""),
        "rag_documents_retrieved": sources,
        "rag_documents_found": sources,
        "openai_model": (reply.model or reply.provider) if reply is not None else "",
        "conversation_length": reply.seq if reply is not None else received.message.seq,
        "message_id": str(reply.pk) if reply is not None else "",
        "client_message_id": received.message.client_message_id,
        "processing_time": facts["response_time"],
        "user_info_extracted": {},
    }
