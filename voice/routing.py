"""Paths of voice's websockets."""

from django.urls import URLPattern, path

from voice.live_socket import LiveCalls

websocket_urlpatterns: list[URLPattern] = [
    path("voice/live", LiveCalls.as_asgi()),  # type: ignore[arg-type, list-item]
]
