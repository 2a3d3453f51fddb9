"""What `POST /chat` takes and gives, for the OpenAPI schema. The view is in chat.py."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm.api.chat import SCOPE, ChatRequestSerializer

EVENTS = """Events, with `Accept: text/event-stream` (docs/chat-api.md): `accepted`, any number of `delta`
{"text"}, then `done` (the same object as in JSON) or `error` (the error body)."""


class ChatPersonSerializer(serializers.Serializer):
    id = serializers.CharField(help_text="The id the caller uses.")
    name = serializers.CharField()
    email = serializers.CharField()
    company = serializers.CharField()
    phone = serializers.CharField()
    role = serializers.CharField()


class ChatSourceMetadataSerializer(serializers.Serializer):
    filename = serializers.CharField()
    chunk_id = serializers.CharField()


class ChatSourceSerializer(serializers.Serializer):
    content = serializers.CharField()
    source = serializers.CharField(help_text="The file it comes from.")  # type: ignore[assignment]
    score = serializers.FloatField(min_value=0, max_value=1)
    metadata = ChatSourceMetadataSerializer()


class ChatMetadataSerializer(serializers.Serializer):
    response_time = serializers.FloatField(help_text="Seconds.")
    tokens_used = serializers.IntegerField(allow_null=True, help_text="Null: the vendor did not say.")
    agent_used = serializers.CharField()
    agent_reason = serializers.CharField()
    rag_documents_retrieved = serializers.IntegerField()
    openai_model = serializers.CharField()
    conversation_length = serializers.IntegerField()
    timestamp = serializers.DateTimeField()
    request_id = serializers.CharField()
    message_id = serializers.CharField(help_text="Of the reply, for its rating.")
    client_message_id = serializers.CharField(allow_null=True)


class ChatAnswerSerializer(serializers.Serializer):
    response = serializers.CharField()
    conversation_id = serializers.CharField()
    user_id = serializers.CharField()
    session_id = serializers.CharField()
    user_info = ChatPersonSerializer()
    rag_context = ChatSourceSerializer(many=True)
    processing_time = serializers.FloatField(help_text="Seconds.")
    metadata = ChatMetadataSerializer()


class ChatView(APIView):
    """Describes the operation; requests never reach it."""

    required_scope = SCOPE

    @extend_schema(
        tags=["Chat"],
        operation_id="chat",
        summary="Say something to the agents",
        request=ChatRequestSerializer,
        responses={
            200: ChatAnswerSerializer(),
            (200, "text/event-stream"): OpenApiResponse(OpenApiTypes.ANY, description=EVENTS),
        },
    )
    def post(self, request: Request) -> Response:
        raise MethodNotAllowed("POST")
