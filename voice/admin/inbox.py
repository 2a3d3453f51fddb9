"""Received conversations and their webhooks in the admin: what came, what became of it, reading it anew."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from unfold.decorators import action, display

from config.api.admin import ArrivedAdmin
from config.api.audit import record
from voice import inbox
from voice.models import ReceivedConversation, VoiceEvent

STATE_COLOURS = {
    "waiting": "default",
    "taken": "info",
    "done": "success",
    "dead": "danger",
    "processing": "info",
    "completed": "success",
    "failed": "danger",
    "erased": "default",
}


@admin.register(ReceivedConversation)
class ReceivedConversationAdmin(ArrivedAdmin):
    list_display = ("conversation_id", "email", "state_label", "contact", "source", "received_at")
    list_filter = ("status", "source", "account")
    list_select_related = ("contact",)
    search_fields = ("conversation_id", "email", "account_label")
    search_help_text = "Its id, email address or account there"
    fields = readonly_fields = (
        "conversation_id",
        "account",
        "account_label",
        "email",
        "contact",
        "transcript",
        "status",
        "reason",
        "version",
        "source",
        "agent_id",
        "started_at",
        "ended_at",
        "duration_seconds",
        "message_count",
        "summary",
        "received_at",
        "processed_at",
    )

    @display(description="State", label=STATE_COLOURS, ordering="status")  # type: ignore[untyped-decorator]
    def state_label(self, row: ReceivedConversation) -> tuple[str, str]:
        return row.status, row.get_status_display()

    @display(description="Transcript")  # type: ignore[untyped-decorator]
    def transcript(self, row: ReceivedConversation) -> str:
        if row.talk_id is None:
            return "–"
        address = reverse("admin:crm_conversation_change", args=[row.talk_id])
        return format_html('<a href="{}">{}</a>', address, _("Open the conversation"))


@admin.register(VoiceEvent)
class VoiceEventAdmin(ArrivedAdmin):
    """Bodies hold what people said: reading one is recorded."""

    list_display = ("conversation_id", "kind", "state_label", "attempts", "error", "received_at")
    list_filter = ("state", "source", "kind", "is_polled", "account")
    search_fields = ("conversation_id",)
    search_help_text = "The conversation's id"
    actions = ("replay",)
    fields = readonly_fields = (
        "conversation_id",
        "account",
        "source",
        "kind",
        "is_polled",
        "state",
        "attempts",
        "error",
        "size_bytes",
        "received_at",
        "body",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[VoiceEvent]:
        rows: QuerySet[VoiceEvent] = super().get_queryset(request)
        return rows.defer("body")

    @display(description="State", label=STATE_COLOURS, ordering="state")  # type: ignore[untyped-decorator]
    def state_label(self, event: VoiceEvent) -> tuple[str, str]:
        return event.state, event.get_state_display()

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        event = self.get_object(request, object_id)
        if event is not None and self.has_view_permission(request, event):
            record(event.account, "staff", request.user.get_username(), "read voice event", target=event)
        return super().change_view(request, object_id, form_url, extra_context)

    @action(description="Read anew", permissions=["change"])  # type: ignore[untyped-decorator]
    def replay(self, request: HttpRequest, queryset: QuerySet[VoiceEvent]) -> None:
        ids = inbox.replay(VoiceEvent.objects.filter(pk__in=queryset.values("pk")))
        words = ngettext("%(n)s event is read anew.", "%(n)s events are read anew.", len(ids))
        messages.success(request, words % {"n": len(ids)})
