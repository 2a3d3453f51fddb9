"""Paths of voice: its APIs and pages."""

from django.urls import URLPattern, URLResolver, path

from voice.api.webhooks import ConversationWebhook, ElevenLabsWebhook
from voice.api.webhooks_conversations import ReceivedConversationDetail, ReceivedConversations

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/v1/webhook/conversation", ConversationWebhook.as_view(), name="webhook-conversation"),
    path("api/v1/webhook/elevenlabs", ElevenLabsWebhook.as_view(), name="webhook-elevenlabs"),
    path("api/v1/conversations", ReceivedConversations.as_view(), name="received-conversations"),
    path(
        "api/v1/conversations/<str:conversation_id>",
        ReceivedConversationDetail.as_view(),
        name="received-conversation",
    ),
]
