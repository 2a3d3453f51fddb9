"""What `POST /api/v1/knowledge/ask` takes and gives, for the OpenAPI schema. The view is in asking.py."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api.openapi import enveloped
from knowledge.answering import LONGEST_QUESTION

EVENTS = """Events, with `Accept: text/event-stream`: any number of `delta` {"text"}, then `citations`
{"citations"} and `done` (the same object as in JSON), or `failed` {"code", "message", "retryable"}."""


class AskSerializer(serializers.Serializer):
    question = serializers.CharField(max_length=LONGEST_QUESTION)
    collections = serializers.ListField(
        child=serializers.CharField(),
        required=False,
        max_length=100,
        help_text="Slugs; else every collection that staff may read.",
    )


class CitationSerializer(serializers.Serializer):
    number = serializers.IntegerField(help_text="As the answer cites it: [1].")
    document = serializers.CharField()
    document_id = serializers.UUIDField()
    chunk_id = serializers.IntegerField()
    text = serializers.CharField()
    locator = serializers.DictField(help_text='Like {"page": 3}, {"row": 12} or {"messages": [4]}.')
    place = serializers.CharField(help_text="The locator in words.")
    url = serializers.CharField(help_text="The page where staff read it, as a path of this site.")


class CitedAnswerSerializer(serializers.Serializer):
    question = serializers.CharField()
    question_id = serializers.UUIDField()
    answer = serializers.CharField()
    answered = serializers.BooleanField(help_text="False: it is not in the sources.")
    citations = CitationSerializer(many=True)
    provider = serializers.CharField()
    passages = serializers.IntegerField(help_text="How many were retrieved.")


@extend_schema(tags=["Knowledge"])
class AskView(APIView):
    """Describes the operation; requests never reach it."""

    required_scope = "knowledge"

    @extend_schema(
        operation_id="knowledge_ask",
        request=AskSerializer,
        responses={
            200: enveloped("KnowledgeAnswer", CitedAnswerSerializer()),
            (200, "text/event-stream"): OpenApiResponse(OpenApiTypes.ANY, description=EVENTS),
        },
    )
    def post(self, request: Request) -> Response:
        """Ask a question and get an answer with citations, whole or as it is written."""
        raise MethodNotAllowed("POST")
