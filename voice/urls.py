"""Paths of voice: its APIs and pages."""

from django.urls import URLPattern, URLResolver, path

from voice import twilio_webhooks
from voice.api import calls, calls_read

urlpatterns: list[URLPattern | URLResolver] = [
    path("make-actual-call", calls.MakeActualCall.as_view(), name="make-actual-call"),
    path("twilio-voice", twilio_webhooks.TwilioVoice.as_view(), name="twilio-voice"),
    path("twilio-process", twilio_webhooks.TwilioProcess.as_view(), name="twilio-process"),
    path("twilio-status", twilio_webhooks.TwilioStatus.as_view(), name="twilio-status"),
    path("conversations", calls_read.CallList.as_view(), name="phone-calls"),
    path("conversations/<str:call_sid>", calls_read.CallDetail.as_view(), name="phone-call"),
    path("analytics", calls_read.CallFigures.as_view(), name="phone-call-figures"),
]
