"""What a user's inbox sockets are told: a reply is being written, is there, was read. Only ids travel."""

import asyncio
from typing import Any
from uuid import UUID

from asgiref.sync import async_to_sync

from crm import watching
from crm.models import Conversation

TYPING, MESSAGE, READ = "typing_status", "new_message", "conversation_read"
_tasks: set["asyncio.Task[None]"] = set()


def group_of(contact_id: UUID | str) -> str:
    return f"inbox.{contact_id}"


async def tell(conversation: Conversation, what: str, **facts: Any) -> None:
    """For a chat with an influencer; of others there is no inbox. Never an error: lists tell the same."""
    if conversation.pair_key is None:
        return
    event = {"type": "inbox.news", "what": what, "conversation": str(conversation.pk), **facts}
    await watching.send(group_of(conversation.contact_id), event)


def tell_soon(conversation: Conversation, what: str, **facts: Any) -> None:
    """The same without waiting for Redis."""
    if conversation.pair_key is not None:
        task = asyncio.create_task(tell(conversation, what, **facts))
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)


def tell_from_sync(conversation: Conversation, what: str, **facts: Any) -> None:
    async_to_sync(tell)(conversation, what, **facts)
