"""Documents: uploaded through the one ingestion, followed, retried, read passage by passage."""

from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from config.api.audit import record
from config.api.errors import NotFoundError
from config.api.models import AuditEntry
from knowledge.api import file_response
from knowledge.citing import place_in_words
from knowledge.ingestion import Refused, add_document, remove_document, retry
from knowledge.models import Chunk, Collection, Document

PASSAGES_ON_A_PAGE = 50
STATE_COLOURS = {
    Document.State.QUEUED: "info",
    Document.State.READING: "info",
    Document.State.READY: "success",
    Document.State.FAILED: "danger",
    Document.State.REFUSED: "warning",
}


class UploadForm(forms.Form):
    collection = forms.ModelChoiceField(
        Collection.objects.select_related("account"), label=_("Collection"), widget=UnfoldAdminSelectWidget
    )
    title = forms.CharField(
        label=_("Title"),
        required=False,
        max_length=300,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Empty: the name of the file."),
    )
    file = forms.FileField(
        label=_("File"),
        allow_empty_file=True,
        widget=UnfoldAdminFileFieldWidget,
        help_text=_("PDF, Word, Excel, text, Markdown, CSV, JSON or HTML."),
    )

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > settings.MAX_DOCUMENT_BYTES:
            raise forms.ValidationError(
                _("The file is larger than %(most)d MB."),
                params={"most": settings.MAX_DOCUMENT_BYTES // 1024**2},
            )
        return file

    def ingested(self) -> Document | None:
        """The document; None, with an error on the form, when the file was refused."""
        given = self.cleaned_data
        file = given["file"]
        try:
            return add_document(
                given["collection"], title=given["title"], filename=file.name, content=file.read()
            )
        except Refused as refusal:
            self.add_error("file", str(refusal))
            return None


def only_one() -> Collection | None:
    """The collection, when there is no choice."""
    first = Collection.objects.order_by("pk")[:2]
    return first[0] if len(first) == 1 else None


def parts_in_words(document: Document) -> str:
    """How far the reader is, while it reads."""
    if document.state != Document.State.READING or not document.units_total:
        return ""
    words = {"pages": _("%(done)s of %(total)s pages"), "rows": _("%(done)s of %(total)s rows")}
    text = words.get(document.unit, _("%(done)s of %(total)s records"))
    done, total = f"{document.units_done or 0:,}", f"{document.units_total:,}"
    return " · " + text % {"done": done, "total": total}


@admin.register(Document)
class DocumentAdmin(ModelAdmin):
    list_display = [
        "title",
        "collection",
        "state_label",
        "how_far",
        "passage_count",
        "origin_kind",
        "created_at",
    ]
    list_filter = [
        ("state", ChoicesDropdownFilter),
        ("collection", RelatedDropdownFilter),
        ("collection__account", RelatedDropdownFilter),
    ]
    list_filter_submit = True
    list_select_related = ["collection"]
    search_fields = ["title", "filename", "origin_id"]
    show_full_result_count = False
    actions = ["read_again"]

    class Media:
        css: ClassVar = {"all": ["knowledge/admin.css"]}

    fields = [
        "title",
        "collection",
        "state",
        "reason",
        "how_far",
        "passage_count",
        "page_count",
        "links",
        "filename",
        "also_known_as",
        "mime",
        "size_bytes",
        "checksum",
        "origin_kind",
        "origin_id",
        "attempts",
        "created_at",
        "updated_at",
    ]
    readonly_fields = [name for name in fields if name != "title"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Document]:
        return super().get_queryset(request).filter(superseded_at=None).defer("given_sections")

    def get_urls(self) -> list[URLPattern]:
        site = self.admin_site.admin_view
        return [
            path("<uuid:document_id>/passages/", site(self.passages), name="knowledge_document_passage"),
            path("<uuid:document_id>/file/", site(self.download), name="knowledge_document_file"),
            path("<uuid:document_id>/retry/", site(self.retry_one), name="knowledge_document_retry"),
            *super().get_urls(),
        ]

    @display(description=_("State"), label=STATE_COLOURS, ordering="state")  # type: ignore[untyped-decorator]
    def state_label(self, document: Document) -> tuple[str, str]:
        return document.state, document.get_state_display()

    @display(description=_("Passages"), ordering="chunk_count")  # type: ignore[untyped-decorator]
    def passage_count(self, document: Document) -> int:
        return document.chunk_count

    @display(description=_("Progress"), ordering="progress_percent")  # type: ignore[untyped-decorator]
    def how_far(self, document: Document) -> str:
        if document.state in (Document.State.FAILED, Document.State.REFUSED):
            return "–"
        return format_html(
            '<progress max="100" value="{0}" aria-label="{1}"></progress> {0} %{2}',
            document.progress_percent,
            document.title,
            parts_in_words(document),
        )

    @display(description=_("Other names"))  # type: ignore[untyped-decorator]
    def also_known_as(self, document: Document) -> str:
        return ", ".join(other.name for other in document.other_names.all()) or "–"

    @display(description=_("Open"))  # type: ignore[untyped-decorator]
    def links(self, document: Document) -> str:
        return format_html(
            '<a class="knowledge-link" href="{}">{}</a> · <a class="knowledge-link" href="{}">{}</a>',
            reverse("admin:knowledge_document_passage", args=[document.pk]),
            _("Passages"),
            reverse("admin:knowledge_document_file", args=[document.pk]),
            _("Download the file"),
        )

    # --- Adding is uploading ---

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise Http404
        form = UploadForm(request.POST or None, request.FILES or None, initial={"collection": only_one()})
        if request.method == "POST" and form.is_valid():
            document = form.ingested()
            if document is not None:
                self.log_addition(request, document, [{"added": {}}])
                self.message_user(request, _("Stored. It is being read now."), messages.SUCCESS)
                return redirect("admin:knowledge_document_change", document.pk)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Add a document"),
            "form": form,
            "has_collections": Collection.objects.exists(),
        }
        return TemplateResponse(request, "admin/knowledge/upload.html", context)

    # --- Reading again, removing ---

    @admin.action(description=_("Read again what failed or was refused"), permissions=["change"])
    def read_again(self, request: HttpRequest, queryset: QuerySet[Document]) -> None:
        count = sum(retry(document) for document in queryset)
        text = ngettext("%d document is read again.", "%d documents are read again.", count)
        self.message_user(request, text % count, messages.SUCCESS if count else messages.WARNING)

    def retry_one(self, request: HttpRequest, document_id: UUID) -> HttpResponse:
        document = self._document(request, document_id)
        if request.method == "POST" and self.has_change_permission(request, document) and retry(document):
            self.message_user(request, _("It is read again."), messages.SUCCESS)
        return redirect("admin:knowledge_document_change", document_id)

    def delete_model(self, request: HttpRequest, document: Document) -> None:
        remove_document(document)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Document]) -> None:
        for document in queryset.iterator(chunk_size=200):
            remove_document(document)

    # --- Its passages, its file ---

    def _document(self, request: HttpRequest, document_id: UUID) -> Document:
        if not self.has_view_permission(request):
            raise Http404
        rows = Document.objects.select_related("collection__account").defer("given_sections")
        return get_object_or_404(rows, pk=document_id)

    def passages(self, request: HttpRequest, document_id: UUID) -> HttpResponse:
        """Every passage in order; ?chunk=<id> opens its page and marks it."""
        document = self._document(request, document_id)
        self._note(request, document, "read passages")
        chunks = document.chunks.order_by("position").defer("vector", "terms")
        wanted = self._wanted(document, request.GET.get("chunk", ""))
        number = wanted.position // PASSAGES_ON_A_PAGE + 1 if wanted else request.GET.get("p", 1)
        page = Paginator(chunks, PASSAGES_ON_A_PAGE).get_page(number)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": document.title,
            "document": document,
            "page": page,
            "passages": [(chunk, place_in_words(chunk.locator)) for chunk in page],
            "wanted": wanted.pk if wanted else None,
        }
        return TemplateResponse(request, "admin/knowledge/passages.html", context)

    def _wanted(self, document: Document, chunk_id: str) -> Chunk | None:
        if not (chunk_id.isascii() and chunk_id.isdigit() and len(chunk_id) < 19):
            return None
        return document.chunks.filter(pk=int(chunk_id)).defer("vector", "terms").first()

    def download(self, request: HttpRequest, document_id: UUID) -> FileResponse:
        document = self._document(request, document_id)
        try:
            response = file_response(document)
        except NotFoundError as error:
            raise Http404(error.message) from None
        self._note(request, document, "download document")
        return response

    def _note(self, request: HttpRequest, document: Document, action: str) -> None:
        account = document.collection.account
        staff = AuditEntry.ActorKind.STAFF
        record(account, staff, request.user.get_username(), action, target=document, request=request)
