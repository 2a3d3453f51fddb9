"""Conversations of the CRM API's users: listed, read, filed, searched, counted, put away."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from django.core.cache import cache
from django.db.models import Count, F, Q, QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api.authentication import account_of
from config.api.documented_lists import EXACT_UP_TO, DocumentedPages, bounded_total, union
from config.api.envelope import answered
from config.api.errors import NotFoundError
from config.api.metadata import timestamp
from config.api.pagination import whole
from crm import contacts, filing
from crm.api.user_records import SCOPE, noted, user_of
from crm.models import Contact, Conversation, Message
from crm.session_authentication import KEY_OR_SESSION, own_contact

MOST_MESSAGES = 200  # of one conversation in one answer
RECENT = 10
ANALYTICS_SECONDS = 60  # how long figures of many talks are remembered, by each process
ROLES = {Message.Author.PERSON: "user", Message.Author.SYSTEM: "system"}
Status = Conversation.Status


class LastMessageSerializer(serializers.Serializer):
    content = serializers.CharField()
    type = serializers.ChoiceField(choices=["user", "assistant"])
    created_at = serializers.DateTimeField()


class UserTalkSerializer(serializers.Serializer):
    """`id` is the caller's own id of the conversation where it gave one, else ours; paths take either."""

    id = serializers.SerializerMethodField()
    talk_id = serializers.UUIDField(source="pk")
    user_id = serializers.SerializerMethodField()
    title = serializers.CharField(source="__str__")
    status = serializers.ChoiceField(choices=Status.choices)
    category = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField(source="last_activity_at")
    message_count = serializers.IntegerField(source="last_seq")
    last_message = serializers.SerializerMethodField()

    def get_id(self, talk: Conversation) -> str:
        return talk.external_id or str(talk.pk)

    def get_user_id(self, talk: Conversation) -> str:
        return contacts.reference_of(talk.contact)

    def get_category(self, talk: Conversation) -> str:
        return talk.category or "general"

    @extend_schema_field(LastMessageSerializer(allow_null=True))
    def get_last_message(self, talk: Conversation) -> dict[str, Any] | None:
        message = self.context["last"].get(talk.pk)
        if message is None:
            return None
        kind = "user" if message.author == Message.Author.PERSON else "assistant"
        return {"content": message.text, "type": kind, "created_at": timestamp(message.created_at)}


class SaidSerializer(serializers.Serializer):
    id = serializers.CharField(source="pk")
    conversation_id = serializers.SerializerMethodField()
    seq = serializers.IntegerField()
    role = serializers.SerializerMethodField()
    content = serializers.CharField(source="text")
    metadata = serializers.SerializerMethodField()
    timestamp = serializers.DateTimeField(source="created_at")

    def get_conversation_id(self, message: Message) -> str:
        return str(self.context["conversation_id"])

    def get_role(self, message: Message) -> str:
        return ROLES.get(Message.Author(message.author), "assistant")

    @extend_schema_field(OpenApiTypes.OBJECT)
    def get_metadata(self, message: Message) -> dict[str, Any]:
        facts = {
            "author": message.author,
            "state": message.state,
            "model": message.model,
            "agent_used": message.routing.get("agent", "") if isinstance(message.routing, dict) else "",
        }
        return {name: value for name, value in facts.items() if value}


class ReadTalkSerializer(UserTalkSerializer):
    messages = SaidSerializer(many=True)


class FilingSerializer(serializers.Serializer):
    title = serializers.CharField(max_length=200, required=False)
    status = serializers.ChoiceField(choices=Status.choices, required=False)
    category = serializers.ChoiceField(choices=["support", "sales", "general", "technical"], required=False)


def shown(talks: Sequence[Conversation]) -> list[dict[str, Any]]:
    """Talks with their last messages: one query for all of them, whatever their length."""
    return list(UserTalkSerializer(talks, many=True, context={"last": last_messages(talks)}).data)


def last_messages(talks: Iterable[Conversation]) -> dict[Any, Message]:
    rows = Message.objects.filter(
        conversation__in=[talk.pk for talk in talks], seq=F("conversation__last_seq")
    )
    rows = rows.only("conversation_id", "author", "text", "created_at")
    return {message.conversation_id: message for message in rows}


def talk_rows(contact: Contact) -> QuerySet[Conversation]:
    rows: QuerySet[Conversation] = Conversation.objects.filter(contact=contact, tried_out_by=None)
    return rows.select_related("contact")


def talk_of(contact: Contact, conversation_id: str) -> Conversation:
    """By either id. Raises NotFoundError, also for a talk of somebody else."""
    rows, found = talk_rows(contact).prefetch_related("contact__addresses"), None
    try:
        key = serializers.UUIDField().run_validation(conversation_id)
        found = rows.filter(pk=key).first()
    except serializers.ValidationError:
        pass
    if found is None:
        named = Q(account_id=contact.account_id, external_id=conversation_id[:200]) & ~Q(external_id="")
        found = rows.filter(named).first()
    if found is None:
        raise NotFoundError("conversation")
    return found


@extend_schema(tags=["Users' conversations"])
class UserTalks(generics.ListAPIView):
    required_scope = SCOPE
    authentication_classes = KEY_OR_SESSION
    serializer_class = UserTalkSerializer
    pagination_class = DocumentedPages
    ordering = "-last_activity_at"

    def get_queryset(self) -> Any:
        if getattr(self, "swagger_fake_view", False):
            return Conversation.objects.none()
        contact = user_of(self.request, self.kwargs["user_id"], own=own_contact(self.request))
        rows = talk_rows(contact).prefetch_related("contact__addresses")
        query = self.request.query_params
        serializer = FilingSerializer(data={k: query[k] for k in ("status", "category") if query.get(k)})
        serializer.is_valid(raise_exception=True)
        wanted = dict(serializer.validated_data)
        if wanted.get("category") == "general":
            wanted["category__in"] = ["", wanted.pop("category")]
        return rows.filter(**wanted)

    @extend_schema(
        operation_id="user_conversations_list",
        summary="Conversations of a user, the latest first",
        parameters=[
            OpenApiParameter("status", OpenApiTypes.STR, enum=Status.values),
            OpenApiParameter("category", OpenApiTypes.STR),
        ],
    )
    def get(self, request: Request, user_id: str) -> Response:
        talks = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(shown(talks or []))


@extend_schema(tags=["Users' conversations"])
class UserTalk(APIView):
    required_scope = SCOPE
    authentication_classes = KEY_OR_SESSION

    @extend_schema(
        operation_id="user_conversations_read",
        summary="One conversation with its latest messages, in order; `before` a number gives earlier ones",
        parameters=[
            OpenApiParameter("limit", OpenApiTypes.INT, description=f"Messages, 1 to {MOST_MESSAGES}."),
            OpenApiParameter("before", OpenApiTypes.INT, description="`messages[0].seq` of the last answer."),
        ],
        responses=union("UserConversationResponse", ReadTalkSerializer()),
    )
    def get(self, request: Request, user_id: str, conversation_id: str) -> Response:
        talk = self._talk(request, user_id, conversation_id)
        query = request.query_params
        limit = whole(query, "limit", MOST_MESSAGES, most=MOST_MESSAGES)
        before = whole(query, "before", talk.last_seq + 1)
        noted(request, "read transcript", talk)
        said = Message.objects.filter(conversation=talk, seq__lt=before).order_by("-seq")[:limit]
        data = shown([talk])[0]
        messages = SaidSerializer(reversed(said), many=True, context={"conversation_id": data["id"]}).data
        return answered({**data, "messages": messages}, "Conversation retrieved")

    @extend_schema(
        operation_id="user_conversations_file",
        summary="File a conversation: its title, status or category",
        request=FilingSerializer,
        responses=union("UserConversationFiledResponse", UserTalkSerializer()),
    )
    def patch(self, request: Request, user_id: str, conversation_id: str) -> Response:
        if own_contact(request) is not None:
            raise PermissionDenied("Filing conversations is for integrations.")
        talk = self._talk(request, user_id, conversation_id)
        serializer = FilingSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        if given := dict(serializer.validated_data):
            kept = {"brief": filing.filed(talk, given["category"])} if "category" in given else {}
            Conversation.objects.filter(pk=talk.pk).update(**given, **kept)
            noted(request, "filed conversation", talk, {"fields": sorted(given)})
        return answered(shown([self._talk(request, user_id, str(talk.pk))])[0], "Conversation updated")

    def _talk(self, request: Request, user_id: str, conversation_id: str) -> Conversation:
        return talk_of(user_of(request, user_id, own=own_contact(request)), conversation_id)


@extend_schema(tags=["Users' conversations"])
class TalkAnalytics(APIView):
    required_scope = SCOPE
    authentication_classes = KEY_OR_SESSION

    @extend_schema(
        operation_id="users_analytics",
        summary="Conversations by status and category, and the latest ones; of one user or of all",
        parameters=[OpenApiParameter("user_id", OpenApiTypes.STR)],
        responses=union("UserAnalyticsResponse", serializers.DictField()),
    )
    def get(self, request: Request) -> Response:
        rows = talks_seen_by(request)
        recent = list(
            rows.order_by("-last_activity_at", "-pk").prefetch_related("contact__addresses")[:RECENT]
        )
        return answered({**figures_of(rows), "recent_conversations": shown(recent)}, "Analytics")


def talks_seen_by(request: Request) -> QuerySet[Conversation]:
    """Talks of the user in the query; else of the chat user who asks, or of the whole account."""
    own, user_id = own_contact(request), request.query_params.get("user_id", "")
    if user_id:
        return talk_rows(user_of(request, user_id, own=own))
    if own is not None:
        return talk_rows(own)
    rows: QuerySet[Conversation] = Conversation.objects.for_account(account_of(request))
    rows = rows.filter(tried_out_by=None)
    return rows.select_related("contact")


def figures_of(rows: QuerySet[Conversation]) -> dict[str, Any]:
    """Exact for up to ten thousand talks; of more, at most a minute old."""
    if bounded_total(rows) <= EXACT_UP_TO:
        return _counted(rows)
    key = "talk-figures:" + hashlib.sha256(str(rows.query).encode()).hexdigest()
    return dict(cache.get_or_set(key, lambda: _counted(rows), ANALYTICS_SECONDS) or {})


def _counted(rows: QuerySet[Conversation]) -> dict[str, Any]:
    groups = rows.order_by().values("status", "category").annotate(talks=Count("pk"))
    statuses, categories = dict.fromkeys(Status.values, 0), {"general": 0}
    for group in groups:
        category = group["category"] or "general"
        statuses[group["status"]] += group["talks"]
        categories[category] = categories.get(category, 0) + group["talks"]
    return {
        "total_conversations": sum(statuses.values()),
        "status_breakdown": statuses,
        "category_breakdown": categories,
    }


class ResetSerializer(serializers.Serializer):
    user_id = serializers.CharField(max_length=320, required=False, allow_null=True, allow_blank=True)
    session_id = serializers.CharField(max_length=320, required=False, allow_null=True, allow_blank=True)
    reset_type = serializers.ChoiceField(
        choices=["conversation", "user"],
        default="conversation",
        error_messages={"invalid_choice": "Only `conversation` and `user`: nothing resets all at once here."},
    )


@extend_schema(tags=["Users' conversations"])
class Reset(APIView):
    """Nothing is deleted: conversations are archived, a user is deactivated. Erasing has its own path."""

    required_scope = SCOPE
    authentication_classes = KEY_OR_SESSION

    @extend_schema(
        operation_id="users_reset",
        summary="Archive the conversations of a user, or deactivate the user",
        request=ResetSerializer,
        responses=union(
            "ResetResponse",
            serializers.DictField(),
            reset_type=serializers.CharField(),
            affected_records=serializers.IntegerField(),
        ),
    )
    def post(self, request: Request) -> Response:
        serializer = ResetSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        contact = self._whose(request, serializer.validated_data.get("user_id") or "")
        kind = serializer.validated_data["reset_type"]
        if kind == "user":
            if own_contact(request) is not None:
                raise PermissionDenied("Deactivating users is for integrations.")
            contacts.deactivate(contact)
            count, words = 1, "User deactivated"
        else:
            count, words = archive_talks(contact), "Conversations archived"
        noted(request, f"reset {kind}", contact, {"affected": count})
        told = {"reset_type": kind, "affected_records": count}
        return answered(told, words, **told)

    def _whose(self, request: Request, user_id: str) -> Contact:
        own = own_contact(request)
        if user_id:
            return user_of(request, user_id, own=own)
        if own is None:
            raise serializers.ValidationError({"user_id": ["Say whose: user_id is required."]})
        return own


def archive_talks(contact: Contact) -> int:
    rows = Conversation.objects.filter(contact=contact).exclude(status=Status.ARCHIVED)
    return rows.update(status=Status.ARCHIVED)
