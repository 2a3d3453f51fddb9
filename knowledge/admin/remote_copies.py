"""Copies at vendors: where each stands, and what staff may do about it."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from knowledge import remote
from knowledge.models import RemoteCopy

State = RemoteCopy.State
STATE_COLOURS = {
    State.WAITING: "info",
    State.PARSED: "info",
    State.TRAINED: "success",
    State.FAILED: "danger",
    State.LEAVING: "warning",
}


@admin.register(RemoteCopy)
class RemoteCopyAdmin(ModelAdmin):
    list_display = ["document", "account", "remote_id", "state_label", "attempts", "error", "trained_at"]
    list_filter = [("state", ChoicesDropdownFilter), ("account", RelatedDropdownFilter)]
    list_filter_submit = True
    list_select_related = ["document", "account"]
    search_fields = ["document__title", "document__filename", "remote_id"]
    ordering = ["-created_at", "-id"]
    show_full_result_count = False
    actions = ["repeat", "take_away"]
    fields = [
        "document",
        "account",
        "remote",
        "remote_id",
        "checksum",
        "state",
        "error",
        "attempts",
        "not_before",
        "lease_until",
        "train_begun_at",
        "trained_at",
        "names",
        "answer",
        "created_at",
    ]
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[RemoteCopy]:
        return super().get_queryset(request).defer("parts", "document__given_sections")

    @display(description=_("State"), label=STATE_COLOURS, ordering="state")  # type: ignore[untyped-decorator]
    def state_label(self, copy: RemoteCopy) -> tuple[str, str]:
        return copy.state, copy.get_state_display()

    @admin.action(description=_("Repeat what failed"), permissions=["change"])
    def repeat(self, request: HttpRequest, queryset: QuerySet[RemoteCopy]) -> None:
        count = remote.repeat(queryset.order_by())
        text = ngettext("%d copy goes on where it was.", "%d copies go on where they were.", count)
        self.message_user(request, text % count, messages.SUCCESS if count else messages.WARNING)

    @admin.action(description=_("Take away where the collection no longer goes"), permissions=["change"])
    def take_away(self, request: HttpRequest, queryset: QuerySet[RemoteCopy]) -> None:
        copies = queryset.select_related("document__collection").defer("parts", "document__given_sections")
        count = remote.take_away(copies)
        text = ngettext("%d copy is being taken away.", "%d copies are being taken away.", count)
        self.message_user(request, text % count, messages.SUCCESS if count else messages.WARNING)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: RemoteCopy | None = None) -> bool:
        # A row that is gone could no longer take away what is there.
        return False
