"""`GET /personas/{slug}/reply`: a reply that is being written, for a page that was opened meanwhile.

Also for one whose connection broke, and for a tab that somebody comes back to. It begins and changes nothing.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from config.api.threads import in_database
from crm import replies, turns
from crm.api.chat import as_events, pieces
from crm.models import Conversation, Message
from crm.persona_authentication import PersonaUser
from crm.persona_exchange import accepted, as_frames, done
from crm.persona_page_values import existing_chat
from crm.persona_talking import asked_by, taken_or_said
from personas import rate_limits
from personas.models import Persona


@asked_by("GET")
async def follow(request: HttpRequest, user: PersonaUser, persona: Persona) -> HttpResponseBase:
    """The events of a form of the page. `asked` is the number of the message that is answered; without it
    that of the reply which is being written now. 204 where there is none.
    """
    conversation = await in_database(existing_chat, user, persona)
    asked = None
    if conversation is not None:
        asked = await in_database(answered_now, conversation, request.GET.get("asked", ""))
    if conversation is None or asked is None:
        return HttpResponse(status=204, headers={"Cache-Control": "no-store"})
    await taken_or_said(rate_limits.throttle(request, user.ident))
    return as_events(_events(request, persona, conversation, asked))


def answered_now(conversation: Conversation, seq: str) -> int | None:
    """The id of the person's message: the one of this number, else whose reply is being written."""
    rows = Message.objects.filter(conversation_id=conversation.pk, reply_to__isnull=False)
    if seq.isascii() and seq.isdigit() and len(seq) < 10:
        rows = rows.filter(reply_to__seq=int(seq))
    else:
        rows = rows.filter(state=Message.State.STREAMING)
    return rows.values_list("reply_to_id", flat=True).first()


async def _events(
    request: HttpRequest, persona: Persona, conversation: Conversation, asked: int
) -> AsyncIterator[bytes]:
    running = running_reply(conversation, asked)
    yield await accepted(request, persona, asked)
    async with aclosing(cast(Any, as_frames(words_of(asked, running)))) as told:
        async for one in told:
            yield one
    yield await done(request, persona, asked, running.end if running is not None else None)


def running_reply(conversation: Conversation, message_id: int) -> replies.Running | None:
    """The one that this process is writing to the message."""
    running = replies.running_in(conversation.pk)
    is_it = running is not None and running.message_id == message_id and running.end is None
    return running if is_it else None


def words_of(message_id: int, running: replies.Running | None) -> AsyncIterator[str]:
    """As they come, from this process or another; begins nothing."""
    return pieces(message_id, running) if running is not None else _of_row(message_id)


async def _of_row(message_id: int) -> AsyncIterator[str]:
    """The words that another process writes, as they come to the row: about once a second."""
    told, deadline = "", time.monotonic() + replies.LONGEST_REPLY_SECONDS
    while time.monotonic() < deadline:
        now = await in_database(turns.reply_now, message_id)
        if now is None or now[0]["state"] != Message.State.STREAMING:
            return
        text = now[0]["text"]
        # Another attempt may have begun anew: then the whole answer comes at the end.
        yield text[len(told) :] if text.startswith(told) else ""
        told = max(told, text, key=len)
        await asyncio.sleep(replies.POLL_SECONDS)
