"""`/api/v1/chat/conversations/{id}/messages`: what was said, and something to say.

Plain async: waiting for a model holds no thread and no database connection.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError

from config.api import offset_lists
from config.api.async_views import async_endpoint
from config.api.errors import ApiError, BudgetExhaustedError, ConflictError, NotFoundError
from config.api.pagination import make_cursor, read_cursor
from config.api.parsers import json_body
from config.api.threads import in_database
from crm import persona_chats, persona_messages, replies, talk
from crm.api.chat import answered, ended, pieces
from crm.api.persona_bodies import message_body
from crm.api.persona_chats import translated
from crm.api.persona_sending import sent_in
from crm.media import MediaRefused
from crm.models import Message
from crm.persona_authentication import PersonaUser, authenticate
from crm.persona_messages import Begun, Received, Sent
from personas import budget

DEFAULT, MOST = 50, 200
ORDERS = {"desc": "-seq", "asc": "seq"}
RETRY_SECONDS = 5
Body = dict[str, Any]


@async_endpoint(methods=("GET", "POST"))
async def messages(request: HttpRequest, conversation_id: str) -> HttpResponseBase:
    user = await authenticate(request)
    if request.method == "GET":
        body = await in_database(_page, request, user, conversation_id)
        return JsonResponse(body, headers={"Cache-Control": "no-store"})
    begun = await _begun(user, conversation_id, sent_in(json_body(request)))
    received = begun.received
    return await answered(
        request,
        answer_to(begun),
        accepted=partial(stored, received),
        # Of the reply that was begun: whoever streams misses no word of it, however fast it was.
        words=pieces(received.message.pk, begun.running),
    )


# --- What was said ----------------------------------------------------------------------------


def _page(request: HttpRequest, user: PersonaUser, conversation_id: str) -> Body:
    with translated():
        conversation = persona_chats.chat_of(user, conversation_id)
    window = offset_lists.window(request.GET, default=DEFAULT, most=MOST)
    order = request.GET.get("order", "desc")
    if order not in ORDERS:
        raise offset_lists.wrong("order", "One of: asc, desc.")
    rows = persona_chats.history(conversation)
    if cursor := request.GET.get("cursor", ""):
        rows = rows.filter(**{f"seq__{'lt' if order == 'desc' else 'gt'}": _seq_in(cursor, conversation.pk)})
    found = persona_chats.with_files(rows.order_by(ORDERS[order])[window.rows])
    page = found[: window.limit]
    following = make_cursor((str(conversation.pk), str(page[-1].seq))) if len(found) > window.limit else None
    return {
        "conversation_id": str(conversation.pk),
        "messages": [message_body(message, conversation) for message in page],
        "total": persona_chats.message_total(conversation),
        "limit": window.limit,
        "offset": window.offset,
        "next": following,
    }


def _seq_in(cursor: str, conversation_id: Any) -> int:
    """Raises ValidationError for a cursor of anything but this conversation."""
    try:
        of, seq = read_cursor(cursor)
        if of == str(conversation_id) and seq.isascii() and seq.isdigit() and len(seq) <= 9:
            return int(seq)
    except ValueError:
        pass
    raise offset_lists.wrong("cursor", "This cursor was not made here. Start without one.")


# --- Something to say -------------------------------------------------------------------------


async def _begun(user: PersonaUser, conversation_id: str, sent: Sent) -> Begun:
    """Raises APIException."""
    try:
        with not_taken(conversation_id):
            return await persona_messages.begin(user, conversation_id, sent)
    except MediaRefused as error:
        name = "audio_url" if sent.type == Message.Type.AUDIO else "media_urls"
        raise ValidationError({name: [str(error)]}) from None


@contextmanager
def not_taken(conversation_id: str) -> Iterator[None]:
    """Why nothing can be said now, as the API says it."""
    try:
        with translated():
            yield
    except talk.InvalidMessage as error:
        raise ValidationError({"content": [str(error)]}) from None
    except talk.TalkError as error:
        raise ConflictError(str(error), details={"conversation_id": conversation_id}) from None


async def answer_to(begun: Begun) -> Body:
    """The body of success, once the reply is whole. Raises ApiError."""
    received = begun.received
    end = await ended(received.message.pk, begun.running)
    if isinstance(end, replies.Failed) and (reply := await in_database(_stopped_elsewhere, received)):
        return {**await stored(received), "assistant_message": message_body(reply, received.conversation)}
    if not isinstance(end, replies.Finished) and not await in_database(
        persona_messages.is_there, received.conversation
    ):
        raise NotFoundError("conversation")
    if isinstance(end, replies.Failed):
        raise await _failure(end, received)
    if isinstance(end, replies.Nothing) and end.why != "silent":
        words = _("A newer message was sent. This one is kept, without an answer of its own.")
        raise ConflictError(words, details=await stored(received))
    reply = await _reply(received)
    shown = message_body(reply, received.conversation) if reply is not None else None
    # While staff have taken the talk over, they answer in it.
    return {**await stored(received), "assistant_message": shown}


def _stopped_elsewhere(received: Received) -> Message | None:
    """The reply that was stopped by way of another process: this one had to leave it."""
    reply = persona_messages.reply_to(received)
    return reply if reply is not None and (reply.plan or {}).get(talk.STOPPED) else None


async def _reply(received: Received) -> Message | None:
    """Without a query where it was written in this process."""
    turn = received.turn
    if turn is not None and turn.reply.state == Message.State.COMPLETE:
        return turn.reply
    return await in_database(persona_messages.reply_to, received)


async def stored(received: Received) -> Body:
    message, conversation = received.message, received.conversation
    if message.type == Message.Type.TEXT:
        return {"user_message": message_body(message, conversation)}
    return {"user_message": await in_database(_with_media, received)}


def _with_media(received: Received) -> Body:
    """As it is stored now: a recording was written down meanwhile."""
    rows = persona_chats.history(received.conversation)
    message = rows.filter(pk=received.message.pk).first() or received.message
    return message_body(message, received.conversation)


async def _failure(end: replies.Failed, received: Received) -> ApiError:
    """The message is kept: who sends it again under its client_message_id gets the answer to it."""
    details = {**await stored(received), "reason": end.code, "retryable": end.retryable}
    if end.code == budget.EXHAUSTED:
        wait = budget.seconds_to_midnight()
        return BudgetExhaustedError(end.message, retry_after_seconds=wait, details=details)
    if end.code == "content_filter":
        words = _("The influencer does not answer this. Please put it in other words.")
        return ApiError("CONTENT_FILTER", words, status_code=422, details=details)
    if end.code == "internal":
        return ApiError("INTERNAL_ERROR", end.message, status_code=500, details=details)
    words = _("No answer could be written right now. Your message is kept; please try again.")
    again = RETRY_SECONDS if end.retryable else None
    return ApiError("SERVICE_UNAVAILABLE", words, status_code=503, details=details, retry_after_seconds=again)
