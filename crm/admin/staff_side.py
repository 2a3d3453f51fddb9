"""What staff keep for themselves of a conversation: private notes, and whose it is."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import DropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from config.api.audit import record
from config.api.models import AuditEntry
from crm import notes, talk
from crm.admin.object_ids import CheckedIdsAdmin
from crm.admin.records import RecordAdmin
from crm.models import Conversation, PrivateNote

SHORT = 80  # characters of a note in a list


class AssignmentFilter(DropdownFilter):
    title, parameter_name = _("assignment"), "assigned"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [("me", _("Assigned to me")), ("somebody", _("Assigned")), ("nobody", _("Not assigned"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "me":
                return queryset.filter(assigned_to=request.user.pk)
            case "somebody":
                return queryset.filter(assigned_to__isnull=False)
            case "nobody":
                return queryset.filter(assigned_to=None)
        return queryset


class StaffSideAdmin(CheckedIdsAdmin):
    """The pages of a conversation that write its notes and assign it."""

    def get_urls(self) -> list[URLPattern]:
        def posted(view: Any) -> Any:
            return self.admin_site.admin_view(require_POST(view))

        one, name = "<uuid:conversation_id>", "crm_conversation"
        remove = f"{one}/note/<int:note_id>/remove/"
        own = [
            path(f"{one}/note/", posted(self.note_view), name=f"{name}_note"),
            path(remove, posted(self.remove_note_view), name=f"{name}_remove_note"),
            path(f"{one}/assign/", posted(self.assign_view), name=f"{name}_assign"),
        ]
        return [*own, *super().get_urls()]

    def note_view(self, request: HttpRequest, conversation_id: Any) -> HttpResponse:
        conversation = self._changeable(request, conversation_id)
        try:
            with transaction.atomic():
                note = notes.write(conversation, request.POST.get("note", ""), author=request.user)
                self._noted(request, conversation, "wrote private note", note=note.pk)
        except talk.InvalidMessage as error:
            messages.error(request, str(error))
            return _to_transcript(conversation)
        return _to_transcript(conversation, f"#note-{note.pk}")

    def remove_note_view(self, request: HttpRequest, conversation_id: Any, note_id: int) -> HttpResponse:
        conversation = self._changeable(request, conversation_id)
        with transaction.atomic():
            is_gone = notes.remove(conversation, note_id, by=request.user)
            if is_gone:
                self._noted(request, conversation, "removed private note", note=note_id)
        if not is_gone:
            messages.warning(request, _("A note is removed by the one who wrote it."))
        return _to_transcript(conversation)

    def assign_view(self, request: HttpRequest, conversation_id: Any) -> HttpResponse:
        """`staff` is the id of one who may have it; empty, it is nobody's."""
        conversation = self._changeable(request, conversation_id)
        given = request.POST.get("staff", "")
        chosen = {str(staff.pk): staff for staff in assignable(conversation)}.get(given)
        if given and chosen is None:
            messages.error(request, _("Choose somebody of the list."))
            return _to_transcript(conversation)
        with transaction.atomic():
            conversation.assign(chosen)
            name = chosen.get_username() if chosen else ""
            self._noted(request, conversation, "assigned conversation", to=name)
        return _to_transcript(conversation)

    def _changeable(self, request: HttpRequest, conversation_id: Any) -> Conversation:
        if not self.has_change_permission(request):
            raise PermissionDenied
        return self._conversation(conversation_id)

    def _conversation(self, conversation_id: Any) -> Conversation:
        rows = Conversation.objects.select_related("account", "contact", "persona", "taken_over_by")
        return get_object_or_404(rows, pk=conversation_id)

    def _noted(self, request: HttpRequest, conversation: Conversation, what: str, **detail: Any) -> None:
        record(
            conversation.account,
            AuditEntry.ActorKind.STAFF,
            request.user.get_username(),
            what,
            target=conversation,
            detail=detail,
            request=request,
        )


def assignable(conversation: Conversation) -> Any:
    """Staff who can sign in, and who has the conversation now."""
    can_sign_in = Q(is_staff=True, is_active=True)
    users = get_user_model()._default_manager
    return users.filter(can_sign_in | Q(pk=conversation.assigned_to_id)).order_by("username")


def _to_transcript(conversation: Conversation, anchor: str = "") -> HttpResponse:
    return redirect(reverse("admin:crm_conversation_transcript", args=[conversation.pk]) + anchor)


@admin.register(PrivateNote)
class PrivateNoteAdmin(RecordAdmin):
    """They are written and removed in the transcript."""

    list_display = ("short_text", "conversation", "author", "account", "created_at")
    list_filter = (("conversation__account", RelatedDropdownFilter),)
    list_select_related = ("conversation__account", "author")
    ordering = ("-id",)
    fields = ("text", "conversation", ("author", "created_at"))

    @display(description=_("Note"))  # type: ignore[untyped-decorator]
    def short_text(self, note: PrivateNote) -> str:
        return note.text[:SHORT]

    @display(description=_("Account"))  # type: ignore[untyped-decorator]
    def account(self, note: PrivateNote) -> str:
        return str(note.conversation.account)
