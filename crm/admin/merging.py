"""Duplicates: pairs of contacts that may be one person, side by side; staff merge, dismiss, or undo."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import action, display

from crm import merging
from crm.admin.records import RecordAdmin
from crm.merging import FACTS, Choice, MergeRefused
from crm.models import Contact, ContactMerge

State = ContactMerge.State
COLOURS = {
    State.PROPOSED: "warning",
    State.MERGED: "success",
    State.UNDONE: "info",
    State.DISMISSED: "danger",
}
LABELS = {
    "name": _("Name"),
    "company": _("Company"),
    "role": _("Role"),
    "language": _("Language"),
    "time_zone": _("Time zone"),
}


class PairForm(forms.ModelForm):
    class Meta:
        model = ContactMerge
        fields = ("kept", "removed")
        labels = {"kept": _("This contact stays"), "removed": _("This one becomes part of it")}

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        kept, removed = given.get("kept"), given.get("removed")
        if kept is None or removed is None:
            return given
        if kept == removed:
            raise forms.ValidationError(_("Choose two different contacts."))
        if kept.account_id != removed.account_id:
            raise forms.ValidationError(_("These contacts belong to different accounts."))
        return given


@admin.register(ContactMerge)
class ContactMergeAdmin(RecordAdmin):
    """Its change page is the pair, side by side."""

    form = PairForm
    fields = autocomplete_fields = ("kept", "removed")
    list_display = (
        "__str__",
        "account",
        "shown_reasons",
        "shown_state",
        "decided_by",
        "proposed_at",
        "merged_at",
    )
    list_filter = (("account", RelatedDropdownFilter), ("state", ChoicesDropdownFilter))
    list_select_related = ("account", "kept", "removed")
    search_fields = (
        "kept__name",
        "removed__name",
        "kept__addresses__value",
        "removed__addresses__value",
    )
    search_help_text = _("Name, email or phone of either")
    ordering = ("-proposed_at",)
    actions = ("dismiss_pairs",)

    @display(description=_("Why"))  # type: ignore[untyped-decorator]
    def shown_reasons(self, row: ContactMerge) -> str:
        return ", ".join(reasons_of(row)) or "–"

    @display(description=_("State"), label=COLOURS, ordering="state")  # type: ignore[untyped-decorator]
    def shown_state(self, row: ContactMerge) -> tuple[str, str]:
        return row.state, row.get_state_display()

    @action(description=_("Dismiss: each of these pairs is two people"), permissions=["change"])  # type: ignore[untyped-decorator]
    def dismiss_pairs(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        by = request.user.get_username()
        count = sum(merging.dismiss(key, by=by) for key in queryset.values_list("pk", flat=True))
        messages.success(
            request, ngettext("%d pair was dismissed.", "%d pairs were dismissed.", count) % count
        )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(super(RecordAdmin, self).has_add_permission(request))

    def save_model(self, request: HttpRequest, obj: ContactMerge, form: Any, change: bool) -> None:
        """A pair that staff name is a proposal like any other; one that exists already is shown again."""
        ContactMerge.propose([(obj.kept, obj.removed, [ContactMerge.Reason.STAFF])])
        obj.pk = ContactMerge.objects.get(pair=ContactMerge.pair_of(obj.kept_id, obj.removed_id)).pk

    def response_add(
        self, request: HttpRequest, obj: ContactMerge, post_url_continue: Any = None
    ) -> HttpResponse:
        return redirect("admin:crm_contactmerge_change", obj.pk)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        row = self._pair(object_id)
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        may_decide = request.user.has_perm("crm.change_contactmerge")
        if request.method == "POST":
            if not may_decide:
                raise PermissionDenied
            self._decide(request, row)
            return redirect("admin:crm_contactmerge_change", row.pk)
        context = {
            **self.admin_site.each_context(request),
            **side_by_side(row),
            "title": _("One person or two?"),
            "opts": self.model._meta,
            "may_decide": may_decide,
        }
        return TemplateResponse(request, "admin/crm/merge.html", context)

    def _pair(self, object_id: str) -> ContactMerge:
        rows = ContactMerge.objects.select_related("account", "kept", "removed")
        row: ContactMerge | None = rows.filter(pk=object_id).first()
        if row is None:
            raise Http404
        return row

    def _decide(self, request: HttpRequest, row: ContactMerge) -> None:
        """What the buttons mean. A refusal is told in words, and nothing has changed."""
        by, wanted = request.user.get_username(), request.POST.get("decision", "")
        try:
            if wanted == "merge":
                merging.merge(row.pk, choice_in(request.POST, row), by=by)
                messages.success(request, _("They are one contact now. This can be undone for 30 days."))
            elif wanted == "undo":
                merging.undo(row.pk, by=by)
                messages.success(request, _("They are two contacts again, each with what was theirs."))
            elif wanted == "dismiss" and merging.dismiss(row.pk, by=by):
                messages.success(request, _("This pair is not proposed again."))
            else:
                messages.warning(request, _("Nothing was changed."))
        except MergeRefused as refusal:
            messages.error(request, str(refusal))


def choice_in(form: Any, row: ContactMerge) -> Choice:
    """Who stays, and of which facts the value of the other one is wanted."""
    stays = row.removed if form.get("stays") == str(row.removed_id) else row.kept
    chosen = {name: form.get(f"fact_{name}", "") for name in FACTS}
    return Choice(
        kept_id=stays.pk,
        taken_from_other=frozenset(name for name, key in chosen.items() if key and key != str(stays.pk)),
    )


def reasons_of(row: ContactMerge) -> list[str]:
    known: dict[str, Any] = dict(ContactMerge.Reason.choices)
    return [str(known[reason]) for reason in row.reasons if reason in known]


def side_by_side(row: ContactMerge) -> dict[str, Any]:
    pair = (row.kept, row.removed)
    return {
        "row": row,
        "reasons": reasons_of(row),
        "colour": COLOURS[State(row.state)],
        "pair": [_shown(contact) for contact in pair],
        "facts": [_fact(name, *pair) for name in FACTS],
        "is_open": row.state != State.MERGED,
        "can_be_undone": merging.can_be_undone(row),
        "conflicts": row.conflicts,
    }


def _shown(contact: Contact) -> dict[str, Any]:
    return {
        "contact": contact,
        "addresses": list(contact.addresses.all()),
        "counts": merging.counted(contact),
    }


def _fact(name: str, first: Contact, second: Contact) -> dict[str, Any]:
    values = [{"key": str(contact.pk), "value": getattr(contact, name)} for contact in (first, second)]
    differ = all(value["value"] for value in values) and values[0]["value"] != values[1]["value"]
    return {"name": name, "label": LABELS[name], "values": values, "differ": differ}
