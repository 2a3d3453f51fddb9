"""The documented reads of the webhook API: one received conversation, and the list of them."""

import math
from datetime import UTC, datetime, time, timedelta
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from config.api.authentication import account_of
from config.api.documented_lists import bounded_total
from config.api.errors import NotFoundError
from config.api.pagination import DEEPEST, whole
from voice.api.webhooks_access import WebhookView
from voice.api.webhooks_described import (
    ReceivedConversationRowSerializer,
    ReceivedConversationSerializer,
    ReceivedListSerializer,
)
from voice.models import ReceivedConversation

DEFAULT_LIMIT, MOST = 20, 100
LONGEST = 254  # characters of a filter
Status = ReceivedConversation.Status
# Words that other revisions of the documented server use for the same.
STATUSES = {
    **{value: value for value in Status.values},
    "processed": Status.COMPLETED,
    "active": Status.PROCESSING,
}


def parameter(name: str, text: str, kind: Any = OpenApiTypes.STR) -> OpenApiParameter:
    return OpenApiParameter(name, kind, OpenApiParameter.QUERY, description=text)


PARAMETERS = [
    parameter("email_id", "Of exactly this address. `emailId` is the same."),
    parameter("account_id", "With this `accountId`. `accountId` is the same."),
    parameter("status", "processing, completed, failed or erased."),
    parameter("startDate", "Received at or after this time or day (ISO 8601, else UTC)."),
    parameter("endDate", "Received before this time, or until the end of this day."),
    parameter("page", "The page, from 1.", OpenApiTypes.INT),
    parameter("limit", f"Rows on a page; else {DEFAULT_LIMIT}, at most {MOST}.", OpenApiTypes.INT),
]


@extend_schema(tags=["Webhooks"])
class ReceivedConversationDetail(WebhookView):
    @extend_schema(
        operation_id="webhook_conversation_read",
        summary="How far one received conversation is",
        responses=ReceivedConversationSerializer,
    )
    def get(self, request: Request, conversation_id: str) -> Response:
        rows = ReceivedConversation.objects.for_account(account_of(request))
        row = rows.filter(conversation_id=conversation_id).first()
        if row is None:
            raise NotFoundError("conversation")
        return Response(ReceivedConversationSerializer(row).data, headers={"Cache-Control": "no-store"})


@extend_schema(tags=["Webhooks"])
class ReceivedConversations(WebhookView):
    @extend_schema(
        operation_id="webhook_conversations",
        summary="Received conversations, newest first",
        parameters=PARAMETERS,
        responses=ReceivedListSerializer,
    )
    def get(self, request: Request) -> Response:
        query = request.query_params
        limit = min(whole(query, "limit", DEFAULT_LIMIT), MOST)
        page = whole(query, "page", 1)
        start = (page - 1) * limit
        if start > DEEPEST:
            raise ValidationError({"page": [f"Pages end at row {DEEPEST:,}. Narrow the filters."]})
        rows = filtered(ReceivedConversation.objects.for_account(account_of(request)), query)
        total = bounded_total(rows)
        shown = rows.order_by("-received_at", "-id")[start : start + limit]
        data = {
            "conversations": ReceivedConversationRowSerializer(shown, many=True).data,
            "pagination": {
                "page": page,
                "limit": limit,
                "total": total,
                "pages": math.ceil(total / limit),
            },
        }
        return Response({"success": True, "data": data}, headers={"Cache-Control": "no-store"})


def filtered(rows: Any, query: Any) -> Any:
    if email := _word(query, "email_id", "emailId"):
        rows = rows.filter(email=email)
    if label := _word(query, "account_id", "accountId"):
        rows = rows.filter(account_label=label)
    if word := _word(query, "status"):
        if word not in STATUSES:
            raise ValidationError({"status": [f"Must be one of: {', '.join(Status.values)}."]})
        rows = rows.filter(status=STATUSES[word])
    if (start := _moment(query, "startDate", ends_day=False)) is not None:
        rows = rows.filter(received_at__gte=start)
    if (end := _moment(query, "endDate", ends_day=True)) is not None:
        rows = rows.filter(received_at__lt=end)
    return rows


def _word(query: Any, *names: str) -> str:
    """The first of these that is given. Raises ValidationError for what no row can hold."""
    name = next((name for name in names if query.get(name)), names[0])
    value: str = query.get(name, "")
    if len(value) > LONGEST or not value.isprintable():
        raise ValidationError({name: [f"Must be at most {LONGEST} printable characters."]})
    return value


def _moment(query: Any, name: str, *, ends_day: bool) -> datetime | None:
    text = _word(query, name).replace(" ", "+")  # a plus that was not encoded
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or not 1970 <= found.year < 2200:
        raise ValidationError({name: ["Must be a day or a time in ISO 8601, like 2024-01-15T10:30:00Z."]})
    if len(text) <= len("2024-01-15") and ends_day and found.time() == time.min:
        found += timedelta(days=1)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
