"""A reply that is being written on the assistant page: followed by a page opened meanwhile, or stopped."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase

from config.api.threads import in_database
from crm import replies, turns
from crm.api.chat import as_events
from crm.assistant import Question, address_of, events, may_use
from crm.assistant_values import login_address, own_talk
from crm.models import Conversation
from crm.not_taken import wants_json
from crm.persona_following import answered_now, running_reply, words_of
from crm.persona_talking import until_stored

TalkView = Callable[[HttpRequest, Any, Conversation], Awaitable[HttpResponseBase]]


def in_own_talk(method: str) -> Callable[[TalkView], Callable[..., Awaitable[HttpResponseBase]]]:
    """For staff, in a talk of their own; others learn nothing, but that they are not signed in."""

    def guarded(view: TalkView) -> Callable[..., Awaitable[HttpResponseBase]]:
        @wraps(view)
        async def answer(request: HttpRequest, conversation_id: UUID) -> HttpResponseBase:
            user = await request.auser()
            if not user.is_authenticated:
                return _sign_in(request, conversation_id)
            if not await in_database(may_use, user):
                return HttpResponse(status=404)
            if request.method != method:
                return HttpResponse(status=405, headers={"Allow": method})
            conversation = await in_database(own_talk, user, conversation_id)
            if conversation is None:
                return HttpResponse(status=404)
            return await view(request, user, conversation)

        return answer

    return guarded


def _sign_in(request: HttpRequest, conversation_id: UUID) -> HttpResponse:
    if request.method != "POST" or wants_json(request):
        return HttpResponse(status=401)
    return HttpResponseRedirect(login_address(address_of(conversation_id)))


@in_own_talk("GET")
async def follow(request: HttpRequest, user: Any, conversation: Conversation) -> HttpResponseBase:
    """The events of the form. `asked` is the number of the question; without it the one being answered.

    204 where there is none. It begins and changes nothing.
    """
    message_id = await in_database(answered_now, conversation, request.GET.get("asked", ""))
    if message_id is None:
        return HttpResponse(status=204, headers={"Cache-Control": "no-store"})
    agent = conversation.persona.name if conversation.persona is not None else ""
    asked = Question(conversation.pk, message_id, agent)
    words = words_of(message_id, running_reply(conversation, message_id))
    return as_events(events(request, user, asked, words))


@in_own_talk("POST")
async def stop(request: HttpRequest, user: Any, conversation: Conversation) -> HttpResponseBase:
    """The reply that is being written ends with what it has."""
    running = replies.running_in(conversation.pk)
    if not replies.stop(conversation.pk):
        await in_database(turns.stop_turn, conversation.pk)
    if wants_json(request):
        return HttpResponse(status=204)
    if running is not None:
        await until_stored(running)
    return HttpResponseRedirect(address_of(conversation.pk))
