"""Conversations: how each stands, and its transcript, live. Reading is recorded."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, re_path
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import action, display

from crm import filing, notes, talk, watching
from crm.admin import dashboards
from crm.admin.staff_side import AssignmentFilter, StaffSideAdmin, assignable
from crm.models import Conversation, Message
from crm.word_search import talks_found
from personas import agents, speaking
from personas.models import Persona

UUID = r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"
WINDOW = 500  # messages of a transcript on one page
STATE_COLOURS = {Conversation.State.OPEN: "info", Conversation.State.CLOSED: "success"}
MOVES: dict[str, str] = {
    "take-over": "took over conversation",
    "hand-back": "handed back conversation",
    "write": "wrote in conversation",
}


@admin.register(Conversation)
class ConversationAdmin(StaffSideAdmin):
    list_display = (
        "__str__",
        "contact",
        "account",
        "shown_state",
        "assigned_to",
        "channel",
        "last_seq",
        "last_activity_at",
    )
    list_filter = (
        AssignmentFilter,
        ("account", RelatedDropdownFilter),
        ("state", ChoicesDropdownFilter),
        ("channel", ChoicesDropdownFilter),
        ("status", ChoicesDropdownFilter),
    )
    list_filter_submit = True
    list_select_related = ("contact", "account", "assigned_to")
    search_fields = ("title", "contact__name", "contact__addresses__value", "external_id")
    search_help_text = _("Words, or how they begin: title, name, email, phone")
    show_full_result_count = False
    ordering = ("-last_activity_at",)
    list_per_page = 50
    actions_detail = ("read_transcript",)
    fields = (
        ("title", "category"),
        ("contact", "account"),
        ("persona", "agent_is_pinned"),
        ("channel", "state", "status"),
        ("assigned_to", "taken_over_by"),
        ("close_reason",),
        ("created_at", "last_activity_at", "closed_at"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Conversation]:
        return super().get_queryset(request).filter(tried_out_by=None)

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        return (talks_found(queryset, search_term) if search_term else queryset), False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        editable = {"title", "category", "status"}
        if obj is not None and obj.persona is not None and obj.persona.slug in agents.BY_SLUG:
            editable |= {"persona", "agent_is_pinned"}
        return [name for row in self.fields for name in row if name not in editable]

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        if db_field.name == "persona":
            options["queryset"] = Persona.objects.filter(slug__in=agents.BY_SLUG).select_related("account")
        return super().formfield_for_foreignkey(db_field, request, **options)

    def get_form(self, request: HttpRequest, obj: Any = None, **options: Any) -> Any:
        form = super().get_form(request, obj, **options)
        if obj is not None and "persona" in form.base_fields:
            field = form.base_fields["persona"]
            field.queryset = field.queryset.filter(account=obj.account_id)
        return form

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Only what was changed is written: the talk may go on meanwhile, and `last_seq` with it.

        Staff who choose another agent pin it; the rules leave it alone until it is unpinned.
        """
        changed = {name: getattr(obj, name) for name in form.changed_data}
        if "category" in changed:
            changed["brief"] = filing.filed(obj, obj.category)
        if "persona" in changed:
            changed["agent_is_pinned"] = obj.agent_is_pinned = True
        if changed:
            Conversation.objects.filter(pk=obj.pk).update(**changed)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # what was said goes with an erasure, which reaches everything that came of it

    @display(description=_("State"), label=STATE_COLOURS, ordering="state")  # type: ignore[untyped-decorator]
    def shown_state(self, conversation: Conversation) -> tuple[str, str]:
        return conversation.state, conversation.get_state_display()

    @action(description=_("Read the transcript"), url_path="read-transcript", permissions=["view"])  # type: ignore[untyped-decorator]
    def read_transcript(self, request: HttpRequest, object_id: Any) -> HttpResponse:
        return redirect("admin:crm_conversation_transcript", object_id)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        name = "crm_conversation"
        read, move = wrap(self.transcript_view), wrap(require_POST(self.move_view))
        own = [
            path("<uuid:conversation_id>/transcript/", read, name=f"{name}_transcript"),
            re_path(
                rf"^(?P<conversation_id>{UUID})/(?P<move>{'|'.join(MOVES)})/$", move, name=f"{name}_move"
            ),
        ]
        return [*own, *dashboards.urls(self), *super().get_urls()]

    def transcript_view(self, request: HttpRequest, conversation_id: Any) -> HttpResponse:
        """Every message with its anchor; `?message=<seq>` is highlighted."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        conversation = self._conversation(conversation_id)
        self._noted(request, conversation, "read transcript")
        highlighted = whole(request.GET.get("message", ""))
        context = {
            **self.admin_site.each_context(request),
            **transcript_window(conversation, highlighted, start=whole(request.GET.get("from", ""))),
            **takeover_values(request, conversation),
            "title": str(conversation),
            "opts": self.model._meta,
        }
        return TemplateResponse(request, "admin/crm/transcript.html", context)

    def move_view(self, request: HttpRequest, conversation_id: Any, move: str) -> HttpResponse:
        if not self.has_change_permission(request):
            raise PermissionDenied
        conversation = self._conversation(conversation_id)
        if self._moved(request, conversation, move):
            self._noted(request, conversation, MOVES[move])
            watching.tell_from_sync(conversation.pk, "message", seq=conversation.last_seq)
        return redirect("admin:crm_conversation_transcript", conversation.pk)

    def _moved(self, request: HttpRequest, conversation: Conversation, move: str) -> bool:
        moves: dict[str, Callable[[], bool]] = {
            "take-over": lambda: talk.take_over(conversation, request.user),
            "hand-back": lambda: talk.hand_back(conversation),
            "write": lambda: bool(
                talk.staff_says(conversation, request.POST.get("text", ""), staff=request.user)
            ),
        }
        try:
            moved = moves[move]()
        except talk.TalkError as error:
            messages.error(request, str(error))
            return False
        if not moved:
            messages.warning(request, _("Somebody else was first, or the conversation has ended."))
        return moved


def transcript_window(
    conversation: Conversation, highlighted: int | None, *, start: int | None = None
) -> dict[str, Any]:
    """What `crm/_transcript.html` shows: a window of messages with the notes between them, and where the
    windows beside it begin."""
    newest = conversation.last_seq - WINDOW + 1
    at = min(highlighted, conversation.last_seq) - WINDOW // 2 if highlighted else newest
    first = start or max(1, at)
    rows: QuerySet[Message] = Message.objects.filter(conversation=conversation).select_related("staff")
    writing = rows.filter(state=Message.State.STREAMING).values_list("seq", flat=True).first()
    found = list(rows.filter(seq__gte=first, seq__lte=first + WINDOW).order_by("seq"))
    spoken = [message for message in found if message.seq < first + WINDOW]
    following = found[-1] if len(found) > len(spoken) else None
    return {
        "settled": writing - 1 if writing else conversation.last_seq,
        "conversation": conversation,
        "lines": list(notes.among(conversation, spoken, is_first=first == 1, following=following)),
        "highlighted": highlighted,
        "earlier": max(1, first - WINDOW) if first > 1 else None,
        "later": first + WINDOW if conversation.last_seq >= first + WINDOW else None,
    }


def takeover_values(request: HttpRequest, conversation: Conversation) -> dict[str, Any]:
    """What `crm/_takeover.html` and `crm/_staff_side.html` need to offer what they do."""
    return {
        "assignable": assignable(conversation),
        "may_write": request.user.has_perm("crm.change_conversation"),  # type: ignore[union-attr]
        "is_mine": conversation.taken_over_by_id == request.user.pk,
        "offline": not speaking.has_model(conversation.persona),
    }


def whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
