"""Reports of replies, waiting for a decision, and bans."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from config.api.audit import record
from config.api.models import Account, AuditEntry
from crm import persona_care, reports
from crm.admin.object_ids import CheckedIdsAdmin
from crm.admin.records import RecordAdmin
from crm.models import Ban, MessageReport

STATE_COLOURS = {"open": "warning", "kept": "success", "removed": "danger"}
EXCERPT = 80  # characters


def _noted(request: HttpRequest, row: Any, account: Account, what: str) -> None:
    staff = AuditEntry.ActorKind.STAFF
    record(account, staff, request.user.get_username(), what, target=row, request=request)


@admin.register(MessageReport)
class MessageReportAdmin(RecordAdmin):
    list_display = ("excerpt", "reason", "shown_state", "persona", "account", "created_at", "decided_by")
    list_filter = (
        ("state", ChoicesDropdownFilter),
        ("reason", ChoicesDropdownFilter),
        ("account", RelatedDropdownFilter),
    )
    list_select_related = ("account", "message__conversation__persona")
    ordering = ("-id",)
    fields = (
        "text",
        ("reason", "comment"),
        ("state", "decided_by", "decided_at"),
        ("contact", "account"),
        ("talk", "created_at"),
    )
    readonly_fields = ("text", "talk")
    actions = ("keep_replies", "remove_replies")

    @display(description=_("Reply"))  # type: ignore[untyped-decorator]
    def excerpt(self, row: MessageReport) -> str:
        return row.text[:EXCERPT] or "–"

    @display(description=_("State"), label=STATE_COLOURS, ordering="state")  # type: ignore[untyped-decorator]
    def shown_state(self, row: MessageReport) -> tuple[str, str]:
        return row.state, row.get_state_display()

    @display(description=_("Persona"))  # type: ignore[untyped-decorator]
    def persona(self, row: MessageReport) -> str:
        return str(row.message.conversation.persona or "–")

    @display(description=_("Conversation"))  # type: ignore[untyped-decorator]
    def talk(self, row: MessageReport) -> str:
        address = reverse("admin:crm_conversation_transcript", args=[row.message.conversation_id])
        where = f"{address}?message={row.message.seq}#m{row.message.seq}"
        return format_html('<a href="{}">{}</a>', where, _("Read it in its conversation"))

    @action(description=_("Keep: these replies are fine"), permissions=["change"])  # type: ignore[untyped-decorator]
    def keep_replies(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        count = self._decided(request, queryset, "kept reported reply")
        messages.success(request, ngettext("%d reply is kept.", "%d replies are kept.", count) % count)

    @action(description=_("Remove these replies from their chats"), permissions=["change"])  # type: ignore[untyped-decorator]
    def remove_replies(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        count = self._decided(request, queryset, "removed reported reply")
        messages.success(request, ngettext("%d reply is removed.", "%d replies are removed.", count) % count)

    def _decided(self, request: HttpRequest, queryset: QuerySet[Any], what: str) -> int:
        decide = reports.keep if what.startswith("kept") else reports.remove
        count = 0
        for row in queryset.select_related("account"):
            if decide(row, by=request.user.get_username()):
                _noted(request, row, row.account, what)
                count += 1
        return count


class BanForm(forms.ModelForm):
    """A ban is of a person of an account, whom their token or we call so."""

    account = forms.ModelChoiceField(
        Account.objects.order_by("slug"), label=_("Account"), widget=UnfoldAdminSelectWidget
    )
    person = forms.CharField(
        label=_("Person"),
        max_length=320,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("The user id of their token, or the id of the contact."),
    )

    class Meta:
        model = Ban
        fields = ("reason", "until")

    def clean(self) -> dict[str, Any] | None:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        if given.get("account") and given.get("person"):
            try:
                given["contact"] = persona_care.person_called(given["account"], given["person"])
            except persona_care.NobodyLikeThat as refusal:
                self.add_error("person", str(refusal))
        return given


@admin.register(Ban)
class BanAdmin(CheckedIdsAdmin):
    """Adding bans, and bans anew who was banned before. A ban ends by lifting it, and stays as a record."""

    form = BanForm
    list_display = ("contact", "account", "standing", "reason", "until", "banned_by", "created_at")
    list_filter = (("contact__account", RelatedDropdownFilter),)
    list_select_related = ("contact__account",)
    search_fields = ("contact__name", "contact__addresses__value", "reason")
    ordering = ("-created_at", "-id")
    show_full_result_count = False
    list_per_page = 50
    fields = ("account", "person", "reason", "until")
    actions = ("lift_bans",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return self.fields
        return ("contact", "reason", "until", "banned_by", "created_at", "lifted_at")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **options: Any) -> Any:
        if obj is not None:  # to read alone
            options["form"] = forms.ModelForm
        return super().get_form(request, obj, change=change, **options)

    @display(description=_("Account"))  # type: ignore[untyped-decorator]
    def account(self, row: Ban) -> str:
        return str(row.contact.account)

    @display(  # type: ignore[untyped-decorator]
        description=_("Standing"), label={_("in force"): "danger", _("over"): "success"}
    )
    def standing(self, row: Ban) -> str:
        return str(_("in force") if row.is_in_force() else _("over"))

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        given = form.cleaned_data
        by = request.user.get_username()
        row = persona_care.ban(given["contact"], reason=given["reason"], until=given["until"], by=by)
        obj.__dict__.update(row.__dict__)  # what the admin goes on with
        _noted(request, row, given["contact"].account, "ban person")

    @action(description=_("Lift: these people may chat again"), permissions=["change"])  # type: ignore[untyped-decorator]
    def lift_bans(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        count = 0
        for row in queryset.select_related("contact__account"):
            if persona_care.lift(row):
                _noted(request, row, row.contact.account, "lift ban")
                count += 1
        messages.success(request, ngettext("%d ban was lifted.", "%d bans were lifted.", count) % count)
