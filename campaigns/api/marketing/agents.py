"""`/agents/…`: who interviews and who answers for an account."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from campaigns import marketing_accounts, marketing_agents
from campaigns.api.marketing.accounts import TAG
from campaigns.api.marketing.naming import SCOPE, account_in, noted
from config.api.authentication import caller_of
from config.api.documented_values import UtcTime, in_utc, private
from config.api.errors import ApiError, ConflictError, NotFoundError
from config.api.named_accounts import accounts_of
from personas.lyzr_agents import LyzrError

NOTE = "Asked again, these same agents are given."


class NewAgentSerializer(serializers.Serializer):
    user_id = serializers.CharField(max_length=64)
    token = serializers.CharField(max_length=500, allow_blank=True, help_text="The Lyzr key; used, not kept.")
    name = serializers.CharField(max_length=100, required=False, default="Interview Agent")
    description = serializers.CharField(
        max_length=500, required=False, default="AI agent for conducting interviews"
    )
    prompt = serializers.CharField(max_length=20_000, required=False, allow_blank=True, allow_null=True)


class NewChatAgentSerializer(serializers.Serializer):
    user_id = serializers.CharField(max_length=64)
    token = serializers.CharField(max_length=500, allow_blank=True, help_text="The Lyzr key; used, not kept.")
    name = serializers.CharField(max_length=100, required=False, default="Chat Agent")
    description = serializers.CharField(
        max_length=500, required=False, default="AI chat agent with knowledge base access"
    )


class AgentMadeSerializer(serializers.Serializer):
    message = serializers.CharField()
    agent_id = serializers.CharField()
    rag_id = serializers.CharField()
    agent_response = serializers.DictField()
    kb_response = serializers.DictField()
    note = serializers.CharField()


class ChatAgentMadeSerializer(serializers.Serializer):
    message = serializers.CharField()
    chat_agent_id = serializers.CharField()
    rag_id = serializers.CharField()
    agent_response = serializers.DictField()
    link_response = serializers.DictField()


class AgentInfoSerializer(serializers.Serializer):
    agent_id = serializers.CharField()
    user_id = serializers.CharField()
    agent_prompt = serializers.CharField(allow_null=True)
    rag_id = serializers.CharField(allow_null=True)
    has_api_key = serializers.BooleanField()
    created_at = UtcTime()
    updated_at = UtcTime()


def _refused(error: LyzrError) -> ApiError:
    """Real codes: the caller's fault, one call at a time, or the vendor's."""
    if error.code in ("no_rag", "no_key"):
        return ApiError("BAD_REQUEST", error.message, status_code=400, details={"reason": error.code})
    if error.code == "busy":
        return ConflictError(error.message)
    status = 504 if error.code == "timeout" else 502
    details = {"reason": error.code, "retryable": error.retryable}
    return ApiError("UPSTREAM_ERROR", error.message, status_code=status, details=details)


@extend_schema(tags=[TAG])
class AgentCreate(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="agents_create",
        summary="The account's interviewer and its knowledge base, made where there are none",
        request=NewAgentSerializer,
        responses=AgentMadeSerializer,
    )
    def post(self, request: Request) -> Response:
        serializer = NewAgentSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        given = serializer.validated_data
        account = account_in(request, given["user_id"])
        words = {name: given[name] for name in ("token", "name", "description")}
        try:
            made = marketing_agents.make_interviewer(account, prompt=given.get("prompt") or None, **words)
        except LyzrError as error:
            raise _refused(error) from None
        noted(request, account, "made an agent", agent=made.agent_id)
        return private(
            {
                "message": "The agent and its knowledge base are there.",
                "agent_id": made.agent_id,
                "rag_id": made.rag_id,
                "agent_response": made.agent_response,
                "kb_response": made.kb_response,
                "note": NOTE,
            }
        )


@extend_schema(tags=[TAG])
class ChatAgentCreate(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="agents_chat_create",
        summary="The account's chat agent, which answers from its knowledge base",
        request=NewChatAgentSerializer,
        responses=ChatAgentMadeSerializer,
    )
    def post(self, request: Request) -> Response:
        serializer = NewChatAgentSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        given = serializer.validated_data
        account = account_in(request, given["user_id"])
        words = {name: given[name] for name in ("token", "name", "description")}
        try:
            made = marketing_agents.make_chat_agent(account, **words)
        except LyzrError as error:
            raise _refused(error) from None
        noted(request, account, "made a chat agent", agent=made.agent_id)
        return private(
            {
                "message": "The chat agent is there.",
                "chat_agent_id": made.agent_id,
                "rag_id": made.rag_id,
                "agent_response": made.agent_response,
                "link_response": made.link_response,
            }
        )


@extend_schema(tags=[TAG])
class AgentInfo(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="agents_info",
        summary="An agent of the account",
        parameters=[OpenApiParameter("agent_id", OpenApiTypes.STR, OpenApiParameter.PATH)],
        responses=AgentInfoSerializer,
    )
    def get(self, request: Request, agent_id: str) -> Response:
        link = marketing_agents.named(accounts_of(caller_of(request)), agent_id)
        if link is None:
            raise NotFoundError("agent")
        body: dict[str, Any] = {
            "agent_id": agent_id,
            "user_id": link.account.slug,
            "agent_prompt": link.agent_prompt or None,
            "rag_id": link.rag_id or None,
            "has_api_key": bool(marketing_accounts.vendor_key_of(link.account)),
            "created_at": in_utc(link.created_at),
            "updated_at": in_utc(link.updated_at),
        }
        return private(body)
