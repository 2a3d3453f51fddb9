"""Contacts: who they are, how to reach them, what they allowed, and what happened."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Count, QuerySet
from django.forms import BaseInlineFormSet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import action, display

from config.api.audit import record
from config.api.models import Account, AuditEntry
from crm import contacts, erasure, exporting
from crm.admin.object_ids import CheckedIdsAdmin
from crm.models import Consent, Contact, ContactAddress, Message
from crm.word_search import contacts_found

FACTS = (("name", "account"), ("company", "role"), ("language", "time_zone"), "is_active")
MORE = ("preferences", "fields", ("created_at", "updated_at", "erased_at"))
ON_PAGE = 50  # timeline entries and conversations shown beside a contact


class AddressFormSet(BaseInlineFormSet):
    def clean(self) -> None:
        super().clean()
        primary = [form.instance.kind for form in self.forms if form.cleaned_data.get("is_primary")]
        if len(primary) > len(set(primary)):
            raise ValidationError(_("Only one address of a kind can be the primary one."))

    def save(self, commit: bool = True) -> Any:
        # Each is saved by itself, and at no moment may two be primary.
        others = [form.instance.pk for form in self.initial_forms if not form.cleaned_data["is_primary"]]
        ContactAddress.objects.filter(pk__in=others).update(is_primary=False)
        return super().save(commit)


class AddressInline(TabularInline):
    model = ContactAddress
    formset = AddressFormSet
    fields = ("kind", "value", "is_primary", "is_verified", "source")
    readonly_fields = ("kind", "value", "source")
    extra = 0
    can_delete = False

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **options)
        if field is not None:  # the head of a table's column is no label to a screen reader
            field.widget.attrs["aria-label"] = field.label
        return field

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # addresses are added through crm.contacts, which writes them in one form


class ConsentInline(TabularInline):
    model = Consent
    fields = readonly_fields = ("at", "channel", "purpose", "given", "source", "text_version")
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Contact)
class ContactAdmin(CheckedIdsAdmin):
    list_display = ("shown_name", "shown_address", "company", "account", "standing", "created_at")
    list_filter = (("account", RelatedDropdownFilter), "is_active")
    list_filter_submit = True
    list_select_related = ("account",)
    search_fields = ("name", "company", "addresses__value")
    search_help_text = _("Words, or how they begin: name, company, email, phone")
    show_full_result_count = False
    ordering = ("-created_at",)
    list_per_page = 50
    # Their addresses, talks and documents are of this account too, and would stay behind.
    readonly_fields = ("account", "created_at", "updated_at", "erased_at")
    inlines = (AddressInline, ConsentInline)
    list_before_template = "admin/crm/contacts_before.html"
    actions_detail = ("erase_person",)
    change_form_outer_before_template = "admin/crm/contact_before.html"
    change_form_after_template = "admin/crm/contact_after.html"
    fieldsets = (
        (None, {"fields": FACTS}),
        (_("More"), {"fields": MORE, "classes": ("collapse",)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Contact]:
        return super().get_queryset(request).prefetch_related("addresses")

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        return (contacts_found(queryset, search_term) if search_term else queryset), False

    def has_change_permission(self, request: HttpRequest, obj: Contact | None = None) -> bool:
        """Not of who was erased, nor of who became part of another: nobody would look there."""
        is_past = obj is not None and (obj.erased_at is not None or contacts.now_part_of(obj) != obj)
        return not is_past and bool(super().has_change_permission(request, obj))

    @display(description=_("Name"), ordering="name")  # type: ignore[untyped-decorator]
    def shown_name(self, contact: Contact) -> str:
        return str(contact)

    @display(description=_("Address"))  # type: ignore[untyped-decorator]
    def shown_address(self, contact: Contact) -> str:
        rows = sorted(contact.addresses.all(), key=lambda row: (not row.is_primary, row.pk))
        return rows[0].value if rows else "–"

    @display(
        description=_("Standing"),
        label={_("active"): "success", _("inactive"): "warning", _("erased"): "danger"},
    )  # type: ignore[untyped-decorator]
    def standing(self, contact: Contact) -> str:
        if contact.erased_at:
            return str(_("erased"))
        return str(_("active") if contact.is_active else _("inactive"))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        contact = self.get_object(request, object_id)
        more = {} if contact is None else _beside(contact)
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **more})

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("export/", view(self.export_view), name="crm_contact_export"),
            path("<uuid:contact_id>/erase/", view(self.erase_view), name="crm_contact_erase"),
            *super().get_urls(),
        ]

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """The list as a CSV file, by the same filters and search, without who was erased or merged away."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            listed = self.get_changelist_instance(request).queryset
        except IncorrectLookupParameters:
            messages.error(request, _("This filter cannot be read, so nothing was exported."))
            return redirect("admin:crm_contact_changelist")
        rows = contacts.people_among(listed)
        _note_export(rows, request)
        return exporting.download(rows, "csv")

    @action(description=_("Erase this person"), url_path="erase-person", permissions=["delete"])  # type: ignore[untyped-decorator]
    def erase_person(self, request: HttpRequest, object_id: Any) -> HttpResponse:
        return redirect("admin:crm_contact_erase", object_id)

    def erase_view(self, request: HttpRequest, contact_id: Any) -> HttpResponse:
        """Says what it touches; a POST does it."""
        if not self.has_delete_permission(request):
            raise PermissionDenied
        contact = get_object_or_404(Contact.objects.select_related("account"), pk=contact_id)
        whole = contacts.now_part_of(contact)
        if whole != contact:
            became = _("%(name)s became part of this contact. Both are erased together.")
            messages.info(request, became % {"name": contact})
            return redirect("admin:crm_contact_erase", whole.pk)
        if request.method == "POST":
            erasure.request(contact, requested_by=request.user.get_username())
            messages.success(request, _("This person is being erased. The receipt is under Erasures."))
            return redirect("admin:crm_contact_changelist")
        context = {
            **self.admin_site.each_context(request),
            "title": _("Erase this person"),
            "opts": self.model._meta,
        }
        return TemplateResponse(
            request,
            "admin/crm/erase.html",
            {**context, "contact": contact, "touched": touched_by_erasure(contact)},
        )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # contacts come from imports, the API and talks, which write addresses in one form

    def get_actions(self, request: HttpRequest) -> Any:
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)  # a person is erased with all that is theirs, never just deleted
        return actions

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        return redirect("admin:crm_contact_erase", object_id)

    def save_model(self, request: HttpRequest, obj: Contact, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not obj.is_active:
            contacts.deactivate(obj)
        record(
            obj.account,
            AuditEntry.ActorKind.STAFF,
            request.user.get_username(),
            "changed contact",
            target=obj,
            detail={"fields": form.changed_data},
            request=request,
        )


def _note_export(rows: QuerySet[Contact], request: HttpRequest) -> None:
    """One entry for each account with people in the file; one of no account for an empty file."""
    filters = exporting.without_people({name: str(request.GET[name]) for name in request.GET if name != "o"})
    counted = rows.order_by().values_list("account").annotate(Count("pk"))
    counts: dict[Any, int] = dict(counted) or {None: 0}
    accounts = Account.objects.in_bulk([key for key in counts if key is not None])
    for key, count in counts.items():
        record(
            accounts.get(key),
            AuditEntry.ActorKind.STAFF,
            request.user.get_username(),
            "exported contacts",
            detail={"format": "csv", "count": count, "filter": filters},
            request=request,
        )


def _beside(contact: Contact) -> dict[str, Any]:
    talks = contact.conversations.filter(tried_out_by=None)
    whole = contacts.now_part_of(contact)
    return {
        "part_of": whole if whole != contact else None,
        "timeline": contact.timeline.all()[:ON_PAGE],
        "conversations": talks.order_by("-last_activity_at")[:ON_PAGE],
    }


def touched_by_erasure(contact: Contact) -> list[str]:
    """What is removed, in words with counts."""
    talks = contact.conversations.count()
    said = Message.objects.filter(conversation__contact=contact).count()
    files = contact.media_files.count()
    entries = contact.timeline.count()
    return [
        ngettext("%d conversation", "%d conversations", talks) % talks,
        ngettext("%d message", "%d messages", said) % said,
        ngettext("%d file", "%d files", files) % files,
        ngettext("%d timeline entry", "%d timeline entries", entries) % entries,
        str(_("their interviews, answers, PDFs and documents, emails and import rows")),
    ]
