"""Received conversations and their webhooks in the admin: what came, what became of it, reading it anew."""

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from unfold.decorators import action, display

from config.api.admin import ArrivedAdmin
from config.api.audit import record
from crm.media_serving import file_response
from voice import inbox
from voice.admin.pages import must
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


class _ReadOnlyAdmin(ArrivedAdmin):
    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Of the list, for its actions; the page of one row has nothing to save."""
        return obj is None and bool(super().has_change_permission(request, obj))


@admin.register(ReceivedConversation)
class ReceivedConversationAdmin(_ReadOnlyAdmin):
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
        "sound",
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

    @display(description="Recording")  # type: ignore[untyped-decorator]
    def sound(self, row: ReceivedConversation) -> str:
        if row.recording_id is None:
            return "–"
        address = reverse("admin:voice_received_recording", args=[row.pk])
        player = '<audio controls preload="none" src="{}" aria-label="{}"></audio>'
        return format_html(player, address, _("Recording of the conversation"))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.recording)
        return [path("<uuid:pk>/recording", view, name="voice_received_recording"), *super().get_urls()]

    def recording(self, request: HttpRequest, pk: UUID) -> HttpResponseBase:
        """Each time is recorded, as for calls of ours."""
        must(self.has_view_permission(request))
        row = ReceivedConversation.objects.select_related("account", "recording").filter(pk=pk).first()
        media = row.recording if row is not None else None
        response = file_response(media, request.headers.get("Range", "")) if media else None
        if row is None or response is None:
            raise Http404
        record(row.account, "staff", request.user.get_username(), "listen to conversation", target=row)
        response.headers["Cache-Control"] = "no-store"
        return response


@admin.register(VoiceEvent)
class VoiceEventAdmin(_ReadOnlyAdmin):
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
