"""Guides: their questions in the order they are asked, and the first page as a person will see it."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.admin import StackedInline
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget

from crm.admin.object_ids import CheckedIdsAdmin
from interviews.guides import bump_version, check_question
from interviews.models import Guide, Question
from personas import speaking


class LinesField(forms.CharField):
    """A list of texts, written one on each line."""

    widget = UnfoldAdminTextareaWidget(attrs={"rows": 3})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        lines = super().clean(value).splitlines()
        return [line.strip() for line in lines if line.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool((initial or []) != self.clean(data or ""))


class QuestionForm(forms.ModelForm):
    choices = LinesField(required=False, label=_("Choices"), help_text=_("One on each line."))
    probes = LinesField(
        required=False, label=_("Follow-ups"), help_text=_("In your own words, one on each line, in order.")
    )

    class Meta:
        model = Question
        fields = ("key", "topic", "text", "kind", "choices", "must_ask", "probe_depth", "probes", "position")
        widgets = {"text": UnfoldAdminTextareaWidget(attrs={"rows": 2})}

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        check_question(data.get("kind", ""), data.get("choices", []), data.get("probes", []))
        return data


class QuestionInline(StackedInline):
    model = Question
    form = QuestionForm
    extra = 0
    min_num = 1
    ordering_field = "position"
    hide_ordering_field = True
    show_change_link = False
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("topic", "key"),
                    "text",
                    ("kind", "must_ask", "probe_depth"),
                    "choices",
                    "probes",
                    "position",
                )
            },
        ),
    )


class GuideForm(forms.ModelForm):
    class Meta:
        model = Guide
        fields = (
            "account",
            "name",
            "goal",
            "persona",
            "language",
            "is_active",
            "welcome",
            "consent_text",
            "consent_version",
            "closing",
            "minutes",
            "order",
            "link_days",
            "max_turns",
            "max_minutes",
            "forbidden_topics",
            "collection",
            "redacts_personal_data",
        )
        widgets = {
            name: UnfoldAdminTextareaWidget(attrs={"rows": 3})
            for name in ("goal", "welcome", "consent_text", "closing", "forbidden_topics")
        }

    def clean(self) -> dict[str, Any]:
        """Persona and collection must be the account's own: staff see those of all accounts."""
        data = super().clean() or self.cleaned_data
        account = data.get("account")
        for name in ("persona", "collection"):
            chosen = data.get(name)
            if account and chosen and chosen.account_id != account.pk:
                self.add_error(name, ValidationError(_("This belongs to another account.")))
        return data


@admin.register(Guide)
class GuideAdmin(CheckedIdsAdmin):
    form = GuideForm
    inlines = (QuestionInline,)
    list_display = (
        "name",
        "account",
        "persona",
        "question_count",
        "interview_count",
        "version",
        "is_live",
        "created_at",
    )
    list_filter = ("is_active", ("account", AutocompleteSelectFilter), "language")
    list_filter_submit = True
    list_select_related = ("account", "persona")
    list_per_page = 50
    show_full_result_count = False
    search_fields = ("name", "goal")
    autocomplete_fields = ("account", "persona", "collection")
    readonly_fields = ("version", "preview", "created_at", "updated_at")
    fieldsets = (
        (None, {"fields": ("account", "name", "goal", ("persona", "language"), ("is_active", "version"))}),
        (
            _("What the person reads"),
            {"fields": ("welcome", "consent_text", "consent_version", "closing", "minutes")},
        ),
        (
            _("How it runs"),
            {
                "fields": (
                    ("order", "link_days"),
                    ("max_turns", "max_minutes"),
                    "forbidden_topics",
                    "collection",
                    "redacts_personal_data",
                )
            },
        ),
        (_("The first page, as the person sees it"), {"fields": ("preview",)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Guide]:
        counts = {
            "questions_count": Count("questions", distinct=True),
            "interviews_count": Count("interviews", distinct=True),
        }
        return super().get_queryset(request).annotate(**counts)

    def has_delete_permission(self, request: HttpRequest, obj: Guide | None = None) -> bool:
        used = obj is not None and obj.interviews.exists()
        return not used and super().has_delete_permission(request, obj)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        if change and (form.has_changed() or any(formset.has_changed() for formset in formsets)):
            bump_version(form.instance)

    @display(description=_("Questions"), ordering="questions_count")  # type: ignore[untyped-decorator]
    def question_count(self, guide: Any) -> int:
        return int(guide.questions_count)

    @display(description=_("Interviews"), ordering="interviews_count")  # type: ignore[untyped-decorator]
    def interview_count(self, guide: Any) -> int:
        return int(guide.interviews_count)

    @display(description=_("State"), label={"active": "success", "off": "warning"}, ordering="is_active")  # type: ignore[untyped-decorator]
    def is_live(self, guide: Guide) -> tuple[str, str]:
        return ("active", str(_("Active"))) if guide.is_active else ("off", str(_("Not active")))

    @display(description=_("Preview"))  # type: ignore[untyped-decorator]
    def preview(self, guide: Guide) -> SafeString | str:
        if guide.pk is None or guide.account_id is None:
            return str(_("Save the guide to see it."))
        values = {"guide": guide, "offline": not speaking.has_model(guide.persona)}
        return render_to_string("admin/interviews/guide/preview.html", values)
