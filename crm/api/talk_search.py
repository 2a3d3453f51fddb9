"""Conversations by words that were said in them. There is no index of words over messages, so each answer
looks through a bounded number of the latest conversations, and gives a cursor to the ones before.
"""

from itertools import accumulate
from typing import Any

from django.db.models import Q
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api.documented_lists import DocumentedPages, union
from config.api.envelope import answered
from crm.api.user_records import SCOPE, noted
from crm.api.user_talks import UserTalkSerializer, shown, talks_seen_by
from crm.models import Conversation, Message
from crm.session_authentication import KEY_OR_SESSION, own_contact

LONGEST_QUERY = 200  # characters
# What one answer looks through: so many conversations, or fewer when they are long ones.
WINDOW = 200
WINDOW_MESSAGES = 8_000


class _Window(DocumentedPages):
    """The next WINDOW conversations after the cursor."""

    def _read(self, request: Request) -> None:
        self.limit, self.page = WINDOW, 1

    def total_of(self, queryset: Any) -> int:
        return 0

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        talks = super().paginate_queryset(queryset, request, view)
        sums = accumulate(talk.last_seq for talk in talks)
        within = max(1, sum(1 for said in sums if said <= WINDOW_MESSAGES))
        if within < len(talks):
            self.next_cursor = self._cursor_of(talks[within - 1])
        return talks[:within]


@extend_schema(tags=["Users' conversations"])
class TalkSearch(APIView):
    required_scope = SCOPE
    authentication_classes = KEY_OR_SESSION
    ordering = "-last_activity_at"

    @extend_schema(
        operation_id="users_search",
        summary="Conversations whose title or messages hold these words, the latest first",
        parameters=[
            OpenApiParameter("q", OpenApiTypes.STR, required=True, description="As written, in any case."),
            OpenApiParameter("user_id", OpenApiTypes.STR),
            OpenApiParameter("page", OpenApiTypes.INT),
            OpenApiParameter("per_page", OpenApiTypes.INT),
            OpenApiParameter(
                "cursor",
                OpenApiTypes.STR,
                description=f"`pagination.next`: the {WINDOW} conversations before these.",
            ),
        ],
        responses=union(
            "UserSearchResponse",
            UserTalkSerializer(many=True),
            pagination=serializers.DictField(),
            total=serializers.IntegerField(),
            page=serializers.IntegerField(),
            per_page=serializers.IntegerField(),
            pages=serializers.IntegerField(),
        ),
    )
    def get(self, request: Request) -> Response:
        words = _words(request)
        window = _Window()
        seen = talks_seen_by(request).select_related(None).only("pk", "last_activity_at", "last_seq")
        looked_at = window.paginate_queryset(seen, request, self)
        if own_contact(request) is None:
            noted(request, "searched conversations", None, {"looked_at": len(looked_at)})
        found = _found(words, [talk.pk for talk in looked_at])
        # The cursor is of the windows; pages are within one.
        pages = _Within(window.next_cursor, looked_at=len(looked_at))
        talks = pages.paginate_queryset(found, request, self)
        return pages.get_paginated_response(shown(talks))


class _Within(DocumentedPages):
    """Pages of what was found in one window."""

    def __init__(self, onward: str | None, *, looked_at: int) -> None:
        self.onward, self.looked_at = onward, looked_at

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        self._read(request)
        self.total = queryset.count()
        start = (self.page - 1) * self.limit
        return list(queryset.order_by("-last_activity_at", "-pk")[start : start + self.limit])

    def pagination(self) -> dict[str, Any]:
        return {**self._flat(), "limit": self.limit, "next": self.onward, "looked_at": self.looked_at}

    def get_paginated_response(self, data: Any) -> Response:
        return answered(data, pagination=self.pagination(), **self._flat())


def _words(request: Request) -> str:
    text = request.query_params.get("q", "").strip()
    if not text or len(text) > LONGEST_QUERY or "\0" in text:
        raise serializers.ValidationError({"q": [f"Give 1 to {LONGEST_QUERY} characters to look for."]})
    return text


def _found(words: str, keys: list[Any]) -> Any:
    """Django escapes % and _ in `icontains`: they are characters like any other.

    Two queries: with one, PostgreSQL reads the messages of everybody.
    """
    said = Message.objects.filter(conversation__in=keys, text__icontains=words).order_by()
    talks = list(said.values_list("conversation", flat=True).distinct())
    rows = Conversation.objects.filter(pk__in=keys).filter(Q(title__icontains=words) | Q(pk__in=talks))
    return rows.select_related("contact").prefetch_related("contact__addresses")
