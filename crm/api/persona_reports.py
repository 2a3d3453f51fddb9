"""`POST /api/v1/chat/conversations/{id}/messages/{message_id}/report`: a reply that is not right."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from config.api.documented_values import private
from config.api.errors import ApiError, NotFoundError
from config.api.metadata import timestamp
from crm import persona_chats, reports
from crm.api.persona_chats import PersonaView, translated
from crm.models import MessageReport
from crm.persona_authentication import persona_user
from crm.persona_messages import seq_of

REASONS = MessageReport.Reason.choices


class ReportSerializer(serializers.Serializer):
    reason = serializers.ChoiceField(choices=REASONS)
    comment = serializers.CharField(
        max_length=reports.LONGEST_COMMENT, required=False, allow_blank=True, default=""
    )


class ReportedSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    message_id = serializers.UUIDField()
    reason = serializers.ChoiceField(choices=REASONS)
    created_at = serializers.DateTimeField()


@extend_schema(tags=["Persona chat"])
class ReplyReport(PersonaView):
    @extend_schema(
        operation_id="reportMessage",
        summary="Report a reply to the team",
        description="201 for a new report; 200 for a reply that this user has reported before.",
        request=ReportSerializer,
        responses={200: ReportedSerializer, 201: ReportedSerializer},
    )
    def post(self, request: Request, conversation_id: str, message_id: str) -> Response:
        user = persona_user(request)
        with translated():
            conversation = persona_chats.chat_of(user, conversation_id)
        seq = seq_of(conversation.pk, message_id)
        if seq is None:
            raise NotFoundError("message")
        asked = ReportSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        try:
            row, is_new = reports.report(conversation, conversation.contact, seq, **asked.validated_data)
        except reports.NotReportable as refusal:
            raise ApiError("VALIDATION_ERROR", str(refusal)) from None
        return private(_body(row, message_id), status=201 if is_new else 200)


def _body(row: MessageReport, message_id: str) -> dict[str, Any]:
    created_at = timestamp(row.created_at)
    return {"id": row.pk, "message_id": message_id, "reason": row.reason, "created_at": created_at}
