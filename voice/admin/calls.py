"""Calls with their turns, time slots, appointments. What happened is shown; slots are for staff to make."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import action, display

from config.api.audit import record
from crm.admin.object_ids import CheckedIdsAdmin
from crm.admin.records import RecordAdmin
from crm.contacts import uuid_of
from voice import booking
from voice.admin import call_page, console, figures, live, recordings
from voice.admin.pages import CALL_COLOURS
from voice.models import Appointment, PhoneCall, TimeSlot


@admin.register(PhoneCall)
class PhoneCallAdmin(RecordAdmin):
    list_display = (
        *("shown_contact", "account", "shown_status", "shown_outcome", "confirmed_slot", "turn_count"),
        *("line", "started_at", "duration_seconds"),
    )
    list_filter = (
        ("account", RelatedDropdownFilter),
        ("status", ChoicesDropdownFilter),
        ("line", ChoicesDropdownFilter),
        "is_test",
    )
    list_select_related = ("account", "contact")
    search_fields = ("sid", "to_number", "contact__name")
    search_help_text = _("Name, phone number, or Twilio's id of the call")
    ordering = ("-started_at", "-id")
    fields = (
        *("account", "contact", "to_number", "sid", "requested_by", "line", "confirmed_slot"),
        *("started_at", "answered_at", "ended_at", "invitation"),
    )
    list_before_template = "admin/voice/calls_before.html"
    change_form_outer_before_template = "admin/voice/call_facts.html"

    def get_urls(self) -> list[URLPattern]:
        own = (url for module in (console, figures, live, recordings) for url in module.urls(self))
        return [*own, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Reading what was said is recorded."""
        key = uuid_of(object_id)
        rows = PhoneCall.objects.select_related("account", "contact", "callee__batch")
        call = rows.filter(pk=key).first() if key else None
        more: dict[str, Any] = {}
        if call is not None and self.has_view_permission(request, call):
            record(call.account, "staff", request.user.get_username(), "read phone call", target=call)
            more = call_page.facts(call)
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **more})

    @display(description=_("Contact"))  # type: ignore[untyped-decorator]
    def shown_contact(self, call: PhoneCall) -> str:
        return str(_("Test call") if call.contact is None else call.contact)

    @display(description=_("Outcome"), ordering="outcome")  # type: ignore[untyped-decorator]
    def shown_outcome(self, call: PhoneCall) -> str:
        return call.outcome_in_words or "–"

    @display(description=_("Status"), label=CALL_COLOURS)  # type: ignore[untyped-decorator]
    def shown_status(self, call: PhoneCall) -> tuple[str, str]:
        return call.status, call.get_status_display()


@admin.register(TimeSlot)
class TimeSlotAdmin(CheckedIdsAdmin):
    list_display = ("starts_at", "ends_at", "account", "is_offered", "origin", "taken_by")
    list_filter = (("account", RelatedDropdownFilter), "is_offered")
    list_filter_submit = True
    list_select_related = ("account",)
    show_full_result_count = False
    list_per_page = 50
    ordering = ("-starts_at",)
    fields = ("account", "starts_at", "ends_at", "is_offered")
    autocomplete_fields = ("account",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[TimeSlot]:
        rows: QuerySet[TimeSlot] = super().get_queryset(request)
        return rows.prefetch_related("appointments__contact")

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Nobody guesses the zone of a time that people are told on the phone."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and db_field.name in ("starts_at", "ends_at"):
            zone = timezone.get_current_timezone_name()
            field.help_text = _("In the time zone of this installation, %(zone)s.") % {"zone": zone}
        return field

    @display(description=_("Taken by"))  # type: ignore[untyped-decorator]
    def taken_by(self, slot: TimeSlot) -> str:
        booked = (one for one in slot.appointments.all() if one.state == Appointment.State.BOOKED)
        return next((str(one.contact) for one in booked), "–")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """A time that somebody agreed to is not moved under them."""
        is_taken = obj is not None and obj.appointments.exists()
        return ("account", "starts_at", "ends_at") if is_taken else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        allowed: bool = super().has_delete_permission(request, obj)
        return allowed and (obj is None or not obj.appointments.exists())


@admin.register(Appointment)
class AppointmentAdmin(RecordAdmin):
    list_display = ("contact", "account", "slot", "state", "booked_at", "cancelled_at")
    list_filter = (("account", RelatedDropdownFilter), ("state", ChoicesDropdownFilter))
    list_select_related = ("account", "contact", "slot")
    search_fields = ("contact__name",)
    search_help_text = _("Name")
    ordering = ("-booked_at",)
    actions = ("cancel_appointments",)

    @action(description=_("Cancel: these times are free again"), permissions=["change"])  # type: ignore[untyped-decorator]
    def cancel_appointments(self, request: HttpRequest, queryset: QuerySet[Appointment]) -> None:
        count = sum(booking.cancel(one) for one in queryset)
        words = ngettext("%d appointment was cancelled.", "%d appointments were cancelled.", count) % count
        messages.success(request, words)
