"""Interviews: how each stands, what was answered, what processing did, and the transcript itself."""

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import action, display

from config.api.audit import record
from crm.admin.conversations import takeover_values, transcript_window, whole
from crm.admin.object_ids import CheckedIdsAdmin
from crm.models import Message
from interviews import processing
from interviews.downloads import pdf_response
from interviews.models import Answer, Interview, ProcessingStep

State = Interview.State
COLOURS = {
    State.INVITED: "info",
    State.OPENED: "info",
    State.STARTED: "primary",
    State.COMPLETED: "primary",
    State.PROCESSED: "success",
    State.DECLINED: "warning",
    State.ABANDONED: "warning",
    State.EXPIRED: "warning",
    State.FAILED: "danger",
}
FACTS = (
    ("contact", "guide"),
    ("state", "account"),
    ("conversation", "document"),
    ("guide_version", "consent_version"),
    ("expires_at", "pdf_pages"),
)
TIMES = (
    ("invited_at", "opened_at"),
    ("started_at", "completed_at"),
    ("processed_at", "failed_at"),
    ("declined_at", "abandoned_at"),
    ("expired_at",),
)


@admin.register(Interview)
class InterviewAdmin(CheckedIdsAdmin):
    list_display = ("person", "guide", "state_label", "told", "invited_at", "completed_at")
    list_display_links = ("person",)
    list_filter = ("state", ("guide", AutocompleteSelectFilter), ("account", AutocompleteSelectFilter))
    list_filter_submit = True
    list_select_related = ("contact", "guide")
    list_per_page = 50
    show_full_result_count = False
    search_fields = ("contact__name", "contact__addresses__value")
    search_help_text = _("Name, email or phone")
    ordering = ("-invited_at",)
    readonly_fields = tuple(name for row in (*FACTS, *TIMES) for name in row)
    fieldsets = ((None, {"fields": FACTS}), (_("Times"), {"fields": TIMES}))
    actions = ("repeat_failed",)
    actions_detail = ("read_transcript", "download_pdf")
    change_form_outer_after_template = "admin/interviews/interview/outcome.html"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # invitations come from campaigns and the API

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Of one interview nothing is edited: it only shows, and its steps can be repeated.
        return obj is None and super().has_change_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # forgetting a person also reaches storage and knowledge: the contact's page does that

    def get_queryset(self, request: HttpRequest) -> QuerySet[Interview]:
        # As subqueries, so that the list's query stays one over interviews.
        asked = (
            Message.objects.filter(conversation=OuterRef("conversation"), author="person")
            .exclude(question_key="")
            .order_by()
            .values("conversation")
            .annotate(count=Count("question_key", distinct=True))
            .values("count")
        )
        return super().get_queryset(request).annotate(told_count=Coalesce(Subquery(asked), 0))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        context = {
            "steps": ProcessingStep.objects.filter(interview_id=object_id),
            "answers": Answer.objects.filter(interview_id=object_id).select_related("message"),
            **(extra_context or {}),
        }
        return super().change_view(request, object_id, form_url, context)

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(
                "<uuid:interview_id>/transcript/",
                self.admin_site.admin_view(self.transcript_view),
                name="interviews_interview_transcript",
            ),
            path(
                "<uuid:interview_id>/pdf/",
                self.admin_site.admin_view(self.pdf_view),
                name="interviews_interview_pdf",
            ),
            path(
                "steps/<int:step_id>/repeat/",
                self.admin_site.admin_view(require_POST(self.repeat_view)),
                name="interviews_step_repeat",
            ),
        ]
        return [*own, *super().get_urls()]

    # --- columns ----------------------------------------------------------------------------

    @display(description=_("Person"), ordering="contact__name")  # type: ignore[untyped-decorator]
    def person(self, interview: Interview) -> str:
        return str(interview.contact)

    @display(description=_("State"), label=COLOURS, ordering="state")  # type: ignore[untyped-decorator]
    def state_label(self, interview: Interview) -> tuple[str, str]:
        return interview.state, str(State(interview.state).label)

    @display(description=_("Answered"))  # type: ignore[untyped-decorator]
    def told(self, interview: Any) -> str:
        if not interview.has_begun:
            return "–"
        total = len(interview.frozen_guide.get("brief", {}).get("questions", []))
        return str(_("%(done)s of %(total)s")) % {"done": min(interview.told_count, total), "total": total}

    # --- actions ------------------------------------------------------------------------------

    @admin.action(description=_("Repeat failed processing"), permissions=["change"])
    def repeat_failed(self, request: HttpRequest, chosen: QuerySet[Interview]) -> None:
        count = sum(processing.retry(interview) for interview in chosen.filter(state=State.FAILED))
        words = ngettext(
            "%(count)d interview is processed again.", "%(count)d interviews are processed again.", count
        )
        self.message_user(request, words % {"count": count}, messages.SUCCESS if count else messages.WARNING)

    @action(description=_("Read the transcript"), url_path="read-transcript", permissions=["view"])  # type: ignore[untyped-decorator]
    def read_transcript(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        return redirect("admin:interviews_interview_transcript", object_id)

    @action(description=_("Download the PDF"), url_path="download-pdf", permissions=["view"])  # type: ignore[untyped-decorator]
    def download_pdf(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        return redirect("admin:interviews_interview_pdf", object_id)

    # --- views --------------------------------------------------------------------------------

    def transcript_view(self, request: HttpRequest, interview_id: UUID) -> HttpResponse:
        """Every message with its anchor; `?message=<seq>` is highlighted. That it was read is on record."""
        interview = self._seen(request, interview_id, "read transcript")
        context = {
            **self.admin_site.each_context(request),
            **transcript_window(
                interview.conversation,
                whole(request.GET.get("message", "")),
                start=whole(request.GET.get("from", "")),
            ),
            **takeover_values(request, interview.conversation),
            "title": str(interview),
            "opts": self.model._meta,
            "interview": interview,
        }
        return TemplateResponse(request, "admin/interviews/interview/transcript.html", context)

    def pdf_view(self, request: HttpRequest, interview_id: UUID) -> HttpResponseBase:
        interview = self._seen(request, interview_id, "downloaded transcript")
        response = pdf_response(interview)
        if response is None:
            messages.warning(request, _("There is no PDF yet. It is made when the interview has ended."))
            return redirect("admin:interviews_interview_change", interview_id)
        return response

    def repeat_view(self, request: HttpRequest, step_id: int) -> HttpResponse:
        if not self.has_change_permission(request):
            raise PermissionDenied
        step = get_object_or_404(ProcessingStep.objects.select_related("interview__account"), pk=step_id)
        if processing.repeat(step):
            record(
                step.interview.account,
                "staff",
                request.user.get_username(),
                "repeated step",
                target=step,
                request=request,
            )
            messages.success(request, _("“%(step)s” is done again.") % {"step": step.get_name_display()})
        else:
            messages.warning(request, _("This step is not finished, so it cannot be repeated."))
        return redirect("admin:interviews_interview_change", step.interview_id)

    def _seen(self, request: HttpRequest, interview_id: UUID, what: str) -> Interview:
        if not self.has_view_permission(request):
            raise PermissionDenied
        rows = Interview.objects.select_related(
            "account",
            "guide",
            "contact",
            "conversation__persona",
            "conversation__contact",
            "conversation__taken_over_by",
        )
        interview = rows.filter(pk=interview_id).first()
        if interview is None:
            raise Http404
        record(
            interview.account, "staff", request.user.get_username(), what, target=interview, request=request
        )
        return interview
