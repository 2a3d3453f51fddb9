"""What influencers remember of people, and what messages said before: looked at; memories also taken away."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import action, display

from config.api import audit
from config.api.models import AuditEntry
from crm import remembering
from crm.admin.records import RecordAdmin
from crm.models import Contact, MemoryFact, MessageVersion

SHORT = 80  # characters of a text in a list


@admin.register(MemoryFact)
class MemoryFactAdmin(RecordAdmin):
    list_display = ("text", "contact", "persona", "account", "created_at")
    list_filter = (("contact__account", RelatedDropdownFilter), ("persona", RelatedDropdownFilter))
    list_select_related = ("contact__account", "persona")
    search_fields = ("text", "contact__name", "contact__addresses__value")
    search_help_text = _("Words of it, or the person's name, email, phone or id")
    ordering = ("-id",)
    fields = ("text", "contact", "persona", "created_at")
    actions = ("forget_people",)

    @display(description=_("Account"))  # type: ignore[untyped-decorator]
    def account(self, fact: MemoryFact) -> str:
        return str(fact.contact.account)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("crm.delete_memoryfact")

    def delete_model(self, request: HttpRequest, obj: MemoryFact) -> None:
        """Also what may hold it: the summary of its chat."""
        remembering.forget(obj.contact, obj.pk)
        _noted(request, obj.contact, 1)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[MemoryFact]) -> None:
        for fact in queryset.select_related("contact__account"):
            self.delete_model(request, fact)

    @action(description=_("Forget everything of these people"), permissions=["delete"])  # type: ignore[untyped-decorator]
    def forget_people(self, request: HttpRequest, queryset: QuerySet[MemoryFact]) -> None:
        count = 0
        ids = queryset.order_by().values("contact")
        for contact in Contact.objects.filter(pk__in=ids).select_related("account"):
            gone = remembering.forget(contact)
            _noted(request, contact, gone)
            count += gone
        messages.success(request, ngettext("%d memory is gone.", "%d memories are gone.", count) % count)


def _noted(request: HttpRequest, contact: Contact, count: int) -> None:
    staff, name = AuditEntry.ActorKind.STAFF, request.user.get_username()
    detail = {"memories": count}
    audit.record(
        contact.account, staff, name, "forgot memories", target=contact, detail=detail, request=request
    )


@admin.register(MessageVersion)
class MessageVersionAdmin(RecordAdmin):
    """The person sees the newest words alone."""

    list_display = ("short_text", "conversation", "message_number", "number", "why", "replaced_at")
    list_filter = (
        ("message__conversation__account", RelatedDropdownFilter),
        ("why", ChoicesDropdownFilter),
    )
    list_select_related = ("message__conversation",)
    ordering = ("-replaced_at", "-id")
    fields = ("message", "number", "why", "text", "provider", "model", "said_at", "replaced_at")

    @display(description=_("Text"))  # type: ignore[untyped-decorator]
    def short_text(self, version: MessageVersion) -> str:
        return version.text[:SHORT] or "–"

    @display(description=_("Conversation"))  # type: ignore[untyped-decorator]
    def conversation(self, version: MessageVersion) -> str:
        return str(version.message.conversation)

    @display(description=_("Message"))  # type: ignore[untyped-decorator]
    def message_number(self, version: MessageVersion) -> int:
        return version.message.seq
