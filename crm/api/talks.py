"""Transcripts over the API. (`/api/v1/conversations` is the webhook API's, so ours are called talks.)"""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api.audit import record
from config.api.authentication import account_of, caller_of
from config.api.envelope import success
from config.api.errors import NotFoundError
from config.api.openapi import enveloped
from config.api.pagination import KeysetPagination
from crm.api.contacts import SCOPE
from crm.frames import progress_of
from crm.models import Conversation, Message


class TalkSerializer(serializers.ModelSerializer):
    progress = serializers.SerializerMethodField()

    class Meta:
        model = Conversation
        fields = (
            "id",
            "contact",
            "persona",
            "channel",
            "title",
            "external_id",
            "category",
            "state",
            "status",
            "close_reason",
            "last_seq",
            "created_at",
            "last_activity_at",
            "closed_at",
            "progress",
        )

    def get_progress(self, conversation: Conversation) -> dict[str, Any] | None:
        return progress_of(conversation)


class TalkMessageSerializer(serializers.ModelSerializer):
    reply_to = serializers.IntegerField(source="reply_to.seq", default=None, allow_null=True)

    class Meta:
        model = Message
        fields = (
            "seq",
            "author",
            "state",
            "text",
            "reply_to",
            "act",
            "question_key",
            "error_code",
            "provider",
            "model",
            "created_at",
        )


def talk_of(request: Request, talk_id: UUID) -> Conversation:
    rows = Conversation.objects.for_account(account_of(request)).filter(pk=talk_id, tried_out_by=None)
    found: Conversation | None = rows.first()
    if found is None:
        raise NotFoundError("talk")
    return found


@extend_schema(tags=["Talks"])
class TalkDetail(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="talks_read",
        summary="One talk: with whom, how it stands",
        responses=enveloped("TalkResponse", TalkSerializer()),
    )
    def get(self, request: Request, talk_id: UUID) -> Response:
        return success(request, TalkSerializer(talk_of(request, talk_id)).data)


class InOrder(KeysetPagination):
    ordering = "seq"


@extend_schema(tags=["Talks"])
class TalkMessages(generics.ListAPIView):
    required_scope = SCOPE
    serializer_class = TalkMessageSerializer
    pagination_class = InOrder
    ordering = "seq"

    def get_queryset(self) -> Any:
        if getattr(self, "swagger_fake_view", False):
            return Message.objects.none()
        conversation = talk_of(self.request, self.kwargs["talk_id"])
        record(
            conversation.account,
            "key",
            caller_of(self.request).name,
            "read transcript",
            target=conversation,
            request=self.request,
        )
        return Message.objects.filter(conversation=conversation).select_related("reply_to")

    @extend_schema(operation_id="talks_messages", summary="What was said, in order. Reading is recorded")
    def get(self, request: Request, talk_id: UUID) -> Response:
        return self.list(request)
