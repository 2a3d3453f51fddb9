"""The builder's parts below a campaign: when emails may leave, what follows, and the A/B test."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from django.utils.dates import WEEKDAYS
from django.utils.timesince import TIME_STRINGS
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from unfold.admin import StackedInline, TabularInline
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
)

from campaigns import public_holidays
from campaigns.api.campaigns import EDITABLE
from campaigns.models import Campaign, EmailTemplate, Schedule, SplitTest, Step
from campaigns.models.schedules import EVERY_DAY, validate_holidays
from config.api.models import Account
from interviews.admin.guides import LinesField

MINUTE, HOUR, DAY = 1, 60, 24 * 60  # minutes
UNITS = ((DAY, _l("days")), (HOUR, _l("hours")), (MINUTE, _l("minutes")))


class DelayWidget(forms.MultiWidget):
    """A number and its unit."""

    def __init__(self) -> None:
        looks = {"class": "rc-delay"}
        number = UnfoldAdminIntegerFieldWidget(attrs={"min": 1, "aria-label": _l("Delay, number"), **looks})
        unit = UnfoldAdminSelectWidget(choices=UNITS, attrs={"aria-label": _l("Delay, unit"), **looks})
        super().__init__([number, unit])

    def decompress(self, value: Any) -> list[Any]:
        if not isinstance(value, int):
            return [None, DAY]
        unit = next(unit for unit, _label in UNITS if value % unit == 0)
        return [value // unit, unit]


class DelayField(forms.MultiValueField):
    """Minutes, written as a number of days, hours or minutes."""

    def __init__(self, **options: Any) -> None:
        most = timedelta(days=365)
        number = forms.IntegerField(min_value=1, max_value=most // timedelta(minutes=1))
        unit = forms.TypedChoiceField(choices=UNITS, coerce=int)
        super().__init__([number, unit], widget=DelayWidget(), **options)

    def compress(self, data_list: list[Any]) -> Any:
        return data_list[0] * data_list[1] if data_list else None


class WeekdaysField(forms.MultipleChoiceField):
    """Days of the week; kept as digits, 1 for Monday."""

    widget = UnfoldAdminCheckboxSelectMultipleWidget

    def __init__(self, **options: Any) -> None:
        super().__init__(choices=[(str(day + 1), WEEKDAYS[day]) for day in range(7)], **options)

    def prepare_value(self, value: Any) -> Any:
        return list(value) if isinstance(value, str) else value

    def clean(self, value: Any) -> Any:
        return "".join(sorted(super().clean(value)))

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(sorted(initial or "") != sorted(data or []))


class OwnTemplatesFormSet(BaseInlineFormSet):
    """Templates of another account are not taken."""

    template_field = "template"

    def clean(self) -> None:
        super().clean()
        account_id = self.instance.account_id
        for form in self.forms:
            chosen = getattr(form, "cleaned_data", {}).get(self.template_field)
            if chosen is not None and account_id and chosen.account_id != account_id:
                form.add_error(self.template_field, _("This belongs to another account."))


class _TemplateBFormSet(OwnTemplatesFormSet):
    template_field = "template_b"


class _OfCampaign:
    """What all parts share: they can be changed as long as the campaign can, and list its own templates."""

    in_words: Mapping[str, str] = {}  # field → what shows it where it can only be read

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        # Set by CampaignAdmin.get_form, which comes first.
        account: Account | None = getattr(request, "_campaign_account", None)
        if db_field.related_model is EmailTemplate and account is not None:
            options["queryset"] = EmailTemplate.objects.for_account(account)
        return super().formfield_for_foreignkey(db_field, request, **options)  # type: ignore[misc]

    def get_extra(self, request: HttpRequest, obj: Model | None = None, **options: Any) -> int:
        """No empty form where nothing can be added: of a one-to-one Django offers one all the same."""
        return super().get_extra(request, obj, **options) if _is_editable(obj) else 0  # type: ignore[misc]

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> Any:
        """What can only be read is said in words, not as it is stored."""
        fieldsets = super().get_fieldsets(request, obj)  # type: ignore[misc]
        if _is_editable(obj):
            return fieldsets
        return [
            (name, {**look, "fields": _renamed(look["fields"], self.in_words)}) for name, look in fieldsets
        ]

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return _is_editable(obj) and super().has_add_permission(request, obj)  # type: ignore[misc]

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return _is_editable(obj) and super().has_change_permission(request, obj)  # type: ignore[misc]

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return _is_editable(obj) and super().has_delete_permission(request, obj)  # type: ignore[misc]


def _renamed(fields: Any, names: Mapping[str, str]) -> list[Any]:
    """The fields of a fieldset, of which several may share a line, under these other names."""
    return [
        names.get(one, one) if isinstance(one, str) else [names.get(each, each) for each in one]
        for one in fields
    ]


def _is_editable(campaign: Model | None) -> bool:
    return campaign is None or getattr(campaign, "state", "") in EDITABLE


def countries_to_choose() -> list[tuple[str, Any]]:
    return [("", _l("No country")), *public_holidays.countries().items()]


class ScheduleForm(forms.ModelForm):
    weekdays = WeekdaysField(label=_l("Weekdays"), initial=EVERY_DAY)
    holidays = LinesField(
        required=False,
        label=_l("Holidays"),
        validators=[],
        help_text=_l("Days without emails, like 2026-12-25, one on each line."),
    )
    holiday_country = forms.ChoiceField(
        required=False,
        label=_l("Public holidays of"),
        widget=UnfoldAdminSelectWidget,
        choices=countries_to_choose,
        help_text=_l("Days without emails too, by each person's own clock."),
    )

    class Meta:
        model = Schedule
        fields = (
            "send_from",
            "send_until",
            "weekdays",
            "holidays",
            "holiday_country",
            "holiday_subdivision",
            "time_zone",
            "max_emails",
            "interval_minutes",
            "daily_at",
            "max_invitations_a_day",
            "repeats_last_step",
        )
        labels = {
            "send_from": _l("From"),
            "send_until": _l("Until"),
            "holiday_subdivision": _l("Part of the country"),
            "time_zone": _l("Time zone"),
            "max_emails": _l("Most emails to one person"),
            "interval_minutes": _l("Minutes between two emails"),
            "daily_at": _l("New people are invited at"),
            "max_invitations_a_day": _l("Most new people a day"),
            "repeats_last_step": _l("Repeat the last follow-up"),
        }

    def clean_holidays(self) -> Any:
        days = self.cleaned_data["holidays"]
        validate_holidays(days)
        return days


class ScheduleInline(_OfCampaign, StackedInline):
    in_words = {"weekdays": "weekdays_in_words", "holidays": "holidays_in_words"}
    readonly_fields = tuple(in_words.values())
    model = Schedule
    verbose_name = _l("Schedule")
    form = ScheduleForm
    extra, max_num = 1, 1
    verbose_name_plural = _l("When emails may leave")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("send_from", "send_until"),
                    "weekdays",
                    "holidays",
                    ("holiday_country", "holiday_subdivision"),
                    "time_zone",
                )
            },
        ),
        (
            _l("Limits"),
            {
                "fields": (
                    ("max_emails", "interval_minutes"),
                    ("daily_at", "max_invitations_a_day"),
                    "repeats_last_step",
                )
            },
        ),
    )

    @display(description=_l("Weekdays"))  # type: ignore[untyped-decorator]
    def weekdays_in_words(self, schedule: Schedule) -> str:
        if schedule.weekdays == EVERY_DAY:
            return _("Every day")
        return ", ".join(str(WEEKDAYS[int(day) - 1]) for day in schedule.weekdays)

    @display(description=_l("Holidays"))  # type: ignore[untyped-decorator]
    def holidays_in_words(self, schedule: Schedule) -> str:
        return ", ".join(schedule.holidays) or "–"


class StepForm(forms.ModelForm):
    delay_minutes = DelayField(label=_l("Delay"), initial=3 * DAY)

    class Meta:
        model = Step
        fields = ("position", "template", "keeps_subject", "delay_minutes", "condition")

    def __init__(self, *args: Any, **options: Any) -> None:
        """In a table the heading of a column names its fields for the eye only."""
        super().__init__(*args, **options)
        for name in ("position", "template", "keeps_subject", "condition"):
            if name in self.fields:
                widget: Any = self.fields[name].widget
                # The admin wraps a choice of rows in the links beside it.
                getattr(widget, "widget", widget).attrs["aria-label"] = self.fields[name].label


class StepInline(_OfCampaign, TabularInline):
    in_words = {"delay_minutes": "delay_in_words"}
    readonly_fields = tuple(in_words.values())
    model = Step
    form = StepForm
    fieldsets = ((None, {"fields": StepForm.Meta.fields}),)
    formset = OwnTemplatesFormSet
    extra = 0
    verbose_name_plural = _l(
        "Follow-ups: each only to whoever has neither finished, replied nor unsubscribed"
    )

    @display(description=_l("Delay"))  # type: ignore[untyped-decorator]
    def delay_in_words(self, step: Step) -> str:
        number, unit = DelayWidget().decompress(step.delay_minutes)
        name = {DAY: "day", HOUR: "hour", MINUTE: "minute"}[unit]
        return str(TIME_STRINGS[name] % {"num": number})


class SplitTestForm(forms.ModelForm):
    class Meta:
        model = SplitTest
        fields = (
            "subject_b",
            "template_b",
            "test_percent",
            "metric",
            "min_sample",
            "decide_after_hours",
            "is_automatic",
        )
        labels = {
            "subject_b": _l("Subject of B"),
            "template_b": _l("Template of B"),
            "test_percent": _l("Percent in the test"),
            "metric": _l("Better is more who"),
            "min_sample": _l("Fewest emails of each"),
            "decide_after_hours": _l("Hours before it is decided"),
        }


class SplitTestInline(_OfCampaign, StackedInline):
    model = SplitTest
    form = SplitTestForm
    formset = _TemplateBFormSet
    extra, max_num = 1, 1
    verbose_name_plural = _l("A/B test of the invitation")
    fieldsets = (
        (None, {"fields": (("subject_b", "template_b"), ("test_percent", "metric"))}),
        (_l("How the winner is chosen"), {"fields": (("min_sample", "decide_after_hours"), "is_automatic")}),
    )


INLINES: tuple[type[admin.options.InlineModelAdmin], ...] = (StepInline, ScheduleInline, SplitTestInline)


def inlines_of(campaign: Campaign | None) -> list[type[admin.options.InlineModelAdmin]]:
    """All parts, or those that a campaign which cannot be changed any more has."""
    if campaign is None or _is_editable(campaign):
        return [*INLINES]
    return [part for part in INLINES if part.model.objects.filter(campaign=campaign).exists()]
