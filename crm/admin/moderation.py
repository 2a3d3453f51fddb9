"""Rules of moderation, a vendor's part in it, and what both found."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from config.api.audit import record
from config.api.models import AuditEntry
from crm.admin.object_ids import CheckedIdsAdmin
from crm.admin.records import RecordAdmin
from crm.models import ModerationByVendor, ModerationFlag, ModerationRule

COLOURS = {"refuse": "danger", "mask": "warning", "flag": "info"}


class AuditedAdmin(CheckedIdsAdmin):
    """Who changed what is said to be unfit."""

    show_full_result_count = False
    list_per_page = 50

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        self._noted(request, obj, "change" if change else "add")

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self._noted(request, obj, "delete")
        super().delete_model(request, obj)

    def _noted(self, request: HttpRequest, row: Any, done: str) -> None:
        what = f"{done} {self.model._meta.verbose_name}"
        staff, name = AuditEntry.ActorKind.STAFF, request.user.get_username()
        record(row.account, staff, name, what, target=row, request=request)


@admin.register(ModerationRule)
class ModerationRuleAdmin(AuditedAdmin):
    list_display = ("name", "account", "persona", "shown_action", "sides", "is_active")
    list_filter = (("account", RelatedDropdownFilter), ("action", ChoicesDropdownFilter), "is_active")
    list_select_related = ("account", "persona")
    search_fields = ("name", "patterns")
    ordering = ("account_id", "id")
    fields = ("account", "persona", "name", "patterns", "sides", "action", "is_active")
    autocomplete_fields = ("persona",)

    @display(description=_("Action"), label=COLOURS, ordering="action")  # type: ignore[untyped-decorator]
    def shown_action(self, rule: ModerationRule) -> tuple[str, str]:
        return rule.action, rule.get_action_display()


@admin.register(ModerationByVendor)
class ModerationByVendorAdmin(AuditedAdmin):
    list_display = ("account", "provider", "action", "checks_input", "checks_output", "on_failure")
    list_select_related = ("account",)
    ordering = ("account_id",)
    fields = (
        "account",
        "provider",
        "checks_input",
        "checks_pictures",
        "checks_output",
        "action",
        "on_failure",
    )


@admin.register(ModerationFlag)
class ModerationFlagAdmin(RecordAdmin):
    list_display = ("excerpt", "found_by", "shown_action", "side", "account", "created_at")
    list_filter = (
        ("action", ChoicesDropdownFilter),
        ("side", ChoicesDropdownFilter),
        ("message__conversation__account", RelatedDropdownFilter),
    )
    list_select_related = ("message__conversation__account",)
    ordering = ("-id",)
    fields = ("excerpt", "found_by", "action", "side", "talk", "created_at")
    readonly_fields = ("talk",)

    @display(description=_("Action"), label=COLOURS, ordering="action")  # type: ignore[untyped-decorator]
    def shown_action(self, flag: ModerationFlag) -> tuple[str, str]:
        return flag.action, flag.get_action_display()

    @display(description=_("Account"))  # type: ignore[untyped-decorator]
    def account(self, flag: ModerationFlag) -> str:
        return str(flag.message.conversation.account)

    @display(description=_("Conversation"))  # type: ignore[untyped-decorator]
    def talk(self, flag: ModerationFlag) -> str:
        address = reverse("admin:crm_conversation_transcript", args=[flag.message.conversation_id])
        where = f"{address}?message={flag.message.seq}#m{flag.message.seq}"
        return format_html('<a href="{}">{}</a>', where, _("Read it in its conversation"))
