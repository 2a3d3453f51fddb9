"""`/api/v1/chat/conversations` and its second version: a user's chats with influencers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.exceptions import ValidationError as FieldProblem
from django.db.models import Q
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api import offset_lists
from config.api.documented_lists import bounded_total
from config.api.documented_values import private
from config.api.errors import ApiError, NotFoundError
from config.api.metadata import timestamp
from config.api.pagination import concrete_field, make_cursor, read_cursor
from crm import persona_chats, persona_news
from crm.api import persona_described as described
from crm.api.persona_bodies import begun_body, chat_body, inbox_body
from crm.models import Conversation
from crm.persona_authentication import SCOPE, PersonaAuthentication, persona_user
from crm.persona_chats import Chat
from personas.rate_limits import PersonaThrottle

DEFAULT, MOST = 20, 100
LONGEST_ID = 100  # characters of an influencer's id


@contextmanager
def translated() -> Iterator[None]:
    """What goes wrong with a chat, as the API says it."""
    try:
        yield
    except persona_chats.NoSuchChat:
        raise NotFoundError("conversation") from None
    except persona_chats.NoSuchInfluencer:
        raise NotFoundError("influencer") from None
    except persona_chats.InfluencerAway as error:
        raise ApiError("FORBIDDEN", str(error), status_code=403) from None


class PersonaView(APIView):
    authentication_classes = (PersonaAuthentication,)
    throttle_classes = (PersonaThrottle,)
    required_scope = SCOPE


class BeginSerializer(serializers.Serializer):
    influencer_id = serializers.CharField(max_length=LONGEST_ID)
    greeting = serializers.IntegerField(
        min_value=0,
        max_value=1_000,
        required=False,
        allow_null=True,
        help_text="Which greeting, counted round from 0. Also of a chat in which nothing else was said.",
    )


LIST_PARAMETERS = [
    *offset_lists.described(default=DEFAULT, most=MOST),
    OpenApiParameter("influencer_id", description="Only those with this influencer."),
    OpenApiParameter("cursor", description="`next` of the page before: any depth, equally fast."),
]


class ChatList(PersonaView):
    """The first version, with the latest messages of each."""

    def shown(self, chat: Chat, user_id: str) -> dict[str, Any]:
        return chat_body(chat, user_id)

    @extend_schema(
        tags=["Persona chat"],
        operation_id="listConversations",
        summary="The user's conversations, the last spoken in first",
        parameters=LIST_PARAMETERS,
        responses=described.ChatsSerializer,
    )
    def get(self, request: Request) -> Response:
        user, query = persona_user(request), request.query_params
        window = offset_lists.window(query, default=DEFAULT, most=MOST)
        chats = persona_chats.chats_of(user)
        if influencer := query.get("influencer_id", ""):
            chats = persona_chats.with_influencer(chats, influencer[:LONGEST_ID])
        total = bounded_total(chats)
        if cursor := query.get("cursor", ""):
            chats = chats.filter(_after(cursor))
        page = persona_chats.looked_at(chats, rows=window.rows)
        shown = [self.shown(chat, user.user_id) for chat in page[: window.limit]]
        following = _cursor_of(page[window.limit - 1].conversation) if len(page) > window.limit else None
        body = {"conversations": shown, "total": total, "limit": window.limit, "offset": window.offset}
        return private({**body, "next": following})

    @extend_schema(
        tags=["Persona chat"],
        operation_id="createConversation",
        summary="Begin a conversation with an influencer, or find the one there is",
        request=BeginSerializer,
        responses={201: described.BegunSerializer},
    )
    def post(self, request: Request) -> Response:
        asked = BeginSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        user, given = persona_user(request), asked.validated_data
        with translated():
            conversation = persona_chats.open_chat(
                user, given["influencer_id"], greeting=given.get("greeting")
            )
        return private(begun_body(persona_chats.look_at(conversation), user.user_id), status=201)


def _after(cursor: str) -> Any:
    try:
        at, key = read_cursor(cursor)
        at = concrete_field(Conversation, "last_activity_at").to_python(at)
        key = concrete_field(Conversation, "id").to_python(key)
    except (ValueError, FieldProblem):
        raise offset_lists.wrong("cursor", "This cursor was not made here. Start without one.") from None
    return Q(last_activity_at__lte=at) & (Q(last_activity_at__lt=at) | Q(pk__lt=key))


def _cursor_of(conversation: Conversation) -> str:
    at = concrete_field(Conversation, "last_activity_at").value_to_string(conversation)
    return make_cursor((at, str(conversation.pk)))


class InboxList(ChatList):
    """The second version: what is unread, and no messages."""

    http_method_names = ["get", "head", "options"]

    def shown(self, chat: Chat, user_id: str) -> dict[str, Any]:
        return inbox_body(chat, user_id)

    @extend_schema(
        tags=["Persona chat"],
        operation_id="listConversationsV2",
        summary="The user's conversations, with what is unread in each",
        parameters=LIST_PARAMETERS,
        responses=described.InboxSerializer,
    )
    def get(self, request: Request) -> Response:
        return super().get(request)


class ChatDetail(PersonaView):
    @extend_schema(
        tags=["Persona chat"],
        operation_id="deleteConversation",
        summary="Delete a conversation with all its messages",
        responses=described.DeletedSerializer,
    )
    def delete(self, request: Request, conversation_id: str) -> Response:
        with translated():
            conversation = persona_chats.chat_of(persona_user(request), conversation_id)
        body = {
            "success": True,
            "message": "Conversation deleted successfully",
            "deleted_conversation_id": str(conversation.pk),
            "deleted_messages_count": persona_chats.delete(conversation),
        }
        return private(body)


class ChatRead(PersonaView):
    @extend_schema(
        tags=["Persona chat"],
        operation_id="markConversationAsRead",
        summary="Say that the user has read all there is",
        request=None,
        responses=described.ReadSerializer,
    )
    def post(self, request: Request, conversation_id: str) -> Response:
        with translated():
            conversation = persona_chats.chat_of(persona_user(request), conversation_id)
        persona_chats.mark_read(conversation)
        read_at = timestamp(conversation.read_at)
        persona_news.tell_from_sync(conversation, persona_news.READ, read_at=read_at)
        return private({"id": str(conversation.pk), "unread_count": 0, "last_read_at": read_at})
