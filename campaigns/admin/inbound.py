"""Emails that arrived and calls of mail providers in the admin: what they are, and reading them anew."""

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from unfold.decorators import action, display

from campaigns import tasks
from campaigns.admin.looks import moment, page
from campaigns.models import InboundEmail, WebhookCall
from config.api import arrivals
from config.api.admin import ArrivedAdmin
from config.api.audit import record

KIND_COLOURS = {
    "reply": "success",
    "unsubscribe": "warning",
    "auto_reply": "info",
    "bounce": "danger",
    "delay": "warning",
    "complaint": "danger",
    "waiting": "default",
    "taken": "info",
    "done": "success",
    "dead": "danger",
}


@admin.register(InboundEmail)
class InboundEmailAdmin(ArrivedAdmin):
    list_display = ("sender", "subject", "kind_label", "about", "arrived")
    list_filter = ("kind", "state", "matched_by", "account", "mailbox")
    list_select_related = ("delivery", "contact")
    search_fields = ("from_email", "subject", "message_id", "contact__name")
    search_help_text = "Address, name, subject or Message-ID"
    actions = ("replay",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[InboundEmail]:
        rows: QuerySet[InboundEmail] = super().get_queryset(request)
        return rows.defer("raw", "text", "quoted", "delivery__rendered")

    @display(description="From", ordering="from_email")  # type: ignore[untyped-decorator]
    def sender(self, email: InboundEmail) -> str:
        return email.from_email or _("not read yet")

    @display(description="What it is", label=KIND_COLOURS, ordering="kind")  # type: ignore[untyped-decorator]
    def kind_label(self, email: InboundEmail) -> tuple[str, str]:
        is_read = email.state == InboundEmail.State.DONE
        if is_read:
            return email.kind, email.get_kind_display()
        return email.state, email.get_state_display()

    @display(description="About")  # type: ignore[untyped-decorator]
    def about(self, email: InboundEmail) -> str:
        return str(email.contact or "–")

    @display(description="Arrived", ordering="received_at")  # type: ignore[untyped-decorator]
    def arrived(self, email: InboundEmail) -> str:
        return moment(email.received_at)

    @action(description="Read anew", permissions=["change"])  # type: ignore[untyped-decorator]
    def replay(self, request: HttpRequest, queryset: QuerySet[InboundEmail]) -> None:
        ids = _replay_emails(InboundEmail.objects.filter(pk__in=queryset.values("pk")))
        words = ngettext("%(n)s email is read anew.", "%(n)s emails are read anew.", len(ids))
        messages.success(request, words % {"n": len(ids)})

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        own = [path("<uuid:pk>/replay/", wrap(self.replay_view), name="campaigns_inboundemail_replay")]
        return [*own, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """An email is read as text: no markup of theirs, no pictures from elsewhere."""
        try:
            email = self._email(request, UUID(object_id))
        except ValueError:
            return redirect("admin:campaigns_inboundemail_changelist")
        record(email.account, "staff", request.user.get_username(), "read inbound email", target=email)
        context = {
            "title": email.subject or _("Email"),
            "email": email,
            "colour": KIND_COLOURS.get(email.kind or email.state, "default"),
            "may_replay": self.has_change_permission(request, email),
        }
        return page(request, "admin/campaigns/inbound_email.html", context, about=email)

    def _email(self, request: HttpRequest, pk: UUID) -> InboundEmail:
        rows = InboundEmail.objects.select_related("account", "contact", "delivery", "mailbox").defer("raw")
        email: InboundEmail = get_object_or_404(rows, pk=pk)
        if not self.has_view_permission(request, email):
            raise PermissionDenied
        return email

    def replay_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        email = self._email(request, pk)
        if request.method != "POST" or not self.has_change_permission(request, email):
            raise PermissionDenied
        if _replay_emails(InboundEmail.objects.filter(pk=pk)):
            messages.success(request, _("It is read anew."))
        else:
            messages.error(request, _("It is being read now, or is not kept any more as it came."))
        return redirect("admin:campaigns_inboundemail_change", pk)


def _replay_emails(rows: "QuerySet[InboundEmail]") -> list[UUID]:
    ids = arrivals.replay(rows.exclude(raw=""))
    for one in ids:
        tasks.read_inbound.delay_on_commit(str(one))  # type: ignore[attr-defined]
    return ids


@admin.register(WebhookCall)
class WebhookCallAdmin(ArrivedAdmin):
    list_display = ("webhook", "kind", "state_label", "attempts", "error", "arrived")
    list_filter = ("state", "kind", "webhook__provider", "webhook__account")
    list_select_related = ("webhook",)
    actions = ("replay",)
    fields = readonly_fields = (
        "webhook",
        "kind",
        "state",
        "attempts",
        "error",
        "content_type",
        "received_at",
        "body",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookCall]:
        rows: QuerySet[WebhookCall] = super().get_queryset(request)
        return rows.defer("body")

    @display(description="State", label=KIND_COLOURS, ordering="state")  # type: ignore[untyped-decorator]
    def state_label(self, call: WebhookCall) -> tuple[str, str]:
        return call.state, call.get_state_display()

    @display(description="Arrived", ordering="received_at")  # type: ignore[untyped-decorator]
    def arrived(self, call: WebhookCall) -> str:
        return moment(call.received_at)

    @action(description="Read anew", permissions=["change"])  # type: ignore[untyped-decorator]
    def replay(self, request: HttpRequest, queryset: QuerySet[WebhookCall]) -> None:
        rows = WebhookCall.objects.filter(pk__in=queryset.values("pk")).exclude(body="")
        ids = arrivals.replay(rows)
        for one in ids:
            tasks.read_webhook_call.delay_on_commit(str(one))  # type: ignore[attr-defined]
        words = ngettext("%(n)s call is read anew.", "%(n)s calls are read anew.", len(ids))
        messages.success(request, words % {"n": len(ids)})
