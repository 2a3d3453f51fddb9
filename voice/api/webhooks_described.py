"""The webhook API in the OpenAPI document. The checks themselves are voice/webhook_body.py's: quicker."""
# ruff: noqa: N815 (the fields are the documented ones)

from rest_framework import serializers

from voice.models import ReceivedConversation


class TranscriptLineSerializer(serializers.Serializer):
    timestamp = serializers.CharField(help_text="ISO 8601; without a zone it is UTC.")
    speaker = serializers.ChoiceField(["user", "agent"])
    content = serializers.CharField()
    messageId = serializers.CharField()
    metadata = serializers.DictField(required=False, allow_null=True)


class ConversationMetadataSerializer(serializers.Serializer):
    sessionId = serializers.CharField(required=False, allow_null=True)
    agentId = serializers.CharField()
    duration = serializers.IntegerField(min_value=0, help_text="Seconds.")
    messageCount = serializers.IntegerField(min_value=0)
    platform = serializers.CharField()
    userAgent = serializers.CharField()


class ConversationSummarySerializer(serializers.Serializer):
    topic = serializers.CharField()
    sentiment = serializers.CharField()
    resolution = serializers.CharField()
    keywords = serializers.ListField(child=serializers.CharField(), required=False)
    intent = serializers.CharField(required=False, allow_null=True)


class ConversationEndSerializer(serializers.Serializer):
    emailId = serializers.EmailField()
    accountId = serializers.RegexField(r"^[A-Za-z0-9_-]{3,50}$")
    conversationId = serializers.CharField(max_length=200)
    transcript = TranscriptLineSerializer(many=True)
    metadata = ConversationMetadataSerializer()
    summary = ConversationSummarySerializer(required=False, allow_null=True)


class AcceptedDataSerializer(serializers.Serializer):
    conversationId = serializers.CharField()
    processedAt = serializers.DateTimeField()
    status = serializers.CharField()
    webhookId = serializers.CharField(help_text="Of this delivery: the same for each repetition of it.")


class AcceptedSerializer(serializers.Serializer):
    success = serializers.BooleanField()
    message = serializers.CharField()
    data = AcceptedDataSerializer()  # type: ignore[assignment]
    error = serializers.JSONField(allow_null=True)


class VendorAcceptedSerializer(serializers.Serializer):
    success = serializers.BooleanField()
    message = serializers.CharField()


class ReceivedConversationRowSerializer(serializers.Serializer):
    """What the documented server told of a conversation; its transcript is under /api/v1/talks."""

    conversationId = serializers.CharField(source="conversation_id")
    emailId = serializers.CharField(source="email")
    accountId = serializers.CharField(source="account_label")
    status = serializers.ChoiceField(ReceivedConversation.Status.choices)
    startTime = serializers.DateTimeField(source="started_at", allow_null=True)
    endTime = serializers.DateTimeField(source="ended_at", allow_null=True)
    duration = serializers.IntegerField(source="duration_seconds", allow_null=True)
    messageCount = serializers.IntegerField(source="message_count")


class ReceivedConversationSerializer(ReceivedConversationRowSerializer):
    processedAt = serializers.DateTimeField(source="processed_at")
    summary = serializers.JSONField(allow_null=True)
    talkId = serializers.UUIDField(
        source="talk_id", allow_null=True, help_text="For /api/v1/talks/{id}; null until it is processed."
    )


class PageFiguresSerializer(serializers.Serializer):
    page = serializers.IntegerField()
    limit = serializers.IntegerField()
    total = serializers.IntegerField()
    pages = serializers.IntegerField()


class ReceivedPageSerializer(serializers.Serializer):
    conversations = ReceivedConversationRowSerializer(many=True)
    pagination = PageFiguresSerializer()


class ReceivedListSerializer(serializers.Serializer):
    success = serializers.BooleanField()
    data = ReceivedPageSerializer()  # type: ignore[assignment]
