"""`/interview/…`: asked for, looked at, ended."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api.documented_values import PAGES, WholeLists, body_or_query, private
from config.api.errors import ConflictError
from config.api.marketing_words import INTERVIEW_WORDS, NOT_STARTED
from config.api.named_accounts import account_in
from crm import contacts
from interviews import requesting, sessions, starting
from interviews.account_agents import ids_of
from interviews.api.marketing.naming import (
    EMAIL,
    SCOPE,
    TOKEN,
    USER_ID,
    email_in,
    interview_named,
    interview_of_token,
    noted,
)
from interviews.api.marketing.shapes import (
    InterviewRecordSerializer,
    SessionRecordSerializer,
    chat_link,
    interview_record,
    session_record,
    word_of,
)
from interviews.models import Interview

TAG = "Marketing: interviews"
ENDED_WORDS = "The interview has ended."


class StartSerializer(serializers.Serializer):
    user_id = serializers.CharField(max_length=64)
    email = serializers.CharField(max_length=320)


class StatusSerializer(serializers.Serializer):
    status = serializers.ChoiceField(INTERVIEW_WORDS)


class StatusOfPersonSerializer(StatusSerializer):
    email = serializers.CharField(allow_blank=True)


class StatusesSerializer(serializers.Serializer):
    user_id = serializers.CharField()
    statuses = StatusOfPersonSerializer(many=True)


class ChatLinkSerializer(serializers.Serializer):
    chat_link = serializers.CharField(help_text="Whoever has it may take part. Give it to the person alone.")
    session_id = serializers.CharField()
    user_id = serializers.CharField()
    email = serializers.CharField()
    agent_id = serializers.CharField()


class RedirectSerializer(serializers.Serializer):
    redirect_url = serializers.CharField(help_text="Whoever has it may take part.")
    session_id = serializers.CharField()
    message = serializers.CharField()


class InterviewSeenSerializer(InterviewRecordSerializer):
    chat_session = SessionRecordSerializer(allow_null=True)
    chat_link = serializers.CharField(help_text="The chat's address, without the right to open it.")


class InterviewEndedSerializer(InterviewSeenSerializer):
    should_redirect_to_chat = serializers.BooleanField()
    completion_message = serializers.CharField()


def session_of(interview: Interview) -> dict[str, Any] | None:
    """None while nobody has begun to talk."""
    found = sessions.sessions_of(interview.account).filter(pk=interview.conversation_id).first()
    return session_record(found, ids_of(interview.account)) if found is not None else None


@extend_schema(tags=[TAG])
class InterviewStart(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="interview_start",
        summary="Ask a person for an interview. Asked twice, it is one; an ended one stays ended",
        description="Someone on the account's list who was not written to yet gets the invitation now.",
        request=StartSerializer,
        parameters=[
            OpenApiParameter("user_id", OpenApiTypes.STR, description="Instead of the body."),
            OpenApiParameter("email", OpenApiTypes.STR, description="Instead of the body."),
        ],
        responses=InterviewRecordSerializer,
    )
    def post(self, request: Request) -> Response:
        serializer = StartSerializer(data=body_or_query(request, ("user_id", "email")))
        serializer.is_valid(raise_exception=True)
        given = serializer.validated_data
        account = account_in(request, given["user_id"])
        interview = requesting.request(account, email_in(given["email"]))
        noted(request, "asked for an interview", interview)
        return private(interview_record(interview))


@extend_schema(tags=[TAG], parameters=[USER_ID, EMAIL])
class InterviewStatus(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="interview_status",
        summary="How one person's interview stands, in one word",
        responses=StatusSerializer,
    )
    def get(self, request: Request, user_id: str, email: str) -> Response:
        account = account_in(request, user_id)
        interview = sessions.interview_of(account, email_in(email))
        return private({"status": word_of(interview) if interview else NOT_STARTED})


@extend_schema(tags=[TAG], parameters=[USER_ID])
class InterviewStatuses(APIView):
    required_scope = SCOPE
    ordering = "-invited_at"

    @extend_schema(
        operation_id="interview_statuses",
        summary="How all interviews of the account stand, the latest first",
        parameters=PAGES,
        responses=StatusesSerializer,
    )
    def get(self, request: Request, user_id: str) -> Response:
        account = account_in(request, user_id)
        rows = Interview.objects.for_account(account).select_related("contact")
        pages = WholeLists()
        found = pages.paginate_queryset(rows.prefetch_related("contact__addresses"), request, self)
        statuses = [
            {"email": contacts.email_of(interview.contact), "status": word_of(interview)}
            for interview in found
        ]
        return private({"user_id": account.slug, "statuses": statuses}, headers=pages.link())


@extend_schema(tags=[TAG], parameters=[USER_ID, EMAIL])
class InterviewChatLink(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="interview_chat_link",
        summary="A link by which the person can take part",
        description="Every call makes a link of its own; earlier ones go on until the invitation runs out.",
        parameters=[OpenApiParameter("agent_id", OpenApiTypes.STR)],
        responses=ChatLinkSerializer,
    )
    def get(self, request: Request, user_id: str, email: str) -> Response:
        interview = interview_named(request, user_id, email)
        refuse_run_out(interview)
        agent_id = request.query_params.get("agent_id", "")[:100] or ids_of(interview.account).agent_id
        noted(request, "made a link", interview)
        return private(
            {
                "chat_link": chat_link(interview, agent_id=agent_id),
                "session_id": sessions.label_of(interview),
                "user_id": interview.account.slug,
                "email": contacts.email_of(interview.contact),
                "agent_id": agent_id or str(interview.conversation.persona_id),
            }
        )


def refuse_run_out(interview: Interview) -> None:
    if starting.has_run_out(interview):
        raise ConflictError("This invitation has run out. Start the interview again.")


@extend_schema(tags=[TAG], parameters=[TOKEN])
class InterviewRedirect(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="interview_redirect",
        summary="Where to send the person: a link by which they can take part",
        responses=RedirectSerializer,
    )
    def get(self, request: Request, token: str) -> Response:
        interview = interview_of_token(request, token)
        refuse_run_out(interview)
        noted(request, "made a link", interview)
        link = chat_link(interview, agent_id=ids_of(interview.account).agent_id)
        label = sessions.label_of(interview)
        return private(
            {"redirect_url": link, "session_id": label, "message": "Send the person to this page."}
        )


@extend_schema(tags=[TAG], parameters=[TOKEN])
class InterviewByToken(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="interview_by_token", summary="One interview", responses=InterviewSeenSerializer
    )
    def get(self, request: Request, token: str) -> Response:
        interview = interview_of_token(request, token)
        return private(seen(interview))


def seen(interview: Interview) -> dict[str, Any]:
    return {
        **interview_record(interview),
        "chat_session": session_of(interview),
        "chat_link": chat_link(interview, opens=False),
    }


@extend_schema(tags=[TAG], parameters=[TOKEN])
class InterviewComplete(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="interview_complete",
        summary="End an interview. Twice is once; one that has not begun is called off",
        request=None,
        responses=InterviewEndedSerializer,
    )
    def post(self, request: Request, token: str) -> Response:
        interview = interview_of_token(request, token)
        ended = requesting.complete(interview.account, interview)
        noted(request, "ended an interview", ended)
        more = {"should_redirect_to_chat": True, "completion_message": ENDED_WORDS}
        return private({**seen(ended), **more})
