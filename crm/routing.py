"""Paths of websockets."""

from django.urls import URLPattern, path

from crm.consumers import ChatConsumer
from crm.inbox_socket import InboxSocket

# Sockets whose address holds a ticket: no cookie opens them, so any page may.
BY_TICKET = ("/api/v1/chat/ws/",)

websocket_urlpatterns: list[URLPattern] = [
    path("api/v1/chat/ws/inbox/<path:user_id>", InboxSocket.as_asgi()),  # type: ignore[arg-type, list-item]
    path("chat/<uuid:conversation_id>/live", ChatConsumer.as_asgi()),  # type: ignore[arg-type, list-item]
]
