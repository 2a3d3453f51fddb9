"""The people of campaigns in the admin: found by what became of them. Read here, never edited."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from unfold.admin import ModelAdmin
from unfold.decorators import display

from campaigns.admin.looks import moment
from campaigns.models import Campaign, Recipient
from crm.contacts import email_of
from crm.models import Suppression
from interviews.models import Interview

# What campaigns/inviting.py and crm.consent say; choices of a filter must not read a whole table.
SKIP_REASONS = (
    ("inactive", _l("Inactive")),
    ("no_address", _l("No address")),
    ("no_consent", _l("Did not consent")),
    ("declined", _l("Said no")),
    *Suppression.Reason.choices,
    ("line break in the name", _l("Line break in the name")),
    ("campaign cancelled", _l("Campaign cancelled")),
)


class _ChoiceFilter(admin.SimpleListFilter):
    """One of a fixed list of values of one field."""

    field = ""
    choices_of_field: Any = ()

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return self.choices_of_field

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if value is None or value not in {str(key) for key, _label in self.lookup_choices}:
            return queryset
        return queryset.filter(**{self.field: value})


class _ReasonFilter(_ChoiceFilter):
    """Most people have no reason; the index holds only those who have one, and SQLite wants that said."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        found = super().queryset(request, queryset)
        return found.filter(**{f"{self.field}__gt": ""}) if self.value() else found


class SkipReasonFilter(_ReasonFilter):
    title, parameter_name, field = _l("skipped because"), "skip_reason", "skip_reason"
    choices_of_field = SKIP_REASONS


class StopReasonFilter(_ReasonFilter):
    title, parameter_name, field = _l("stopped because"), "stop_reason", "stop_reason"
    choices_of_field = Recipient.Stop.choices


class StepFilter(_ChoiceFilter):
    title, parameter_name, field = _l("next email"), "next_step", "next_step"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [("0", _("Invitation")), *((str(n), _("Follow-up %(n)s") % {"n": n}) for n in range(1, 10))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        found = super().queryset(request, queryset)
        return found.filter(next_at__isnull=False) if self.value() is not None else found


class InterviewFilter(_ChoiceFilter):
    title, parameter_name, field = _l("interview"), "interview_state", "interview__state"
    choices_of_field = Interview.State.choices


class OfCampaignFilter(admin.SimpleListFilter):
    """Only shown as what it is set to: a campaign is chosen on its own page."""

    title, parameter_name = _l("campaign"), "campaign__id__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        given = request.GET.get(self.parameter_name, "")
        newest = Campaign.objects.order_by("-created_at").values_list("pk", "name")[:20]
        found = [(str(pk), name) for pk, name in newest]
        if given and given not in dict(found):
            found += [(given, _("the chosen one"))]
        return found

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        from crm.contacts import uuid_of

        value = self.value()
        return queryset.filter(campaign=uuid_of(value)) if value else queryset


@admin.register(Recipient)
class RecipientAdmin(ModelAdmin):
    list_display = (
        "contact",
        "address",
        "campaign",
        "state_label",
        "why",
        "step_label",
        "interview_state",
        "added",
    )
    fields = (
        "contact",
        "campaign",
        "state",
        "skip_reason",
        "variant",
        "emails_sent",
        "last_sent_at",
        "step_label",
        "stop_reason",
        "stopped_at",
        "interview_link",
        "columns",
    )
    readonly_fields = ("columns", "step_label", "interview_link")
    list_filter = (
        "state",
        SkipReasonFilter,
        StopReasonFilter,
        StepFilter,
        InterviewFilter,
        OfCampaignFilter,
        "campaign__account",
    )
    list_select_related = ("contact", "campaign", "interview")
    search_fields = ("contact__name", "contact__addresses__value", "campaign__name")
    search_help_text = "Name, address or campaign"
    # The key's own index: newest first, and the pages after it too.
    ordering = ("-id",)
    show_full_result_count = False
    list_per_page = 50

    def get_queryset(self, request: HttpRequest) -> QuerySet[Recipient]:
        rows: QuerySet[Recipient] = super().get_queryset(request)
        return rows.prefetch_related("contact__addresses")

    @display(description="Email")  # type: ignore[untyped-decorator]
    def address(self, recipient: Recipient) -> str:
        return email_of(recipient.contact) or "–"

    @display(description="State", label={"waiting": "info", "invited": "success", "skipped": "warning"})  # type: ignore[untyped-decorator]
    def state_label(self, recipient: Recipient) -> tuple[str, str]:
        return recipient.state, recipient.get_state_display()

    @display(description="Why no more")  # type: ignore[untyped-decorator]
    def why(self, recipient: Recipient) -> str:
        skipped = dict(SKIP_REASONS).get(recipient.skip_reason, recipient.skip_reason)
        return str(skipped) or recipient.get_stop_reason_display() or "–"

    @display(description="Next email")  # type: ignore[untyped-decorator]
    def step_label(self, recipient: Recipient) -> str:
        if recipient.next_at is None:
            return "–"
        step = _("Follow-up %(n)s") % {"n": recipient.next_step} if recipient.next_step else _("Invitation")
        return f"{step}, {moment(recipient.next_at)}"

    @display(description="Added", ordering="id")  # type: ignore[untyped-decorator]
    def added(self, recipient: Recipient) -> str:
        return moment(recipient.created_at)

    @display(description="Interview")  # type: ignore[untyped-decorator]
    def interview_link(self, recipient: Recipient) -> SafeString | str:
        if recipient.interview is None:
            return "–"
        url = reverse("admin:interviews_interview_change", args=[recipient.interview_id])
        return format_html('<a href="{}">{}</a>', url, recipient.interview.get_state_display())

    @display(description="Columns of the import")  # type: ignore[untyped-decorator]
    def columns(self, recipient: Recipient) -> SafeString | str:
        rows = format_html_join("", "<dt>{}</dt><dd dir='auto'>{}</dd>", recipient.fields.items())
        return format_html('<dl class="rc-facts">{}</dl>', rows) if recipient.fields else "–"

    class Media:
        css = {"all": ("campaigns/admin.css",)}

    @display(description="Interview")  # type: ignore[untyped-decorator]
    def interview_state(self, recipient: Recipient) -> str:
        return recipient.interview.get_state_display() if recipient.interview else "–"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Recipient | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Recipient | None = None) -> bool:
        return False
