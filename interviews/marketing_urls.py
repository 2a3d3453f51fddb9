"""Paths of the documented marketing API: its chat, its interviews, their transcripts. No trailing slash."""

from typing import Any

from django.urls import URLPattern, path
from rest_framework.views import APIView

from interviews.api.marketing import chat, described, interviews, processing, sessions, transcripts


def described_by(view: Any, description: type[APIView]) -> Any:
    """A plain async view; the schema is drawn from its description."""
    view.__dict__.update(cls=description, initkwargs={})
    return view


send = described_by(chat.send, described.SendView)
interview_stream = described_by(chat.interview_stream, described.InterviewStreamView)
agent_stream = described_by(chat.agent_stream, described.AgentStreamView)
process = described_by(processing.process, described.ProcessView)
kb_training = described_by(processing.kb_training, described.TrainingView)

# An email may hold a slash, and ends every path that it is in.
urlpatterns: list[URLPattern] = [
    path("chat/send", send, name="chat-send"),
    path("chat/interview/send/stream", interview_stream, name="chat-interview-stream"),
    path("chat/agent/send/stream", agent_stream, name="chat-agent-stream"),
    path("chat/history/<path:session_id>", sessions.ChatHistory.as_view(), name="chat-history"),
    path("chat/sessions/<str:user_id>", sessions.ChatSessions.as_view(), name="chat-sessions"),
    path(
        "chat/session/complete/<path:session_id>",
        sessions.SessionComplete.as_view(),
        name="chat-session-complete",
    ),
    path(
        "chat/interview/complete/<path:session_id>",
        sessions.InterviewSessionComplete.as_view(),
        name="chat-interview-complete",
    ),
    path("interview/start", interviews.InterviewStart.as_view(), name="interview-start"),
    path("interview/process", process, name="interview-processing"),
    path("interview/kb-training", kb_training, name="interview-training"),
    path("interview/status/<str:user_id>", interviews.InterviewStatuses.as_view(), name="interview-statuses"),
    path(
        "interview/status/<str:user_id>/<path:email>",
        interviews.InterviewStatus.as_view(),
        name="interview-word",
    ),
    path(
        "interview/chat-link/<str:user_id>/<path:email>",
        interviews.InterviewChatLink.as_view(),
        name="interview-chat-link",
    ),
    path(
        "interview/complete/<path:token>", interviews.InterviewComplete.as_view(), name="interview-complete"
    ),
    path(
        "interview/redirect/<path:token>", interviews.InterviewRedirect.as_view(), name="interview-redirect"
    ),
    path("interview/<path:token>", interviews.InterviewByToken.as_view(), name="interview-by-token"),
    path("knowledge-base/pdfs/<str:user_id>", transcripts.Transcripts.as_view(), name="kb-pdfs"),
    path(
        "knowledge-base/pdfs-categorized/<str:user_id>",
        transcripts.TranscriptsByCategory.as_view(),
        name="kb-pdfs-categorized",
    ),
    path("knowledge-base/categories/<str:user_id>", transcripts.Categories.as_view(), name="kb-categories"),
    path(
        "knowledge-base/pdfs/<str:user_id>/category/<path:category>",
        transcripts.TranscriptsOfCategory.as_view(),
        name="kb-pdfs-of-category",
    ),
    path(
        "knowledge-base/pdfs/<str:pdf_id>/signed-url",
        transcripts.TranscriptSigned.as_view(),
        name="kb-pdf-signed-url",
    ),
    path("s3/presigned-url", transcripts.Presigned.as_view(), name="s3-presigned-url"),
    path("s3/signed/<str:token>", transcripts.signed_pdf, name="signed-pdf"),
]
