"""Suppressions, capability links and erasures: records that staff look at, and hardly change."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import action, display

from crm import consent
from crm.admin.object_ids import CheckedIdsAdmin
from crm.links import is_in_force
from crm.models import AccessLink, Erasure, Suppression


class RecordAdmin(CheckedIdsAdmin):
    """Rows that code writes."""

    show_full_result_count = False
    list_filter_submit = True
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Suppression)
class SuppressionAdmin(RecordAdmin):
    list_display = ("hint", "account", "channel", "shown_reason", "purpose", "at", "lifted_at")
    list_filter = (
        ("account", RelatedDropdownFilter),
        ("channel", ChoicesDropdownFilter),
        ("reason", ChoicesDropdownFilter),
    )
    list_select_related = ("account",)
    search_fields = ("hint",)
    search_help_text = _("A whole email address or phone number, or a part of the hint")
    ordering = ("-at",)
    actions = ("lift_suppressions",)

    @display(
        description=_("Reason"), label={"legal": "danger", "complaint": "danger", "hard_bounce": "warning"}
    )  # type: ignore[untyped-decorator]
    def shown_reason(self, row: Suppression) -> tuple[str, str]:
        return row.reason, row.get_reason_display()

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> Any:
        """Only digests are kept: a whole address is found by its own."""
        found, distinct = super().get_search_results(request, queryset, search_term)
        if search_term:
            digests = {consent.address_digest(channel, search_term) for channel in ("email", "phone")}
            found = found | queryset.filter(address_digest__in=digests)
        return found, distinct

    @action(description=_("Lift: these addresses may be written to again"), permissions=["change"])  # type: ignore[untyped-decorator]
    def lift_suppressions(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Those by law or for an erased person stay."""
        kept = (Suppression.Reason.LEGAL, Suppression.Reason.ERASED, Suppression.Reason.COMPLAINT)
        count = queryset.filter(lifted_at=None).exclude(reason__in=kept).update(lifted_at=timezone.now())
        words = ngettext("%d suppression was lifted.", "%d suppressions were lifted.", count) % count
        messages.success(request, words)


@admin.register(AccessLink)
class AccessLinkAdmin(RecordAdmin):
    list_display = (
        "contact",
        "account",
        "purpose",
        "standing",
        "created_at",
        "first_opened_at",
        "expires_at",
    )
    list_filter = (("account", RelatedDropdownFilter), ("purpose", ChoicesDropdownFilter))
    list_select_related = ("account", "contact")
    search_fields = ("contact__name", "contact__addresses__value")
    search_help_text = _("Name, email or phone")
    ordering = ("-created_at",)
    exclude = ("digest", "subject")
    actions = ("revoke_links",)

    @display(
        description=_("Standing"),
        label={_("in force"): "success", _("revoked"): "danger", _("expired"): "warning"},
    )  # type: ignore[untyped-decorator]
    def standing(self, link: AccessLink) -> str:
        if link.revoked_at is not None:
            return str(_("revoked"))
        return str(_("in force") if is_in_force(link) else _("expired"))

    @action(description=_("Revoke these links"), permissions=["change"])  # type: ignore[untyped-decorator]
    def revoke_links(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        count = queryset.filter(revoked_at=None).update(revoked_at=timezone.now())
        messages.success(request, ngettext("%d link was revoked.", "%d links were revoked.", count) % count)


@admin.register(Erasure)
class ErasureAdmin(RecordAdmin):
    list_display = (
        "__str__",
        "account",
        "shown_state",
        "requested_by",
        "requested_at",
        "finished_at",
        "attempts",
    )
    list_filter = (("account", RelatedDropdownFilter), ("state", ChoicesDropdownFilter))
    list_select_related = ("account",)
    ordering = ("-requested_at",)

    @display(description=_("State"), label={"requested": "warning", "done": "success"})  # type: ignore[untyped-decorator]
    def shown_state(self, row: Erasure) -> tuple[str, str]:
        return row.state, row.get_state_display()
