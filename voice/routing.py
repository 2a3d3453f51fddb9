"""Paths of voice's websockets."""

from django.urls import URLPattern, path

from voice.live_socket import LiveCalls
from voice.relay import RelaySocket

# Opened by Twilio, which proves itself by its signature: no cookie is believed here.
BY_SIGNATURE = ("/twilio-relay/",)

websocket_urlpatterns: list[URLPattern] = [
    path("twilio-relay/<uuid:call_id>", RelaySocket.as_asgi()),  # type: ignore[arg-type, list-item]
    path("twilio-relay/<uuid:call_id>/", RelaySocket.as_asgi()),  # type: ignore[arg-type, list-item]
    path("voice/live", LiveCalls.as_asgi()),  # type: ignore[arg-type, list-item]
]
