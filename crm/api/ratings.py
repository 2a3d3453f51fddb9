"""Thumbs for a reply of an agent."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api.authentication import account_of
from config.api.envelope import success
from config.api.errors import NotFoundError
from config.api.openapi import enveloped
from config.api.parsers import LARGEST_NUMBER
from crm.models import Message, Rating
from crm.rating import LONGEST_COMMENT, rate
from crm.session_authentication import KEY_OR_SESSION, own_contact


class RatingRequestSerializer(serializers.Serializer):
    thumbs = serializers.ChoiceField(choices=[1, -1], help_text="1: helpful, -1: not helpful.")
    comment = serializers.CharField(max_length=LONGEST_COMMENT, required=False, allow_blank=True, default="")


class RatingSerializer(serializers.ModelSerializer):
    message_id = serializers.CharField()
    thumbs = serializers.IntegerField(help_text="1: helpful, -1: not helpful.")

    class Meta:
        model = Rating
        fields = ("message_id", "thumbs", "comment", "rated_at")


def reply_of(request: Request, message_id: int) -> Message:
    """A whole reply of the caller's account; for a chat user, one written to them. Raises NotFoundError."""
    if message_id > LARGEST_NUMBER:
        raise NotFoundError("reply")
    rows: Any = Message.objects.for_account(account_of(request)).filter(
        pk=message_id, author=Message.Author.PERSONA, state=Message.State.COMPLETE
    )
    if (contact := own_contact(request)) is not None:
        rows = rows.filter(conversation__contact=contact)
    found: Message | None = rows.first()
    if found is None:
        raise NotFoundError("reply")
    return found


@extend_schema(tags=["Chat"])
class MessageRating(APIView):
    authentication_classes = KEY_OR_SESSION
    required_scope = "chat"

    @extend_schema(
        operation_id="chat_rate",
        summary="Say whether a reply helped; another rating replaces the first",
        request=RatingRequestSerializer,
        responses=enveloped("RatingResponse", RatingSerializer()),
    )
    def post(self, request: Request, message_id: int) -> Response:
        asked = RatingRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        reply = reply_of(request, message_id)
        rating = rate(reply, **asked.validated_data)
        return success(request, RatingSerializer(rating).data)
