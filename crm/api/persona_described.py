"""What the persona API answers, for the OpenAPI schema. The bodies are made in persona_bodies.py."""

from rest_framework import serializers

from crm.models import Message

ROLES = ["user", "assistant"]
STATUSES = ["delivered", "read"]


class PersonaMessageSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    role = serializers.ChoiceField(choices=ROLES)
    content = serializers.CharField(allow_null=True)
    message_type = serializers.ChoiceField(choices=Message.Type.choices)
    media_urls = serializers.ListField(child=serializers.CharField(), help_text="Short-lived.")
    audio_url = serializers.CharField(allow_null=True, help_text="Short-lived.")
    audio_duration_seconds = serializers.IntegerField(allow_null=True)
    token_count = serializers.IntegerField(allow_null=True, help_text="Of an answer, as its vendor counted.")
    created_at = serializers.DateTimeField()
    status = serializers.ChoiceField(choices=STATUSES)
    is_read = serializers.BooleanField()


class PersonaTurnSerializer(serializers.Serializer):
    user_message = PersonaMessageSerializer()
    assistant_message = PersonaMessageSerializer()


class PersonaHistorySerializer(serializers.Serializer):
    conversation_id = serializers.UUIDField()
    messages = PersonaMessageSerializer(many=True)
    total = serializers.IntegerField()
    limit = serializers.IntegerField()
    offset = serializers.IntegerField()
    next = serializers.CharField(allow_null=True, help_text="Send it as `cursor`; null at the end.")


class ChatPreviewSerializer(serializers.Serializer):
    content = serializers.CharField(allow_null=True)
    role = serializers.ChoiceField(choices=ROLES)
    created_at = serializers.DateTimeField()


class InboxPreviewSerializer(ChatPreviewSerializer):
    status = serializers.ChoiceField(choices=STATUSES)
    is_read = serializers.BooleanField()


class ChatInfluencerSerializer(serializers.Serializer):
    id = serializers.CharField()
    name = serializers.CharField()
    display_name = serializers.CharField()
    avatar_url = serializers.CharField(allow_null=True)
    suggested_messages = serializers.ListField(child=serializers.CharField(), allow_null=True)


class BegunInfluencerSerializer(ChatInfluencerSerializer):
    avatar_url = serializers.CharField(required=False)
    suggested_messages = serializers.ListField(child=serializers.CharField(), required=False)


class InboxInfluencerSerializer(serializers.Serializer):
    id = serializers.CharField()
    display_name = serializers.CharField()
    avatar_url = serializers.CharField(allow_null=True)
    is_online = serializers.BooleanField()


class ConversationSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    user_id = serializers.CharField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class PersonaChatSerializer(ConversationSerializer):
    influencer = ChatInfluencerSerializer()
    message_count = serializers.IntegerField()
    last_message = ChatPreviewSerializer(allow_null=True)
    recent_messages = PersonaMessageSerializer(many=True, help_text="At most 10, the newest first.")


class BegunSerializer(ConversationSerializer):
    influencer = BegunInfluencerSerializer()
    message_count = serializers.IntegerField()
    last_message = ChatPreviewSerializer(required=False)
    recent_messages = PersonaMessageSerializer(many=True, required=False)


class InboxChatSerializer(ConversationSerializer):
    influencer = InboxInfluencerSerializer()
    unread_count = serializers.IntegerField()
    last_message = InboxPreviewSerializer(allow_null=True)


class PagesSerializer(serializers.Serializer):
    total = serializers.IntegerField()
    limit = serializers.IntegerField()
    offset = serializers.IntegerField()
    next = serializers.CharField(allow_null=True, help_text="Send it as `cursor`; null at the end.")


class ChatsSerializer(PagesSerializer):
    conversations = PersonaChatSerializer(many=True)


class InboxSerializer(PagesSerializer):
    conversations = InboxChatSerializer(many=True)


class DeletedSerializer(serializers.Serializer):
    success = serializers.BooleanField()
    message = serializers.CharField()
    deleted_conversation_id = serializers.UUIDField()
    deleted_messages_count = serializers.IntegerField()


class ReadSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    unread_count = serializers.IntegerField()
    last_read_at = serializers.DateTimeField()
