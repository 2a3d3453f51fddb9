"""`/email-thread(s)/…`: what was written to a person, and what came back."""

from datetime import datetime
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from campaigns import threads
from campaigns.api.marketing.naming import EMAIL, SCOPE, USER_ID, account_in, email_in, noted
from config.api.documented_values import PAGES, UtcTime, in_utc, next_link, private
from config.api.marketing_words import DIRECTIONS
from config.api.models import Account
from config.api.pagination import make_cursor, read_cursor, whole
from interviews.sessions import wire_id

TAG = "Marketing: emails"
# Of what we sent: the two documented words. What has not left yet is no part of a thread.
LETTER_WORDS = {
    "sent": "sent",
    "complained": "sent",
    "bounced": "failed",
    "failed": "failed",
    "unknown": "failed",
}


class ThreadEmailSerializer(serializers.Serializer):
    _id = serializers.CharField()
    user_id = serializers.CharField()
    email = serializers.CharField()
    subject = serializers.CharField(allow_blank=True)
    content = serializers.CharField(allow_blank=True, help_text="Without the links that open something.")
    follow_up_number = serializers.IntegerField(help_text="From 1; 0 for what arrived.")
    email_status = serializers.ChoiceField(("sent", "failed", "delivered", "received"))
    created_at = UtcTime()
    direction = serializers.ChoiceField(DIRECTIONS)


class PersonThreadSerializer(serializers.Serializer):
    email = serializers.CharField()
    thread = ThreadEmailSerializer(many=True)
    total_emails = serializers.IntegerField()
    last_sent = UtcTime(required=False, help_text="Absent while nothing was sent.")


class ThreadOfListSerializer(serializers.Serializer):
    email = serializers.CharField()
    total_emails_sent = serializers.IntegerField()
    last_sent = UtcTime(allow_null=True)
    first_sent = UtcTime(allow_null=True)
    latest_follow_up_number = serializers.IntegerField()
    total_emails_received = serializers.IntegerField()
    last_received = UtcTime(allow_null=True)


class PersonThreadsSerializer(serializers.Serializer):
    threads = ThreadOfListSerializer(many=True)
    total_conversations = serializers.IntegerField()


def letter(account: Account, email: str, one: threads.Letter) -> dict[str, Any] | None:
    word = "received" if one.direction == "in" else LETTER_WORDS.get(str(one.state))
    if word is None:
        return None
    return {
        "_id": wire_id(one.id),
        "user_id": account.slug,
        "email": email,
        "subject": one.subject,
        "content": one.text,
        "follow_up_number": one.number,
        "email_status": word,
        "created_at": in_utc(one.at),
        "direction": one.direction,
    }


@extend_schema(tags=[TAG], parameters=[USER_ID, EMAIL])
class EmailThread(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="email_thread",
        summary="All emails with one person, the oldest first",
        responses=PersonThreadSerializer,
    )
    def get(self, request: Request, user_id: str, email: str) -> Response:
        account, address = account_in(request, user_id), email_in(email)
        found = threads.thread_of(account, address)
        listed = [row for one in found if (row := letter(account, address, one)) is not None]
        body: dict[str, Any] = {"email": address, "thread": listed, "total_emails": len(listed)}
        sent = [row["created_at"] for row in listed if row["email_status"] == "sent"]
        noted(request, account, "read an email thread")
        return private({**body, "last_sent": sent[-1]} if sent else body)


@extend_schema(tags=[TAG], parameters=[USER_ID])
class EmailThreads(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="email_threads",
        summary="Everybody who was written to, the latest first; a `Link` header leads on",
        parameters=PAGES,
        responses=PersonThreadsSerializer,
    )
    def get(self, request: Request, user_id: str) -> Response:
        account = account_in(request, user_id)
        limit = whole(request.query_params, "limit", threads.MOST_THREADS, most=threads.MOST_THREADS)
        cursor = request.query_params.get("cursor", "")
        found = threads.threads_of(account, limit=limit + 1, after=_after(cursor) if cursor else None)
        page = found[:limit]
        is_whole = not cursor and len(found) <= limit
        total = len(page) if is_whole else threads.number_of_threads(account)
        body = {"threads": [thread(one) for one in page], "total_conversations": total}
        return private(body, headers=_link(request, page[-1]) if len(found) > limit else {})


def thread(one: threads.Thread) -> dict[str, Any]:
    return {
        "email": one.email,
        "total_emails_sent": one.sent,
        "last_sent": in_utc(one.last_sent),
        "first_sent": in_utc(one.first_sent),
        "latest_follow_up_number": one.latest_number,
        "total_emails_received": one.received,
        "last_received": in_utc(one.last_received),
    }


def _link(request: Request, last: threads.Thread) -> dict[str, str]:
    assert last.last_sent is not None  # only what left is listed
    return next_link(request, make_cursor((last.last_sent.isoformat(), last.email)))


def _after(cursor: str) -> tuple[datetime, str]:
    """Raises ValidationError for what `_link` did not make."""
    try:
        at, email = read_cursor(cursor)
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None or moment.year < 1900:
            raise ValueError("not a moment of ours")
    except (ValueError, OverflowError):
        raise serializers.ValidationError(
            {"cursor": ["This cursor was not made here. Start without one."]}
        ) from None
    return moment, email
