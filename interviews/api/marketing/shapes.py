"""What the marketing API says of an interview, a session and a transcript, field by field."""

from typing import Any

from rest_framework import serializers

from config.api.documented_values import UtcTime, in_utc
from config.api.marketing_words import INTERVIEW_WORDS, ROLES, SESSION_WORDS, interview_word
from crm import contacts
from crm.models import Conversation, Message
from interviews import pdf_links, sessions, starting
from interviews.account_agents import AgentIds
from interviews.models import Interview, ProcessingStep
from knowledge.models import Document

NO_KNOWLEDGE = "The transcript could not be read into the knowledge base."


class InterviewRecordSerializer(serializers.Serializer):
    _id = serializers.CharField()
    user_id = serializers.CharField()
    email = serializers.CharField()
    token = serializers.CharField()
    status = serializers.ChoiceField(INTERVIEW_WORDS)
    started_at = UtcTime(allow_null=True)
    completed_at = UtcTime(allow_null=True)
    created_at = UtcTime()
    processed_at = UtcTime(allow_null=True)
    session_id = serializers.CharField()
    pdf_generated = serializers.BooleanField()
    s3_upload_success = serializers.BooleanField()
    pdf_s3_url = serializers.CharField(allow_null=True)
    rag_id = serializers.CharField(allow_null=True)
    kb_trained = serializers.BooleanField()
    kb_error = serializers.CharField(allow_null=True)


class SessionRecordSerializer(serializers.Serializer):
    _id = serializers.CharField()
    user_id = serializers.CharField()
    email = serializers.CharField(allow_blank=True)
    session_id = serializers.CharField()
    agent_id = serializers.CharField()
    rag_id = serializers.CharField(allow_null=True)
    session_status = serializers.ChoiceField(SESSION_WORDS)
    started_at = UtcTime()
    completed_at = UtcTime(allow_null=True)
    last_message_at = UtcTime()
    agent_type = serializers.ChoiceField(("interview_agent", "chat_agent"))
    message_count = serializers.IntegerField(help_text="Messages of the person.")
    pdf_s3_url = serializers.CharField(allow_null=True)
    kb_trained = serializers.BooleanField()


class HistoryMessageSerializer(serializers.Serializer):
    id = serializers.CharField()
    role = serializers.ChoiceField(ROLES)
    content = serializers.CharField(allow_blank=True)
    created_at = UtcTime()
    timestamp = UtcTime()


def word_of(interview: Interview) -> str:
    return interview_word(interview.state, is_requested=interview.requested_at is not None)


def interview_record(interview: Interview) -> dict[str, Any]:
    """The interview with its account, contact (with addresses), guide and steps."""
    email = contacts.email_of(interview.contact)
    return {
        "_id": sessions.wire_id(interview.pk),
        "user_id": interview.account.slug,
        "email": email,
        "token": sessions.token_of(interview.account, email),
        "status": word_of(interview),
        "started_at": in_utc(sessions.started_at(interview)),
        "completed_at": in_utc(sessions.ended_at(interview)),
        "created_at": in_utc(interview.invited_at),
        "processed_at": in_utc(interview.processed_at),
        "session_id": sessions.label_of(interview),
        **outcome_of(interview),
    }


def outcome_of(interview: Interview) -> dict[str, Any]:
    """What came of it so far."""
    collection = interview.collection or interview.guide.collection
    return {
        "pdf_generated": bool(interview.pdf.name) or interview.pdf_pages is not None,
        "s3_upload_success": bool(interview.pdf.name),
        "pdf_s3_url": pdf_links.recorded_url(interview),
        "rag_id": collection.slug if collection else None,
        "kb_trained": is_known(interview),
        "kb_error": NO_KNOWLEDGE if _has_failed(interview) else None,
    }


def is_known(interview: Interview) -> bool:
    return interview.document is not None and interview.document.state == Document.State.READY


def _has_failed(interview: Interview) -> bool:
    return any(
        step.name == ProcessingStep.Name.KNOWLEDGE and step.state == ProcessingStep.State.FAILED
        for step in interview.steps.all()
    )


def session_record(conversation: Conversation, agents: AgentIds) -> dict[str, Any]:
    """A row of sessions.sessions_of."""
    interview: Interview | None = getattr(conversation, "interview", None)
    email = contacts.email_of(conversation.contact)
    outcome: dict[str, Any] = {"pdf_s3_url": None, "rag_id": agents.rag_id or None, "kb_trained": False}
    if interview is not None:
        found = outcome_of(interview)
        outcome = {name: found[name] for name in outcome}
    named = agents.agent_id if interview is not None else agents.chat_agent_id
    return {
        "_id": sessions.wire_id(conversation.pk),
        "user_id": conversation.account.slug,
        "email": email,
        "session_id": conversation.external_id or f"{conversation.account.slug}+{email}",
        "agent_id": named or str(conversation.persona_id or ""),
        "session_status": sessions.session_word(conversation),
        "started_at": in_utc((interview and interview.started_at) or conversation.created_at),
        "completed_at": in_utc(conversation.closed_at),
        "last_message_at": in_utc(conversation.last_activity_at),
        "agent_type": "interview_agent" if interview is not None else "chat_agent",
        "message_count": conversation.message_count,  # type: ignore[attr-defined]
        **outcome,
    }


def history_message(message: Message) -> dict[str, Any]:
    at = in_utc(message.created_at)
    role = "user" if message.author == Message.Author.PERSON else "assistant"
    return {"id": str(message.pk), "role": role, "content": message.text, "created_at": at, "timestamp": at}


def chat_link(interview: Interview, *, agent_id: str = "", opens: bool = True) -> str:
    """The documented address of the chat. Only with the capability in it does it open the talk."""
    token = starting.ways_in([interview])[0].token if opens and not starting.has_run_out(interview) else ""
    return sessions.address_of(sessions.label_of(interview), token=token, agent_id=agent_id)
