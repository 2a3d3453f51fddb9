"""`/chat/history`, `/chat/sessions`, `/chat/session/complete`: what was said, by label."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api.authentication import caller_of
from config.api.documented_values import PAGES, UtcTime, WholeLists, in_utc, private
from config.api.errors import NotFoundError
from config.api.marketing_words import ENDED_SESSION
from config.api.models import Account
from config.api.named_accounts import account_in
from crm.models import Conversation, Message
from interviews import agent_talks, requesting, sessions
from interviews.account_agents import ids_of
from interviews.api.marketing.naming import SCOPE, SESSION_ID, USER_ID, labelled, noted
from interviews.api.marketing.shapes import (
    HistoryMessageSerializer,
    SessionRecordSerializer,
    history_message,
    session_record,
)
from interviews.models import Interview
from interviews.sessions import Label

TAG = "Marketing: chat"


class HistorySerializer(serializers.Serializer):
    session_id = serializers.CharField()
    messages = HistoryMessageSerializer(many=True)
    total_messages = serializers.IntegerField()
    session = SessionRecordSerializer(allow_null=True)
    message_count = serializers.IntegerField(help_text="Messages of the person.")


class SessionsSerializer(serializers.Serializer):
    user_id = serializers.CharField()
    sessions = SessionRecordSerializer(many=True)
    total_sessions = serializers.IntegerField()


class SessionEndedSerializer(serializers.Serializer):
    message = serializers.CharField()
    session_id = serializers.CharField()
    user_id = serializers.CharField()
    email = serializers.CharField()
    status = serializers.ChoiceField(ENDED_SESSION)
    completed_at = UtcTime(allow_null=True)


def conversation_of(account: Account, label: Label, agent_id: str = "") -> Conversation | None:
    """The talk that a label means: the person's interview, else their chat with the account's agent.

    With the chat agent's id it is that chat.
    """
    interview = sessions.interview_of(account, label.email)
    chat = agent_talks.talk_of(account, str(label))
    wants_chat = bool(agent_id) and agent_id == ids_of(account).chat_agent_id
    if chat is not None and (wants_chat or interview is None or not interview.has_begun):
        return chat
    return interview.conversation if interview is not None else None


@extend_schema(tags=[TAG], parameters=[SESSION_ID])
class ChatHistory(APIView):
    """Also of a talk that has ended, and of one that nobody has begun: then it is empty."""

    required_scope = SCOPE
    ordering = "seq"

    @extend_schema(
        operation_id="chat_history",
        summary="What was said in a session, in its order",
        parameters=[OpenApiParameter("agent_id", OpenApiTypes.STR), *PAGES],
        responses=HistorySerializer,
    )
    def get(self, request: Request, session_id: str) -> Response:
        account, label = labelled(caller_of(request), session_id)
        talk = conversation_of(account, label, request.query_params.get("agent_id", ""))
        pages = WholeLists()
        said = Message.objects.filter(conversation=talk, state=Message.State.COMPLETE)
        said = said if talk is not None else said.none()
        rows = pages.paginate_queryset(said, request, self)
        session = _session(account, talk)
        body = {
            "session_id": str(label),
            "messages": [history_message(message) for message in rows],
            "total_messages": said.count() if pages.next_cursor else len(rows),
            "session": session,
            "message_count": session["message_count"] if session else 0,
        }
        return private(body, headers=pages.link())


def _session(account: Account, talk: Conversation | None) -> dict[str, Any] | None:
    found = sessions.sessions_of(account).filter(pk=talk.pk).first() if talk is not None else None
    return session_record(found, ids_of(account)) if found is not None else None


@extend_schema(tags=[TAG], parameters=[USER_ID])
class ChatSessions(APIView):
    required_scope = SCOPE
    ordering = "-last_activity_at"

    @extend_schema(
        operation_id="chat_sessions",
        summary="All sessions of the account, the latest first",
        parameters=PAGES,
        responses=SessionsSerializer,
    )
    def get(self, request: Request, user_id: str) -> Response:
        account = account_in(request, user_id)
        pages, rows = WholeLists(), sessions.sessions_of(account)
        found = pages.paginate_queryset(rows, request, self)
        agents = ids_of(account)
        body = {
            "user_id": account.slug,
            "sessions": [session_record(row, agents) for row in found],
            "total_sessions": len(found) if not pages.link() else rows.count(),
        }
        return private(body, headers=pages.link())


@extend_schema(tags=[TAG], parameters=[SESSION_ID])
class SessionComplete(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="chat_session_complete",
        summary="End a session. Twice is once",
        request=None,
        responses=SessionEndedSerializer,
    )
    def post(self, request: Request, session_id: str) -> Response:
        account, label = labelled(caller_of(request), session_id)
        interview = sessions.interview_of(account, label.email)
        if interview is None:
            raise NotFoundError("session")
        ended = requesting.complete(account, interview)
        noted(request, "ended a session", ended)
        return private(_ended(ended, label))


def _ended(interview: Interview, label: Label) -> dict[str, Any]:
    return {
        "message": "The session is completed.",
        "session_id": str(label),
        "user_id": label.user_id,
        "email": label.email,
        "status": "completed",
        "completed_at": in_utc(sessions.ended_at(interview)),
    }


class InterviewSessionComplete(SessionComplete):
    """The same by the address that the public program has."""

    @extend_schema(
        tags=[TAG],
        operation_id="chat_interview_complete",
        summary="End a session. Twice is once",
        request=None,
        responses=SessionEndedSerializer,
    )
    def post(self, request: Request, session_id: str) -> Response:
        return super().post(request, session_id)
