"""`POST /api/v1/chat/ticket`: the way from an embedding site to our pages, for the holder of a token."""

from django.conf import settings
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm.persona_authentication import PersonaAuthentication, persona_user
from crm.persona_entering import TICKET_SECONDS, ticket_for
from personas.rate_limits import PersonaThrottle


class PageTicketSerializer(serializers.Serializer):
    ticket = serializers.CharField(help_text="Opens the pages once.")
    expires_in = serializers.IntegerField(help_text="Seconds.")
    action = serializers.URLField(help_text="Where the browser posts it as a form, in the field `ticket`.")


@extend_schema(tags=["Persona chat"])
class PageTicket(APIView):
    authentication_classes = (PersonaAuthentication,)
    throttle_classes = (PersonaThrottle,)
    permission_classes = ()

    @extend_schema(
        operation_id="pageTicket",
        summary="A ticket for the pages of persona chat",
        request=None,
        responses=PageTicketSerializer,
    )
    def post(self, request: Request) -> Response:
        body = {
            "ticket": ticket_for(persona_user(request)),
            "expires_in": TICKET_SECONDS,
            "action": f"{settings.PUBLIC_BASE_URL}{reverse('persona-enter')}",
        }
        return Response(body, headers={"Cache-Control": "no-store"})
