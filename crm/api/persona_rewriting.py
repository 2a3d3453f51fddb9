"""The last exchange of a conversation by the API: answered again, edited, stopped (docs/persona-chat-api.md).

Plain async: waiting for a model holds no thread and no database connection.
"""

from collections.abc import Awaitable
from functools import partial

from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from rest_framework import serializers

from config.api.async_views import async_endpoint
from config.api.errors import NotFoundError
from config.api.parsers import json_body
from crm import persona_rewriting, talk
from crm.api.chat import answered, pieces
from crm.api.persona_chats import translated
from crm.api.persona_messages import answer_to, not_taken, stored
from crm.api.persona_sending import SpokenField
from crm.persona_authentication import authenticate
from crm.persona_messages import Begun


class EditSerializer(serializers.Serializer):
    content = SpokenField(max_length=talk.LONGEST_TEXT, allow_blank=True)


@async_endpoint(methods=("PATCH",))
async def edited(request: HttpRequest, conversation_id: str, message_id: str) -> HttpResponseBase:
    user = await authenticate(request)
    text = EditSerializer().run_validation(json_body(request))["content"]
    begun = await _begun(persona_rewriting.edit(user, conversation_id, text, message_id), conversation_id)
    return await _answered(request, begun)


@async_endpoint(methods=("POST",))
async def regenerated(request: HttpRequest, conversation_id: str, message_id: str) -> HttpResponseBase:
    user = await authenticate(request)
    begun = await _begun(persona_rewriting.regenerate(user, conversation_id, message_id), conversation_id)
    return await _answered(request, begun)


@async_endpoint(methods=("POST",))
async def stopped(request: HttpRequest, conversation_id: str) -> HttpResponseBase:
    user = await authenticate(request)
    with translated():
        was_written = await persona_rewriting.stop(user, conversation_id)
    body = {"conversation_id": conversation_id, "stopped": was_written}
    return JsonResponse(body, headers={"Cache-Control": "no-store"})


async def _begun(work: Awaitable[Begun], conversation_id: str) -> Begun:
    """Raises APIException."""
    try:
        with not_taken(conversation_id):
            return await work
    except persona_rewriting.NoSuchMessage:
        raise NotFoundError("message") from None


async def _answered(request: HttpRequest, begun: Begun) -> HttpResponseBase:
    received = begun.received
    return await answered(
        request,
        answer_to(begun),
        accepted=partial(stored, received),
        words=pieces(received.message.pk, begun.running),
    )
