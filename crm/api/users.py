"""Users of the CRM API: made, found, listed, changed, deactivated."""

from datetime import datetime
from typing import Any, TypedDict

from django.db.models import Count, Max, Sum, Value
from django.db.models.functions import Upper
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api.authentication import account_of
from config.api.documented_lists import DocumentedPages, union
from config.api.envelope import answered
from config.api.errors import NotFoundError
from config.api.metadata import timestamp
from crm import contacts
from crm.api.user_records import (
    SCOPE,
    ChangedUserSerializer,
    NewUserSerializer,
    UserSerializer,
    changed_in,
    flag,
    noted,
    taken,
    user_of,
)
from crm.models import Contact, Conversation
from crm.session_authentication import KEY_OR_SESSION, own_contact
from crm.word_search import named

LONGEST_SEARCH = 200  # characters


class StatsSerializer(serializers.Serializer):
    total_conversations = serializers.IntegerField()
    total_messages = serializers.IntegerField()
    last_active = serializers.DateTimeField(allow_null=True)


class UserWithStatsSerializer(UserSerializer):
    stats = StatsSerializer()


class ConversationBriefSerializer(serializers.Serializer):
    id = serializers.CharField()
    title = serializers.CharField()
    updated_at = serializers.DateTimeField()


class UserStatsSerializer(StatsSerializer):
    """Both sets of names that clients read, and the user."""

    user = UserSerializer()
    conversation_count = serializers.IntegerField()
    message_count = serializers.IntegerField()
    last_activity = serializers.DateTimeField(allow_null=True)
    last_conversation = ConversationBriefSerializer(allow_null=True)


class Stats(TypedDict):
    total_conversations: int
    total_messages: int
    last_active: str | None


def stats_of(contact: Contact) -> Stats:
    """One query over this person's talks alone; messages are counted by the last number of each talk."""
    found = Conversation.objects.filter(contact=contact, tried_out_by=None).aggregate(
        talks=Count("pk"), messages=Sum("last_seq"), last=Max("last_activity_at")
    )
    last: datetime | None = found["last"]
    return {
        "total_conversations": found["talks"],
        "total_messages": found["messages"] or 0,
        "last_active": timestamp(last) if last else None,
    }


@extend_schema(tags=["Users"])
class UserCreate(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="users_create",
        summary="Make a user. An email or phone number somebody has is a 409 that names them",
        request=NewUserSerializer,
        responses=union("UserCreateResponse", UserSerializer()),
    )
    def post(self, request: Request) -> Response:
        serializer = NewUserSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        given = {key: value or "" for key, value in serializer.validated_data.items()}
        given["preferences"] = given.get("preferences") or {}
        try:
            contact = contacts.create(account_of(request), **given)
        except contacts.AddressTaken as error:
            raise taken(error) from None
        noted(request, "created contact", contact)
        return answered(UserSerializer(contact).data, "User created successfully")


FILTERS = (
    OpenApiParameter("active_only", OpenApiTypes.BOOL, description="Else true."),
    OpenApiParameter("email", OpenApiTypes.STR, description="Only the user with this address."),
    OpenApiParameter("phone", OpenApiTypes.STR, description="Only the user with this number."),
    OpenApiParameter("company", OpenApiTypes.STR, description="The whole name, in any case."),
    OpenApiParameter("role", OpenApiTypes.STR, description="The whole role, in any case."),
    OpenApiParameter("q", OpenApiTypes.STR, description="Words of name or company, or how they begin."),
)


@extend_schema(tags=["Users"])
class UserList(generics.ListAPIView):
    required_scope = SCOPE
    serializer_class = UserSerializer
    pagination_class = DocumentedPages
    ordering = "-created_at"

    def get_queryset(self) -> Any:
        if getattr(self, "swagger_fake_view", False):
            return Contact.objects.none()
        query = self.request.query_params
        rows = Contact.objects.for_account(account_of(self.request)).prefetch_related("addresses")
        rows = _standing(rows, active_only=flag(self.request, "active_only", default=True))
        rows = _with_addresses(rows, query)
        for name in ("company", "role"):
            if text := _searched(query, name):
                # An expression that has an index; `iexact` has none on SQLite.
                rows = rows.alias(**{f"upper_{name}": Upper(name)}).filter(
                    **{f"upper_{name}": Upper(Value(text))}
                )
        text = _searched(query, "q")
        return named(rows, text) if text else rows

    @extend_schema(operation_id="users_list", summary="Users, the newest first", parameters=[*FILTERS])
    def get(self, request: Request) -> Response:
        return self.list(request)


def _standing(rows: Any, *, active_only: bool) -> Any:
    # Who became part of another contact, or was erased, is nobody who was deactivated.
    return rows.filter(is_active=True) if active_only else contacts.people_among(rows)


def _searched(query: Any, name: str) -> str:
    text = str(query.get(name, "")).strip()
    if len(text) > LONGEST_SEARCH or "\0" in text:
        raise serializers.ValidationError({name: [f"At most {LONGEST_SEARCH} printable characters."]})
    return text


def _with_addresses(rows: Any, query: Any) -> Any:
    for name, normalise in (("email", contacts.normalise_email), ("phone", contacts.normalise_phone)):
        if not (text := _searched(query, name)):
            continue
        if name == "phone" and text[:1].isdigit():
            text = f"+{text}"  # a plus that was not escaped in the query arrives as a blank
        try:
            value = normalise(text)
        except contacts.InvalidAddress as error:
            raise serializers.ValidationError({name: [str(error)]}) from None
        rows = rows.filter(addresses__kind=name, addresses__value=value)
    return rows


@extend_schema(tags=["Users"])
class UserDetail(APIView):
    required_scope = SCOPE

    def get_authenticators(self) -> list[Any]:
        # A chat user may read what is known of them, not deactivate themself by the way.
        read_only = self.request is None or self.request.method in ("GET", "HEAD")
        return [kind() for kind in (KEY_OR_SESSION if read_only else self.authentication_classes)]

    @extend_schema(
        operation_id="users_read",
        summary="One user, with figures",
        responses=union("UserDetailResponse", UserWithStatsSerializer()),
    )
    def get(self, request: Request, user_id: str) -> Response:
        contact = user_of(request, user_id, own=own_contact(request))
        return answered({**UserSerializer(contact).data, "stats": stats_of(contact)}, "User retrieved")

    @extend_schema(
        operation_id="users_deactivate",
        summary="Deactivate a user: they cannot chat, and their sessions end. Nothing is deleted",
        request=None,
        responses={200: union("UserDeactivatedResponse", serializers.DictField())},
    )
    def delete(self, request: Request, user_id: str) -> Response:
        contact = user_of(request, user_id)
        ended = contacts.deactivate(contact)
        noted(request, "deactivated contact", contact, {"sessions_ended": ended})
        data = {"id": contacts.reference_of(contact), "is_active": False, "sessions_revoked": ended}
        return answered(data, "User deactivated")


@extend_schema(tags=["Users"])
class UserUpdate(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="users_update",
        summary="Change a user; null takes an optional field away",
        request=ChangedUserSerializer,
        responses=union("UserUpdateResponse", UserSerializer()),
    )
    def put(self, request: Request, user_id: str) -> Response:
        contact = user_of(request, user_id)
        serializer = ChangedUserSerializer(data=changed_in(request.data, contact), partial=True)
        serializer.is_valid(raise_exception=True)
        facts = dict(serializer.validated_data)
        # "" leaves an address as it is; None takes phone numbers away.
        email, phone = facts.pop("email", ""), facts.pop("phone", "")
        try:
            contacts.change(contact, facts, email=email, phone=phone)
        except contacts.AddressTaken as error:
            raise taken(error) from None
        noted(request, "changed contact", contact, {"fields": sorted(serializer.validated_data)})
        return answered(UserSerializer(user_of(request, str(contact.pk))).data, "User updated successfully")


@extend_schema(tags=["Users"])
class UserByEmail(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="users_find",
        summary="The user with an email address",
        responses=union("UserFindResponse", UserSerializer()),
    )
    def get(self, request: Request, email: str) -> Response:
        try:
            value = contacts.normalise_email(email)
        except contacts.InvalidAddress as error:
            raise serializers.ValidationError({"email": [str(error)]}) from None
        rows = Contact.objects.for_account(account_of(request)).prefetch_related("addresses")
        found = rows.filter(addresses__kind="email", addresses__value=value).first()
        if found is None:
            raise NotFoundError("user")
        return answered(UserSerializer(found).data, "User found")


@extend_schema(tags=["Users"])
class UserStats(APIView):
    required_scope = SCOPE
    authentication_classes = KEY_OR_SESSION

    @extend_schema(
        operation_id="users_stats",
        summary="How many talks and messages a user has had",
        responses=union("UserStatsResponse", UserStatsSerializer()),
    )
    def get(self, request: Request, user_id: str) -> Response:
        contact = user_of(request, user_id, own=own_contact(request))
        stats = stats_of(contact)
        talks = Conversation.objects.filter(contact=contact, tried_out_by=None)
        latest = talks.order_by("-last_activity_at").first()
        data = {
            **stats,
            "user": UserSerializer(contact).data,
            "conversation_count": stats["total_conversations"],
            "message_count": stats["total_messages"],
            "last_activity": stats["last_active"],
            "last_conversation": _brief(latest) if latest else None,
        }
        return answered(data, "User statistics")


def _brief(conversation: Conversation) -> dict[str, str]:
    return {
        "id": conversation.external_id or str(conversation.pk),
        "title": str(conversation),
        "updated_at": timestamp(conversation.last_activity_at),
    }
