"""What saying anew takes and gives, for the OpenAPI schema. The views are persona_rewriting.py."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.request import Request
from rest_framework.response import Response

from crm.api.persona_chats import PersonaView
from crm.api.persona_described import PersonaTurnSerializer
from crm.api.persona_messages_described import EVENTS
from crm.api.persona_rewriting import EditSerializer

ANSWERS = {
    200: PersonaTurnSerializer(),
    (200, "text/event-stream"): OpenApiResponse(OpenApiTypes.ANY, description=EVENTS),
}


class StoppedSerializer(serializers.Serializer):
    conversation_id = serializers.UUIDField()
    stopped = serializers.BooleanField(help_text="False when no reply was being written.")


class PersonaMessageView(PersonaView):
    """Describes the operation; requests never reach it."""

    @extend_schema(
        tags=["Persona chat"],
        operation_id="editMessage",
        summary="Edit the user's last message; its answer is written anew",
        request=EditSerializer,
        responses=ANSWERS,
    )
    def patch(self, request: Request, conversation_id: str, message_id: str) -> Response:
        raise MethodNotAllowed("PATCH")


class PersonaRegenerateView(PersonaView):
    """Describes the operation; requests never reach it."""

    @extend_schema(
        tags=["Persona chat"],
        operation_id="regenerateMessage",
        summary="Have the last answer written anew",
        request=None,
        responses=ANSWERS,
    )
    def post(self, request: Request, conversation_id: str, message_id: str) -> Response:
        raise MethodNotAllowed("POST")


class PersonaStopView(PersonaView):
    """Describes the operation; requests never reach it."""

    @extend_schema(
        tags=["Persona chat"],
        operation_id="stopReply",
        summary="Stop the answer that is being written; what there is of it is kept",
        request=None,
        responses=StoppedSerializer,
    )
    def post(self, request: Request, conversation_id: str) -> Response:
        raise MethodNotAllowed("POST")
