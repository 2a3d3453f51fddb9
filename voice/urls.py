"""Paths of voice: its APIs and pages."""

from django.urls import URLPattern, URLResolver, path

from voice import console, pages, twilio_webhooks
from voice.api import batch_moves, batch_people, batches, calls, calls_read, time_slots
from voice.api.webhooks import ConversationWebhook, ElevenLabsWebhook, conversation_webhook
from voice.api.webhooks_conversations import ReceivedConversationDetail, ReceivedConversations

# Plain async views; the schema is drawn from these descriptions of them.
conversation_webhook.__dict__.update(cls=ConversationWebhook, initkwargs={})
twilio_webhooks.twilio_process.__dict__.update(cls=twilio_webhooks.TwilioProcess, initkwargs={})

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/v1/webhook/conversation", conversation_webhook, name="webhook-conversation"),  # type: ignore[arg-type]
    path("api/v1/webhook/elevenlabs", ElevenLabsWebhook.as_view(), name="webhook-elevenlabs"),
    path("api/v1/conversations", ReceivedConversations.as_view(), name="received-conversations"),
    path(
        "api/v1/conversations/<path:conversation_id>",
        ReceivedConversationDetail.as_view(),
        name="received-conversation",
    ),
    path("make-actual-call", calls.MakeActualCall.as_view(), name="make-actual-call"),
    path("twilio-voice", twilio_webhooks.TwilioVoice.as_view(), name="twilio-voice"),
    path("twilio-process", twilio_webhooks.twilio_process, name="twilio-process"),  # type: ignore[arg-type]
    path("twilio-status", twilio_webhooks.TwilioStatus.as_view(), name="twilio-status"),
    path("twilio-recording", twilio_webhooks.TwilioRecording.as_view(), name="twilio-recording"),
    path("twilio-relay-ended", twilio_webhooks.TwilioRelayEnded.as_view(), name="twilio-relay-ended"),
    path("conversations", calls_read.CallList.as_view(), name="phone-calls"),
    path("conversations/<str:call_sid>", calls_read.CallDetail.as_view(), name="phone-call"),
    path("analytics", calls_read.CallFigures.as_view(), name="phone-call-figures"),
    path("api/v1/time-slots", time_slots.TimeSlotList.as_view(), name="time-slots"),
    path("api/v1/time-slots/<uuid:slot_id>", time_slots.TimeSlotDetail.as_view(), name="time-slot"),
    path("api/v1/call-batches", batches.BatchList.as_view(), name="call-batches"),
    path("api/v1/call-batches/<uuid:batch_id>", batches.BatchDetail.as_view(), name="call-batch"),
    path(
        "api/v1/call-batches/<uuid:batch_id>/preview",
        batches.BatchPreview.as_view(),
        name="call-batch-preview",
    ),
    path(
        "api/v1/call-batches/<uuid:batch_id>/people",
        batch_people.BatchPeople.as_view(),
        name="call-batch-people",
    ),
    path(
        "api/v1/call-batches/<uuid:batch_id>/people/<int:callee_id>/decide",
        batch_people.DecideView.as_view(),
        name="call-batch-decide",
    ),
    path(
        "api/v1/call-batches/<uuid:batch_id>/start",
        batch_moves.StartBatch.as_view(),
        name="call-batch-start",
    ),
    path(
        "api/v1/call-batches/<uuid:batch_id>/pause",
        batch_moves.PauseBatch.as_view(),
        name="call-batch-pause",
    ),
    path(
        "api/v1/call-batches/<uuid:batch_id>/resume",
        batch_moves.ResumeBatch.as_view(),
        name="call-batch-resume",
    ),
    path(
        "api/v1/call-batches/<uuid:batch_id>/cancel",
        batch_moves.CancelBatch.as_view(),
        name="call-batch-cancel",
    ),
    path("voice/console/<uuid:call_id>/turn", console.say, name="voice-console-turn"),
    path("a/<str:token>", pages.appointment, name="appointment"),
]
