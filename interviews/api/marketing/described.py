"""What the plain async views take and give, for the OpenAPI schema. Requests never reach these classes."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api.marketing_words import SESSION_WORDS
from interviews.api.marketing.chat import MessageSerializer
from interviews.api.marketing.naming import SCOPE
from interviews.api.marketing.processing import ProcessSerializer

FRAMES = """`data: …` lines, each followed by a blank line: {"message_count", "type": "metadata"}, any number
of {"content"}, {"message_count", "type": "complete"} or {"error"}, and `[DONE]` once. Comments in between
keep the connection alive."""
CONTENTS = """`data: …` lines, each followed by a blank line: any number of {"content"}, {"error"} when it
failed, and `[DONE]` once. While the person's interview is under way, the lines of that."""


class SentSerializer(serializers.Serializer):
    response = serializers.CharField(allow_blank=True, help_text="Empty while staff have the talk.")
    agent_response = serializers.CharField(allow_blank=True, help_text="The same text.")
    session_id = serializers.CharField()
    user_id = serializers.CharField()
    message_count = serializers.IntegerField(help_text="Messages of the person.")
    session_status = serializers.ChoiceField(SESSION_WORDS)
    message_id = serializers.CharField()


class TrainResponseSerializer(serializers.Serializer):
    document_id = serializers.CharField(required=False)
    passages = serializers.IntegerField(required=False)
    vendor = serializers.DictField(required=False, help_text="What a vendor's knowledge base said to it.")


class ProcessingResultSerializer(serializers.Serializer):
    session_id = serializers.CharField()
    chat_messages_count = serializers.IntegerField()
    pdf_generated = serializers.BooleanField()
    pdf_size_bytes = serializers.IntegerField(allow_null=True)
    rag_id = serializers.CharField(allow_null=True)
    kb_trained = serializers.BooleanField()
    train_response = TrainResponseSerializer()
    training_method = serializers.CharField()
    pdf_s3_url = serializers.CharField(allow_null=True)
    s3_upload_success = serializers.BooleanField()
    kb_error = serializers.CharField(required=False)
    kb_error_type = serializers.CharField(required=False)
    s3_error = serializers.CharField(required=False)
    s3_error_type = serializers.CharField(required=False)


class HistoryStepSerializer(serializers.Serializer):
    success = serializers.BooleanField()
    messages_count = serializers.IntegerField()


class CategorizationSerializer(serializers.Serializer):
    title = serializers.CharField(allow_blank=True)
    subheading = serializers.CharField(allow_blank=True)
    category = serializers.CharField(allow_blank=True)


class CategorizationStepSerializer(serializers.Serializer):
    success = serializers.BooleanField()
    categorization = CategorizationSerializer()


class PdfStepSerializer(serializers.Serializer):
    success = serializers.BooleanField()
    pdf_size_bytes = serializers.IntegerField(allow_null=True)


class UploadStepSerializer(serializers.Serializer):
    success = serializers.BooleanField()
    s3_url = serializers.CharField(allow_null=True)
    signed_url = serializers.CharField(allow_null=True)
    error = serializers.CharField(allow_null=True)


class OfInterviewSerializer(serializers.Serializer):
    message = serializers.CharField()
    user_id = serializers.CharField()
    email = serializers.CharField()
    session_id = serializers.CharField()
    interview_token = serializers.CharField()


class ProcessedSerializer(OfInterviewSerializer):
    processing_result = ProcessingResultSerializer()
    workflow_completed = serializers.BooleanField(help_text="False: it goes on, or failed; ask again.")
    step_1_chat_history = HistoryStepSerializer()
    step_2_categorization = CategorizationStepSerializer()
    step_3_pdf_creation = PdfStepSerializer()
    step_4_s3_upload = UploadStepSerializer()
    kb_training_note = serializers.CharField()


class TrainedSerializer(OfInterviewSerializer):
    rag_id = serializers.CharField(allow_blank=True)
    training_success = serializers.BooleanField()
    training_result = TrainResponseSerializer()
    training_error = serializers.CharField(allow_null=True)
    chat_messages_processed = serializers.IntegerField()
    text_content_length = serializers.IntegerField()
    training_skipped = serializers.BooleanField()


class _Described(APIView):
    required_scope = SCOPE


class SendView(_Described):
    @extend_schema(
        tags=["Marketing: chat"],
        operation_id="chat_send",
        summary="What a person writes in their interview; the answer is the reply",
        description="The first message begins the interview: whoever calls vouches that the person agreed.",
        request=MessageSerializer,
        responses=SentSerializer,
    )
    def post(self, request: Request) -> Response:
        raise MethodNotAllowed("POST")


class InterviewStreamView(_Described):
    @extend_schema(
        tags=["Marketing: chat"],
        operation_id="chat_interview_send_stream",
        summary="The same, the reply as it is written",
        request=MessageSerializer,
        responses={(200, "text/event-stream"): OpenApiResponse(OpenApiTypes.ANY, description=FRAMES)},
    )
    def post(self, request: Request) -> Response:
        raise MethodNotAllowed("POST")


class AgentStreamView(_Described):
    @extend_schema(
        tags=["Marketing: chat"],
        operation_id="chat_agent_send_stream",
        summary="Ask the account's chat agent, which answers from its knowledge base",
        request=MessageSerializer,
        responses={(200, "text/event-stream"): OpenApiResponse(OpenApiTypes.ANY, description=CONTENTS)},
    )
    def post(self, request: Request) -> Response:
        raise MethodNotAllowed("POST")


class ProcessView(_Described):
    @extend_schema(
        tags=["Marketing: interviews"],
        operation_id="interview_process",
        summary="Make the PDF, store it, read it into the knowledge base. Done before, it is not done again",
        description="Waits up to 20 seconds; longer work goes on, and the same call tells how far it is.",
        request=ProcessSerializer,
        responses=ProcessedSerializer,
    )
    def post(self, request: Request) -> Response:
        raise MethodNotAllowed("POST")


class TrainingView(_Described):
    @extend_schema(
        tags=["Marketing: interviews"],
        operation_id="interview_kb_training",
        summary="Whether the knowledge base has read the transcript; has it read if it has not",
        request=ProcessSerializer,
        responses=TrainedSerializer,
    )
    def post(self, request: Request) -> Response:
        raise MethodNotAllowed("POST")
