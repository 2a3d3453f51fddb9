"""Paths of websockets."""

from django.urls import URLPattern, path

from crm.consumers import ChatConsumer

websocket_urlpatterns: list[URLPattern] = [
    path("chat/<uuid:conversation_id>/live", ChatConsumer.as_asgi()),  # type: ignore[arg-type, list-item]
]
