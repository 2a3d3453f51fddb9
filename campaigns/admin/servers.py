"""SMTP servers in the admin: the password is only ever written, and a test tells faults apart."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminPasswordWidget

from campaigns import trying
from campaigns.admin import preflight
from campaigns.admin.looks import key_in
from campaigns.models import SmtpServer

LIMITS = ("per_second", "per_minute", "per_hour", "per_day", "domain_connections", "domain_per_minute")


class ServerForm(forms.ModelForm):
    new_password = forms.CharField(
        required=False,
        strip=False,
        widget=UnfoldAdminPasswordWidget(render_value=False, attrs={"autocomplete": "new-password"}),
        help_text="Written only. Leave empty to keep the one that is stored.",
    )

    class Meta:
        model = SmtpServer
        fields = (
            "account",
            "name",
            "host",
            "port",
            "security",
            "username",
            "from_email",
            "from_name",
            "reply_to",
            "dkim_selector",
            "max_connections",
            *LIMITS,
            "is_active",
        )

    def save(self, commit: bool = True) -> SmtpServer:
        if self.cleaned_data["new_password"]:
            self.instance.password = self.cleaned_data["new_password"]
        server: SmtpServer = super().save(commit)
        return server


@admin.register(SmtpServer)
class SmtpServerAdmin(ModelAdmin):
    form = ServerForm
    fields = (
        "account",
        "name",
        "host",
        "port",
        "security",
        "username",
        "new_password",
        "from_email",
        "from_name",
        "reply_to",
        "dkim_selector",
        "max_connections",
        *LIMITS,
        "is_active",
    )
    list_display = ("name", "account", "host", "from_email", "state_label")
    list_filter = ("is_active", "account")
    list_select_related = ("account",)
    search_fields = ("name", "host", "from_email")
    show_full_result_count = False
    change_form_outer_before_template = "admin/campaigns/server_facts.html"

    @display(description="State", label={"on": "success", "paused": "warning", "off": "default"})  # type: ignore[untyped-decorator]
    def state_label(self, server: SmtpServer) -> tuple[str, str]:
        if not server.is_active:
            return "off", _("Switched off")
        is_paused = server.paused_until is not None and server.paused_until > timezone.now()
        return ("paused", _("Paused")) if is_paused else ("on", _("Ready"))

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        own = [path("<int:pk>/try/", wrap(self.try_view), name="campaigns_smtpserver_try")]
        return [*own, *preflight.server_urls(self), *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        server = SmtpServer.objects.filter(pk=key_in(object_id)).first()
        now = timezone.now()
        is_paused = bool(server and server.paused_until and server.paused_until > now)
        more = {"server": server, "is_paused": is_paused}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **more})

    def try_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        server: SmtpServer = get_object_or_404(SmtpServer, pk=pk)
        if request.method != "POST" or not self.has_change_permission(request, server):
            raise PermissionDenied
        trial = trying.trial(server)
        if trial.is_ok:
            SmtpServer.objects.filter(pk=pk).update(paused_until=None, pause_reason="")
        messages.add_message(request, messages.SUCCESS if trial.is_ok else messages.ERROR, _(trial.words))
        return redirect("admin:campaigns_smtpserver_change", pk)
