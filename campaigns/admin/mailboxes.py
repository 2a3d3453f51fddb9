"""Mailboxes and provider webhooks in the admin: secrets are only ever written."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminPasswordWidget

from campaigns import mailboxes
from campaigns.admin.looks import key_in, moment
from campaigns.models import Mailbox, MailWebhook

SHORTEST_SECRET = 32  # characters of the generic webhook's secret
WRITE_ONLY = "Written only. Leave empty to keep the one that is stored."


def _secret_field(help_text: str = WRITE_ONLY) -> forms.CharField:
    widget = UnfoldAdminPasswordWidget(render_value=False, attrs={"autocomplete": "new-password"})
    return forms.CharField(required=False, strip=False, widget=widget, help_text=help_text)


class MailboxForm(forms.ModelForm):
    new_password = _secret_field()

    class Meta:
        model = Mailbox
        fields = (
            "account",
            "name",
            "address",
            "host",
            "port",
            "security",
            "username",
            "folder",
            "tags_replies",
            "is_active",
        )

    def save(self, commit: bool = True) -> Mailbox:
        if self.cleaned_data["new_password"]:
            self.instance.password = self.cleaned_data["new_password"]
        if {"host", "port", "username", "folder"} & set(self.changed_data):
            # Another mailbox: its numbers say nothing about what was read in the one before.
            self.instance.uid_validity, self.instance.last_uid = None, 0
        mailbox: Mailbox = super().save(commit)
        return mailbox


@admin.register(Mailbox)
class MailboxAdmin(ModelAdmin):
    form = MailboxForm
    fields = (*MailboxForm.Meta.fields[:7], "new_password", *MailboxForm.Meta.fields[7:])
    list_display = ("name", "account", "address", "state_label", "read")
    list_filter = ("is_active", "account")
    list_select_related = ("account",)
    search_fields = ("name", "address", "host")
    show_full_result_count = False
    change_form_outer_before_template = "admin/campaigns/mailbox_facts.html"

    @display(description="State", label={"on": "success", "error": "danger", "off": "default"})  # type: ignore[untyped-decorator]
    def state_label(self, mailbox: Mailbox) -> tuple[str, str]:
        if not mailbox.is_active:
            return "off", _("Switched off")
        return ("error", _("Cannot be read")) if mailbox.last_error else ("on", _("Ready"))

    @display(description="Last read")  # type: ignore[untyped-decorator]
    def read(self, mailbox: Mailbox) -> str:
        return moment(mailbox.last_read_at)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        own = [path("<int:pk>/read/", wrap(self.read_view), name="campaigns_mailbox_read")]
        return [*own, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        mailbox = Mailbox.objects.filter(pk=key_in(object_id)).first()
        return super().change_view(
            request, object_id, form_url, {**(extra_context or {}), "mailbox": mailbox}
        )

    def read_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Reads for a few seconds, so that staff see at once whether the settings are right."""
        mailbox: Mailbox = get_object_or_404(Mailbox, pk=pk)
        if request.method != "POST" or not self.has_change_permission(request, mailbox):
            raise PermissionDenied
        Mailbox.objects.filter(pk=pk).update(not_before=timezone.now())
        stored = mailboxes.read_new(pk, seconds=5).stored
        mailbox.refresh_from_db()
        if mailbox.last_error:
            messages.error(request, mailbox.last_error)
        else:
            words = ngettext("%(n)s new email was stored.", "%(n)s new emails were stored.", stored)
            messages.success(request, words % {"n": stored})
        return redirect("admin:campaigns_mailbox_change", pk)


class WebhookForm(forms.ModelForm):
    new_secret = _secret_field(f"{WRITE_ONLY} {MailWebhook._meta.get_field('secret').help_text}")

    class Meta:
        model = MailWebhook
        fields = ("account", "name", "provider", "is_active")

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        secret = given.get("new_secret", "")
        if not secret and not self.instance.secret:
            self.add_error("new_secret", _("Without a secret nobody can prove a call."))
        if secret and given.get("provider") == MailWebhook.Provider.GENERIC and len(secret) < SHORTEST_SECRET:
            self.add_error("new_secret", _("Use at least %(n)s random characters.") % {"n": SHORTEST_SECRET})
        return given

    def save(self, commit: bool = True) -> MailWebhook:
        if self.cleaned_data["new_secret"]:
            self.instance.secret = self.cleaned_data["new_secret"]
        webhook: MailWebhook = super().save(commit)
        return webhook


@admin.register(MailWebhook)
class MailWebhookAdmin(ModelAdmin):
    form = WebhookForm
    fields = ("account", "name", "provider", "new_secret", "is_active", "addresses")
    readonly_fields = ("addresses",)
    list_display = ("name", "provider", "account", "is_active", "called")
    list_filter = ("provider", "is_active", "account")
    list_select_related = ("account",)
    search_fields = ("name",)
    show_full_result_count = False

    @display(description="Addresses to give the provider")  # type: ignore[untyped-decorator]
    def addresses(self, webhook: MailWebhook) -> str:
        if not webhook.pk:
            return _("They are shown once this is saved.")
        names = ("webhook-bounce", "webhook-inbound")
        return " · ".join(
            f"{settings.PUBLIC_BASE_URL}{reverse(name, args=[webhook.provider])}" for name in names
        )

    @display(description="Last called")  # type: ignore[untyped-decorator]
    def called(self, webhook: MailWebhook) -> str:
        return moment(webhook.last_called_at)
