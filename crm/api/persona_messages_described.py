"""What messages of a persona chat take and give, for the OpenAPI schema. The view is persona_messages.py."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.request import Request
from rest_framework.response import Response

from config.api import offset_lists
from crm.api.persona_chats import PersonaView
from crm.api.persona_described import PersonaHistorySerializer, PersonaTurnSerializer
from crm.api.persona_messages import DEFAULT, MOST, ORDERS
from crm.api.persona_sending import SendSerializer

EVENTS = """Events, with `Accept: text/event-stream` (docs/persona-chat-api.md): `accepted` {"user_message"},
any number of `delta` {"text"}, then `done` (the same object as in JSON) or `error` (the error body)."""


class PersonaMessagesView(PersonaView):
    """Describes the operations; requests never reach it."""

    @extend_schema(
        tags=["Persona chat"],
        operation_id="listMessages",
        summary="What was said, the newest first",
        parameters=[
            *offset_lists.described(default=DEFAULT, most=MOST, what="Messages"),
            OpenApiParameter("order", enum=list(ORDERS), description="Else `desc`."),
            OpenApiParameter("cursor", description="`next` of the page before: any depth, equally fast."),
        ],
        responses=PersonaHistorySerializer,
    )
    def get(self, request: Request) -> Response:
        raise MethodNotAllowed("GET")

    @extend_schema(
        tags=["Persona chat"],
        operation_id="sendMessage",
        summary="Say something to the influencer",
        request=SendSerializer,
        responses={
            200: PersonaTurnSerializer(),
            (200, "text/event-stream"): OpenApiResponse(OpenApiTypes.ANY, description=EVENTS),
        },
    )
    def post(self, request: Request) -> Response:
        raise MethodNotAllowed("POST")
