"""`/api/v1/chat/memories`: what influencers remember of the user, theirs to see and to take away."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from config.api import offset_lists
from config.api.documented_lists import bounded_total
from config.api.documented_values import private
from config.api.errors import NotFoundError
from config.api.metadata import timestamp
from config.api.parsers import LARGEST_NUMBER
from crm import remembering
from crm.api.persona_chats import PersonaView
from crm.models import MemoryFact
from crm.persona_authentication import contact_of, persona_user
from crm.persona_messages import message_id

DEFAULT, MOST = 50, 200


class MemorySerializer(serializers.Serializer):
    id = serializers.IntegerField()
    text = serializers.CharField()
    influencer_id = serializers.CharField()
    conversation_id = serializers.UUIDField()
    message_id = serializers.UUIDField(help_text="The message of the user that it comes from.")
    created_at = serializers.DateTimeField()


class MemoriesSerializer(serializers.Serializer):
    memories = MemorySerializer(many=True)
    enabled = serializers.BooleanField()
    total = serializers.IntegerField()
    limit = serializers.IntegerField()
    offset = serializers.IntegerField()


class MemorySwitchSerializer(serializers.Serializer):
    enabled = serializers.BooleanField()


class ForgottenSerializer(serializers.Serializer):
    success = serializers.BooleanField()
    deleted_count = serializers.IntegerField()


def memory_body(fact: MemoryFact) -> dict[str, Any]:
    chat = fact.message.conversation_id
    return {
        "id": fact.pk,
        "text": fact.text,
        "influencer_id": fact.persona.shown_id,
        "conversation_id": str(chat),
        "message_id": str(message_id(chat, fact.message.seq)),
        "created_at": timestamp(fact.created_at),
    }


@extend_schema(tags=["Persona chat"])
class Memories(PersonaView):
    @extend_schema(
        operation_id="listMemories",
        summary="What influencers remember of the user, the newest first",
        parameters=offset_lists.described(default=DEFAULT, most=MOST, what="Memories"),
        responses=MemoriesSerializer,
    )
    def get(self, request: Request) -> Response:
        window = offset_lists.window(request.query_params, default=DEFAULT, most=MOST)
        contact = contact_of(persona_user(request))
        rows = remembering.memories_of(contact)
        shown = [memory_body(fact) for fact in rows[window.rows][: window.limit]]
        pages = {"total": bounded_total(rows), "limit": window.limit, "offset": window.offset}
        return private({"memories": shown, "enabled": remembering.is_on(contact), **pages})

    @extend_schema(
        operation_id="switchMemory",
        summary="Let influencers remember, or not",
        request=MemorySwitchSerializer,
        responses=MemorySwitchSerializer,
    )
    def put(self, request: Request) -> Response:
        asked = MemorySwitchSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        contact = contact_of(persona_user(request))
        remembering.switch(contact, on=asked.validated_data["enabled"])
        return private({"enabled": remembering.is_on(contact)})

    @extend_schema(
        operation_id="forgetAll", summary="Forget all of it, for good", responses={200: ForgottenSerializer}
    )
    def delete(self, request: Request) -> Response:
        count = remembering.forget(contact_of(persona_user(request)))
        return private({"success": True, "deleted_count": count})


@extend_schema(tags=["Persona chat"])
class Memory(PersonaView):
    @extend_schema(
        operation_id="forget", summary="Forget one thing, for good", responses={200: ForgottenSerializer}
    )
    def delete(self, request: Request, memory_id: int) -> Response:
        contact = contact_of(persona_user(request))
        count = remembering.forget(contact, memory_id) if memory_id <= LARGEST_NUMBER else 0
        if not count:
            raise NotFoundError("memory")
        return private({"success": True, "deleted_count": count})
