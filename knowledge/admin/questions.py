"""Questions that were asked, the page to ask, and the page that shows what retrieval finds."""

from typing import Any
from uuid import UUID

from asgiref.sync import async_to_sync
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html_join
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display

from config.api.errors import ApiError
from config.api.models import Account
from knowledge.answering import (
    LONGEST_QUESTION,
    PASSAGES,
    AnswerEvent,
    answer,
    rate,
    sent_to_a_model,
)
from knowledge.asking import chosen, may_ask, question_in
from knowledge.citing import MARK
from knowledge.models import Collection, Question
from knowledge.search import MIN_SCORE, passages_for, readable_collections
from knowledge.words import question_terms

MOST_ACCOUNTS = 500


class OutcomeFilter(admin.SimpleListFilter):
    title = _("outcome")
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("answered", _("Answered")),
            ("unanswered", _("Not in the sources")),
            ("failed", _("Failed")),
            ("down", _("Thumbs down")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Question]) -> QuerySet[Question]:
        choices = {
            "answered": queryset.filter(answered=True),
            "unanswered": queryset.filter(answered=False, error_code=""),
            "failed": queryset.filter(answered=False).exclude(error_code=""),
            "down": queryset.filter(thumbs=-1),
        }
        return choices.get(self.value() or "", queryset)


@admin.register(Question)
class QuestionAdmin(ModelAdmin):
    list_display = ["text", "account", "outcome", "thumb", "asked_by", "created_at"]
    list_filter = [OutcomeFilter, ("account", RelatedDropdownFilter)]
    list_select_related = ["account"]
    search_fields = ["text", "asked_by"]
    show_full_result_count = False
    fields = [
        "text",
        "outcome_in_words",
        "answer",
        "notes",
        "thumb",
        "comment",
        "asked_by",
        "account",
        "provider",
        "created_at",
    ]
    readonly_fields = [name for name in fields if name != "comment"]
    change_list_template = "admin/knowledge/questions.html"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # a question is asked, on the Ask page

    def get_urls(self) -> list[URLPattern]:
        site = self.admin_site.admin_view
        return [
            path("ask/", site(self.ask), name="knowledge_ask"),
            path("retrieval/", site(self.retrieval), name="knowledge_retrieval"),
            path("<uuid:question_id>/rate/", site(self.rate), name="knowledge_question_rate"),
            *super().get_urls(),
        ]

    @display(  # type: ignore[untyped-decorator]
        description=_("Outcome"), label={"answered": "success", "unanswered": "warning", "failed": "danger"}
    )
    def outcome(self, question: Question) -> tuple[str, Any]:
        if question.error_code:
            return "failed", _("Failed")
        if question.answered:
            return "answered", _("Answered")
        return "unanswered", _("Not in the sources")

    @display(description=_("Outcome"))  # type: ignore[untyped-decorator]
    def outcome_in_words(self, question: Question) -> Any:
        return self.outcome(question)[1]

    @display(description=_("Helped"), ordering="thumbs")  # type: ignore[untyped-decorator]
    def thumb(self, question: Question) -> Any:
        return {1: _("Yes"), -1: _("No")}.get(question.thumbs or 0, "–")

    @display(description=_("Sources"))  # type: ignore[untyped-decorator]
    def notes(self, question: Question) -> str:
        rows = [(c["number"], c["url"], c["document"], c.get("place", "")) for c in question.citations]
        return format_html_join("", '<p>[{}] <a href="{}">{}</a> {}</p>', rows)

    # --- Asking ---

    def ask(self, request: HttpRequest) -> HttpResponse:
        """The page itself; a POST is the form without JavaScript, answered whole."""
        _let_in(request)
        accounts = list(Account.objects.order_by("slug")[:MOST_ACCOUNTS])
        slug = request.POST.get("account") or request.GET.get("account", "")
        account = next((one for one in accounts if one.slug == slug), accounts[0] if accounts else None)
        context = {
            **self._page(request, _("Ask"), account),
            "accounts": accounts,
            "chosen_slugs": request.POST.getlist("collections"),
            "question": request.POST.get("question", "")[:LONGEST_QUESTION],
            "longest": LONGEST_QUESTION,
        }
        if request.method == "POST":
            context |= self._answered(request)
        return TemplateResponse(request, "admin/knowledge/ask.html", context)

    def _page(self, request: HttpRequest, title: Any, account: Account | None) -> dict[str, Any]:
        collections = readable_collections(account, staff=True) if account else []
        base = {**self.admin_site.each_context(request), "opts": self.opts, "title": title}
        return {**base, "account": account, "collections": collections}

    def _answered(self, request: HttpRequest) -> dict[str, Any]:
        try:
            question = question_in({"question": request.POST.get("question", "")})
            account, collections = chosen(
                request.POST.get("account", ""), request.POST.getlist("collections")
            )
        except ApiError as error:
            return {"problem": error.message}
        last = async_to_sync(_last_event)(question, account, collections, user=request.user)
        if last.name == "failed":
            return {"problem": last.data["message"]}
        return {"result": last.data, "parts": parts_of(last.data["answer"], last.data["citations"])}

    def rate(self, request: HttpRequest, question_id: UUID) -> HttpResponse:
        _let_in(request)
        question = get_object_or_404(Question, pk=question_id)
        thumbs = {"1": 1, "-1": -1}.get(request.POST.get("thumbs", ""))
        if request.method == "POST" and thumbs:
            rate(question, thumbs=thumbs, comment=question.comment)
            self.message_user(request, _("Thank you. Your rating is stored."), messages.SUCCESS)
        return redirect("admin:knowledge_question_change", question_id)

    # --- What retrieval finds ---

    def retrieval(self, request: HttpRequest) -> HttpResponse:
        """A query, and each passage found with every score, also those too weak to be used; and what a model
        would be sent.
        """
        _let_in(request)
        accounts = list(Account.objects.order_by("slug")[:MOST_ACCOUNTS])
        slug = request.GET.get("account", "")
        account = next((one for one in accounts if one.slug == slug), accounts[0] if accounts else None)
        query = request.GET.get("q", "")[:LONGEST_QUESTION]
        context = {
            **self._page(request, _("What retrieval finds"), account),
            "accounts": accounts,
            "query": query,
        }
        if account is not None and query:
            found = async_to_sync(passages_for)(
                query, account=account, collections=context["collections"], limit=20, min_score=0.0
            )
            used = async_to_sync(passages_for)(
                query, account=account, collections=context["collections"], limit=PASSAGES
            )
            context |= {
                "passages": found,
                "sent": sent_to_a_model(query, used, account),
                "terms": question_terms(query),
                "least": MIN_SCORE,
                "searched": True,
            }
        return TemplateResponse(request, "admin/knowledge/retrieval.html", context)


def _let_in(request: HttpRequest) -> None:
    if not may_ask(request.user):
        raise Http404


async def _last_event(
    question: str, account: Account, collections: list[Collection], *, user: Any
) -> AnswerEvent:
    last = AnswerEvent("failed", {"message": str(_("No answer could be written. Try again."))})
    async for event in answer(
        question, account=account, collections=collections, asked_by=user.get_username(), user=user
    ):
        last = event
    return last


def parts_of(text: str, citations: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any] | None]]:
    """The answer as pieces of text, each followed by the citation whose number comes next."""
    by_number = {cited["number"]: cited for cited in citations}
    parts: list[tuple[str, dict[str, Any] | None]] = []
    position = 0
    for mark in MARK.finditer(text):
        cited = by_number.get(int(mark.group(1))) if mark.group(1).isdigit() else None
        if cited is not None:
            parts.append((text[position : mark.start()], cited))
            position = mark.end()
    return [*parts, (text[position:], None)]
