"""Accounts, keys and the audit trail in the admin."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin
from unfold.decorators import display

from config.api import audit
from config.api.models import Account, ApiKey, AuditEntry

STATE_COLOURS = {"usable": "success", "revoked": "danger", "expired": "warning"}


@admin.register(Account)
class AccountAdmin(ModelAdmin):
    list_display = ["name", "slug", "language", "time_zone", "created_at"]
    search_fields = ["name", "slug"]
    show_full_result_count = False

    def get_readonly_fields(self, request: HttpRequest, obj: Account | None = None) -> list[str]:
        # Labels of chat sessions and the marketing API's paths hold the slug.
        return ["slug", "created_at"] if obj else ["created_at"]

    def has_delete_permission(self, request: HttpRequest, obj: Account | None = None) -> bool:
        """All that an account has would go with it."""
        return False


@admin.register(ApiKey)
class ApiKeyAdmin(ModelAdmin):
    list_display = ["name", "account", "hint", "state", "last_used_at", "expires_at", "created_at"]
    list_filter = ["account"]
    list_select_related = ["account"]
    search_fields = ["name", "hint", "account__slug"]
    fields = ["account", "name", "scopes", "expires_at", "hint", "last_used_at", "revoked_at"]
    readonly_fields = ["hint", "last_used_at", "revoked_at"]
    actions = ["revoke_keys"]
    show_full_result_count = False

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

    def save_model(self, request: HttpRequest, obj: ApiKey, form: ModelForm, change: bool) -> None:
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
