"""`POST /api/v1/chat/ws/ticket`: what opens the user's inbox socket, once."""

from urllib.parse import quote

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from config.api.documented_values import private
from crm import inbox_tickets
from crm.api.persona_chats import PersonaView
from crm.persona_authentication import persona_user


class TicketSerializer(serializers.Serializer):
    ticket = serializers.CharField()
    path = serializers.CharField(help_text="Where it opens a websocket, once.")
    expires_in = serializers.IntegerField(help_text="Seconds.")


class InboxTicket(PersonaView):
    @extend_schema(
        tags=["Persona chat"],
        operation_id="createInboxTicket",
        summary="A ticket for the websocket of the user's inbox",
        request=None,
        responses={201: TicketSerializer},
    )
    def post(self, request: Request) -> Response:
        user = persona_user(request)
        ticket = inbox_tickets.issue(user)
        path = f"/api/v1/chat/ws/inbox/{quote(user.user_id, safe='')}?ticket={ticket}"
        return private({"ticket": ticket, "path": path, "expires_in": inbox_tickets.SECONDS}, status=201)
