"""Accounts, keys and the audit trail in the admin."""

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminColorInputWidget, UnfoldAdminSelect2Widget, UnfoldAdminSelectWidget

from config.api import audit
from config.api.models import Account, ApiKey, AuditEntry
from config.api.permissions import SCOPES, unknown_scopes

STATE_COLOURS = {"usable": "success", "revoked": "danger", "expired": "warning"}


class AccountForm(forms.ModelForm):
    """Languages and time zones that exist; what a row had before stays a choice."""

    class Meta:
        model = Account
        fields = (
            "slug",
            "name",
            "accent",
            "language",
            "time_zone",
            "page_size",
            "email_cap",
            "email_cap_days",
            "postal_line",
            "privacy_contact",
        )
        widgets = {"accent": UnfoldAdminColorInputWidget}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._choose("language", list(settings.LANGUAGES), UnfoldAdminSelectWidget)
        zones = [(zone, zone.replace("_", " ")) for zone in sorted(available_timezones())]
        self._choose("time_zone", zones, UnfoldAdminSelect2Widget)

    def _choose(self, name: str, choices: list[tuple[str, str]], widget: type[forms.Select]) -> None:
        field, had = self.fields[name], getattr(self.instance, name)
        known = choices if had in dict(choices) else [(had, had), *choices]
        self.fields[name] = forms.ChoiceField(
            choices=known, widget=widget, label=field.label, help_text=field.help_text, initial=had
        )


@admin.register(Account)
class AccountAdmin(ModelAdmin):
    form = AccountForm
    list_display = ["name", "slug", "language", "time_zone", "created_at"]
    search_fields = ["name", "slug"]
    show_full_result_count = False

    def get_readonly_fields(self, request: HttpRequest, obj: Account | None = None) -> list[str]:
        # Labels of chat sessions and the marketing API's paths hold the slug.
        return ["slug", "created_at"] if obj else []

    def has_delete_permission(self, request: HttpRequest, obj: Account | None = None) -> bool:
        """All that an account has would go with it."""
        return False


class ApiKeyForm(forms.ModelForm):
    """Says which scopes there are, and takes no other: a key with a slip in it would open nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["scopes"].help_text = _('A list; ["*"] is every scope. There are: %(known)s.') % {
            "known": ", ".join(SCOPES)
        }

    def clean_scopes(self) -> Any:
        scopes = self.cleaned_data["scopes"]
        words = [word for word in scopes if isinstance(word, str)] if isinstance(scopes, list) else []
        # A row that had one before, as of an older release, may keep it.
        known = {*self.instance.scopes, ""}
        unknown = [word for word in unknown_scopes(words) if word.strip() not in known]
        if unknown:
            text = _("There is no scope “%(word)s”. There are: %(known)s.")
            raise forms.ValidationError(text % {"word": unknown[0], "known": ", ".join(SCOPES)})
        return scopes


@admin.register(ApiKey)
class ApiKeyAdmin(ModelAdmin):
    form = ApiKeyForm
    list_display = ["name", "account", "hint", "state", "last_used_at", "expires_at", "created_at"]
    list_filter = ["account"]
    list_select_related = ["account"]
    search_fields = ["name", "hint", "account__slug"]
    readonly_fields = ["hint", "last_used_at", "revoked_at"]
    actions = ["revoke_keys"]
    show_full_result_count = False

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> list[str]:
        given = ["account", "name", "scopes", "expires_at"]
        return [*given, *self.readonly_fields] if obj else given

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"scopes": ["*"], **super().get_changeform_initial_data(request)}

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> list[str]:
        return [*self.readonly_fields, "account"] if obj else list(self.readonly_fields)

    @display(description=_("State"), label=STATE_COLOURS)  # type: ignore[untyped-decorator]
    def state(self, row: ApiKey) -> tuple[str, Any]:
        if row.revoked_at:
            return "revoked", _("Revoked")
        expired = row.expires_at is not None and row.expires_at <= timezone.now()
        return ("expired", _("Expired")) if expired else ("usable", _("Usable"))

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        """A revoked key stays, so that the audit trail can name it."""
        return False

    def save_model(self, request: HttpRequest, obj: ApiKey, form: forms.ModelForm, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        key = obj.new_key()
        super().save_model(request, obj, form, change)
        record(request, obj, "made API key")
        shown = _("The key is %(key)s. Copy it now: it cannot be shown again.") % {"key": key}
        self.message_user(request, shown, messages.WARNING)

    @admin.action(description=_("Revoke the chosen keys: calls with them are refused from now on"))
    def revoke_keys(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        revoked = [row for row in queryset.select_related("account") if row.revoke()]
        for row in revoked:
            record(request, row, "revoked API key")
        count = len(revoked)
        self.message_user(request, ngettext("%d key revoked.", "%d keys revoked.", count) % count)


def record(request: HttpRequest, key: ApiKey, action: str) -> None:
    audit.record(key.account, AuditEntry.ActorKind.STAFF, request.user.get_username(), action, target=key)


@admin.register(AuditEntry)
class AuditEntryAdmin(ModelAdmin):
    """To read only: whoever could change the record could hide what they did."""

    list_display = ["at", "actor", "actor_kind", "action", "target_kind", "target_id", "account"]
    list_filter = ["actor_kind", "account"]
    list_select_related = ["account"]
    search_fields = ["actor", "action", "target_id", "request_id"]
    ordering = ["-at", "-id"]
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: AuditEntry | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: AuditEntry | None = None) -> bool:
        return False


class ArrivedAdmin(ModelAdmin):
    """Rows that came from outside: nobody adds one by hand, and erasure alone takes one away."""

    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
