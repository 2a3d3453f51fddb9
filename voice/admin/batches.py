"""Call batches in the admin: the list, the form, how far each has come, and the people in it."""

from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import action, display

from config.api.audit import record
from crm.admin.object_ids import CheckedIdsAdmin
from crm.admin.records import RecordAdmin
from crm.contacts import uuid_of
from voice import audience, batches, outcomes
from voice.admin import batch_moves, batch_people
from voice.admin.pages import STATE_COLOURS, must
from voice.models import CallBatch, Callee

CALLEE_COLOURS = {
    "waiting": "default",
    "claimed": "info",
    "calling": "info",
    "unknown": "danger",
    "done": "success",
    "skipped": "warning",
    "cancelled": "default",
}


class BatchForm(forms.ModelForm):
    def clean_calls_at_once(self) -> int:
        value: int = self.cleaned_data["calls_at_once"]
        if value > settings.BATCH_CALLS_AT_ONCE:
            raise forms.ValidationError(_("At most %(n)s.") % {"n": settings.BATCH_CALLS_AT_ONCE})
        return value


@admin.register(CallBatch)
class CallBatchAdmin(CheckedIdsAdmin):
    form = BatchForm
    list_display = ("name", "account", "state_label", "state_reason", "created_at")
    list_filter = (("account", RelatedDropdownFilter), ("state", ChoicesDropdownFilter))
    list_filter_submit = True
    list_select_related = ("account",)
    search_fields = ("name",)
    search_help_text = _l("Name")
    show_full_result_count = False
    list_per_page = 50
    ordering = ("-created_at", "-id")
    autocomplete_fields = ("account",)
    change_form_outer_before_template = "admin/voice/batch_facts.html"
    fields = ("account", "name", ("company", "position"), ("calls_at_once", "pause_after"))

    @display(description=_l("State"), label=STATE_COLOURS, ordering="state")  # type: ignore[untyped-decorator]
    def state_label(self, batch: CallBatch) -> tuple[str, str]:
        return batch.state, batch.get_state_display()

    def get_readonly_fields(self, request: HttpRequest, obj: CallBatch | None = None) -> tuple[str, ...]:
        if obj is None:
            return ()
        is_over = obj.state not in batches.GROWING
        return (
            ("account", "name", "company", "position", "calls_at_once", "pause_after")
            if is_over
            else ("account",)
        )

    def has_delete_permission(self, request: HttpRequest, obj: CallBatch | None = None) -> bool:
        is_draft = obj is None or obj.state == CallBatch.State.DRAFT
        return is_draft and bool(super().has_delete_permission(request, obj))

    def get_actions(self, request: HttpRequest) -> Any:
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)  # only drafts go, and one at a time
        return actions

    def save_model(self, request: HttpRequest, obj: CallBatch, form: forms.ModelForm, change: Any) -> None:
        """Only what was changed, so that a state that moved meanwhile is not written back."""
        if not change:
            obj.created_by = request.user.get_username()[:150]
            super().save_model(request, obj, form, change)
        elif form.changed_data:
            obj.save(update_fields=form.changed_data)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        key = uuid_of(object_id) if object_id else None
        found = CallBatch.objects.filter(pk=key).first() if key else None
        more = facts(found) if found is not None else {}
        return super().changeform_view(request, object_id, form_url, {**(extra_context or {}), **more})

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(
                "<uuid:pk>/progress.json",
                self.admin_site.admin_view(self.figures),
                name="voice_callbatch_progress",
            ),
            *batch_moves.urls(self),
            *batch_people.urls(self),
        ]
        return [*own, *super().get_urls()]

    def batch(self, request: HttpRequest, pk: UUID, *, change: bool = True) -> CallBatch:
        """The batch, for those who may see or change it; others are refused."""
        found = get_object_or_404(CallBatch.objects.select_related("account"), pk=pk)
        check = self.has_change_permission if change else self.has_view_permission
        must(check(request, found))
        return found

    def figures(self, request: HttpRequest, pk: UUID) -> JsonResponse:
        batch = self.batch(request, pk, change=False)
        found = batches.progress([batch.pk])[batch.pk]
        names = (
            "people",
            "waiting",
            "in_progress",
            "unknown",
            "done",
            "skipped",
            "cancelled",
            "booked",
            "percent",
        )
        state = {
            "state": batch.state,
            "label": batch.get_state_display(),
            "reason": batch.state_reason,
            "is_live": batch.state == CallBatch.State.RUNNING or bool(found.in_progress),
        }
        return JsonResponse({**state, **{name: getattr(found, name) for name in names}})


def facts(batch: CallBatch) -> dict[str, Any]:
    """What the page shows of a batch beside its form."""
    figures = batches.progress([batch.pk])[batch.pk]
    came_of_it = [(outcomes.in_words(name), count) for name, count in figures.outcomes.items()]
    skipped = [(audience.in_words(reason), count) for reason, count in figures.skipped_why.items()]
    return {
        "batch": batch,
        "figures": figures,
        "skipped_why": sorted(skipped, key=lambda one: -one[1]),
        "outcomes": sorted(came_of_it, key=lambda one: -one[1]),
        "moves": batch_moves.offered(batch),
        "colour": STATE_COLOURS[batch.state],
        "may_grow": batch.state in batches.GROWING,
        "wants_people": not figures.people and batch.state == CallBatch.State.DRAFT,
    }


class OfBatchFilter(admin.SimpleListFilter):
    """The newest batches, and the one that is chosen: there may be thousands."""

    title, parameter_name = _l("call batch"), "batch__id__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        chosen = uuid_of(request.GET.get(self.parameter_name, ""))
        newest = CallBatch.objects.order_by("-created_at", "-id").values_list("pk", flat=True)[:20]
        rows = CallBatch.objects.filter(pk__in=[*newest, *([chosen] if chosen else [])])
        return [(str(pk), name) for pk, name in rows.order_by("-created_at").values_list("pk", "name")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        return queryset.filter(batch=uuid_of(value)) if value else queryset


@admin.register(Callee)
class CalleeAdmin(RecordAdmin):
    list_display = (
        "contact",
        "batch",
        "state_label",
        "next_at",
        "called_at",
        "shown_outcome",
        "shown_reason",
    )
    list_filter = (OfBatchFilter, ("state", ChoicesDropdownFilter))
    list_select_related = ("contact", "batch")
    search_fields = ("contact__name",)
    search_help_text = _l("Name")
    ordering = ("-id",)
    actions = ("call_again", "leave_it")

    @display(description=_l("State"), label=CALLEE_COLOURS, ordering="state")  # type: ignore[untyped-decorator]
    def state_label(self, callee: Callee) -> tuple[str, str]:
        return callee.state, callee.get_state_display()

    @display(description=_l("Outcome"), ordering="outcome")  # type: ignore[untyped-decorator]
    def shown_outcome(self, callee: Callee) -> str:
        return outcomes.in_words(callee.outcome) or "–"

    @display(description=_l("Why not called"))  # type: ignore[untyped-decorator]
    def shown_reason(self, callee: Callee) -> str:
        return audience.in_words(callee.reason) if callee.reason else "–"

    @action(description=_l("Unknown: call again; it may have rung"), permissions=["change"])  # type: ignore[untyped-decorator]
    def call_again(self, request: HttpRequest, queryset: QuerySet[Callee]) -> None:
        self._decide(request, queryset, again=True)

    @action(description=_l("Unknown: leave it at that"), permissions=["change"])  # type: ignore[untyped-decorator]
    def leave_it(self, request: HttpRequest, queryset: QuerySet[Callee]) -> None:
        self._decide(request, queryset, again=False)

    def _decide(self, request: HttpRequest, queryset: QuerySet[Callee], *, again: bool) -> None:
        unknown = queryset.filter(state=Callee.State.UNKNOWN).select_related("batch__account")
        decided = [one for one in unknown if batches.decide(one, again=again)]
        for one in decided:
            who = request.user.get_username()
            record(one.batch.account, "staff", who, "decided about unknown call", target=one.batch)
        count = len(decided)
        words = ngettext("Decided about %d person.", "Decided about %d people.", count) % count
        (messages.success if count else messages.warning)(request, words)
