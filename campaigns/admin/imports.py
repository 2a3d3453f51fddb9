"""Importing people in the admin: upload, look at what it would do, confirm, watch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from unfold.admin import ModelAdmin
from unfold.decorators import display

from campaigns import columns, csv_reading, encodings, excel, importing
from campaigns.admin.looks import moment, page
from campaigns.api.people import errors_file
from campaigns.models import ContactImport
from config.api.audit import record

if TYPE_CHECKING:
    from campaigns.admin.campaigns import CampaignAdmin

LIVE = (ContactImport.State.CHECKING, ContactImport.State.RUNNING)
DELIMITERS = {",": _l("comma"), ";": _l("semicolon"), "\t": _l("tab"), "|": _l("bar")}
FIELD_NAMES = {
    "email": _l("Email"),
    "name": _l("Name"),
    "first_name": _l("First name"),
    "last_name": _l("Last name"),
    "company": _l("Company"),
    "language": _l("Language"),
    "time_zone": _l("Time zone"),
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the file on the page: its first cells, and what it can be."""

    name: str
    heading: str
    own: str
    chosen: str
    cells: list[str]

    @property
    def options(self) -> list[tuple[str, str]]:
        own = _("its own: {{ %(name)s }}") % {"name": self.own}
        kept = {**FIELD_NAMES, self.own: own, columns.LEFT_OUT: _("leave out")}
        if self.chosen not in kept:  # an integration's own name for it
            kept[self.chosen] = f"{{{{ {self.chosen} }}}}"
        return [(value, str(label)) for value, label in kept.items()]


def urls(campaigns: "CampaignAdmin") -> list[URLPattern]:
    pages, wrap = _Pages(campaigns), campaigns.admin_site.admin_view
    name = "campaigns_campaign_import"
    return [
        path("<uuid:pk>/import/", wrap(pages.upload), name=name),
        path("<uuid:pk>/import/<uuid:import_id>/", wrap(pages.look), name=f"{name}_look"),
        path("<uuid:pk>/import/<uuid:import_id>/columns/", wrap(pages.columns), name=f"{name}_columns"),
        path("<uuid:pk>/import/<uuid:import_id>/errors.csv", wrap(pages.errors), name=f"{name}_errors"),
        path(
            "<uuid:pk>/import/<uuid:import_id>/progress.json", wrap(pages.progress), name=f"{name}_progress"
        ),
    ]


class _Pages:
    def __init__(self, campaigns: "CampaignAdmin") -> None:
        self._campaigns = campaigns

    def upload(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        campaign = self._campaigns.campaign(request, pk)
        context = {"title": f"{_('Import people')}: {campaign.name}", "campaign": campaign}
        file = request.FILES.get("file")
        if request.method != "POST":
            context["imports"] = campaign.imports.defer("errors", "mapping")[:10]
            return page(request, "admin/campaigns/import.html", context, about=campaign)
        try:
            if file is None:
                raise importing.ImportRefusedError(_("Choose a CSV or Excel file first."))
            if (file.size or 0) > csv_reading.MAX_BYTES:
                raise importing.ImportRefusedError(_("The file is larger than 20 MB."))
            kept = importing.receive(campaign, file.read(), filename=file.name or "")
        except (importing.ImportRefusedError, excel.ExcelBusyError) as error:
            status = 503 if isinstance(error, excel.ExcelBusyError) else 400
            refused = {**context, "problem": str(error)}
            return page(request, "admin/campaigns/import.html", refused, about=campaign, status=status)
        importing.check_as_guessed(kept)
        return redirect("admin:campaigns_campaign_import_look", campaign.pk, kept.pk)

    def look(self, request: HttpRequest, pk: UUID, import_id: UUID) -> HttpResponse:
        kept = self._kept(request, pk, import_id)
        if request.method == "POST":
            self._start(request, kept)
            return redirect("admin:campaigns_campaign_import_look", pk, import_id)
        context = {
            "title": f"{_('Import people')}: {kept.campaign.name}",
            "campaign": kept.campaign,
            "kept": kept,
            "is_live": kept.state in LIVE,
            "can_choose": kept.state in importing.CHANGEABLE,
            "joining": kept.counts.get("new", 0) + kept.counts.get("updated", 0),
            "wrong": sum(kept.counts.get(name, 0) for name in ("invalid", "suppressed", "duplicate")),
            "encoding": encodings.NAMES.get(kept.encoding.removesuffix("-sig"), kept.encoding),
            "delimiter": DELIMITERS.get(kept.delimiter, kept.delimiter),
            **_file(kept),
        }
        return page(request, "admin/campaigns/import_look.html", context, about=kept.campaign)

    def columns(self, request: HttpRequest, pk: UUID, import_id: UUID) -> HttpResponse:
        """Other columns, another encoding or separator: the file is checked again."""
        kept = self._kept(request, pk, import_id)
        if request.method == "POST":
            try:
                importing.choose(kept, _choices(request, kept))
            except (importing.ImportRefusedError, csv_reading.CsvRefusedError, FileNotFoundError) as error:
                messages.error(request, str(error))
        return redirect("admin:campaigns_campaign_import_look", pk, import_id)

    def _start(self, request: HttpRequest, kept: ContactImport) -> None:
        if not importing.start(kept):
            messages.error(request, _("This import was started before, or its campaign has ended."))
            return
        record(
            kept.campaign.account,
            "staff",
            request.user.get_username(),
            "imported people",
            target=kept.campaign,
            detail=kept.counts,
        )

    def errors(self, request: HttpRequest, pk: UUID, import_id: UUID) -> StreamingHttpResponse:
        return errors_file(self._kept(request, pk, import_id))

    def progress(self, request: HttpRequest, pk: UUID, import_id: UUID) -> JsonResponse:
        kept = self._kept(request, pk, import_id)
        words = {"state": kept.state, "label": kept.get_state_display(), "reason": kept.reason}
        figures = {"done": kept.done_rows, "total": kept.row_count, "is_live": kept.state in LIVE}
        return JsonResponse({**words, **figures})

    def _kept(self, request: HttpRequest, pk: UUID, import_id: UUID) -> ContactImport:
        campaign = self._campaigns.campaign(request, pk)
        rows = ContactImport.objects.select_related("campaign__account")
        kept: ContactImport = get_object_or_404(rows, pk=import_id, campaign=campaign)
        return kept


def _file(kept: ContactImport) -> dict[str, Any]:
    """What the file itself shows: its columns with a few cells, and how else it could be read."""
    try:
        table = importing.table_of(kept)
    except (csv_reading.CsvRefusedError, FileNotFoundError) as error:
        return {"file_problem": str(error)}
    shown = {"columns": _columns(table, kept.mapping), "delimiters": list(DELIMITERS.items())}
    if table.sheet or not encodings.is_open_question(table.content):
        return shown
    samples = encodings.samples(table.content, kept.encoding)
    return {**shown, "encodings": _readings(table.content), "samples": samples}


def _columns(table: csv_reading.Table, mapping: Mapping[str, str]) -> list[Column]:
    rows = table.first_rows()[:3]
    return [
        Column(
            name=f"column-{at}",
            heading=heading,
            own=columns.own_name(heading, at + 1),
            chosen=mapping.get(heading, columns.LEFT_OUT),
            cells=[row[at] for row in rows if at < len(row) and row[at].strip()],
        )
        for at, heading in enumerate(table.headings)
    ]


def _readings(content: bytes) -> list[tuple[str, str]]:
    """The encodings that this can be, each with how some of its words would read."""
    found = []
    for name, label in encodings.NAMES.items():
        # Any bytes of an even number are some UTF-16; without its mark nobody means it.
        if name != "utf-16" and encodings.readable(content, name):
            words = ", ".join(encodings.samples(content, name)[:3])
            found.append((name, f"{label}: {words}" if words else label))
    return found


def _choices(request: HttpRequest, kept: ContactImport) -> importing.Choices:
    encoding, delimiter = request.POST.get("encoding", ""), request.POST.get("delimiter", "")
    table = importing.table_of(
        kept, encoding=encoding, delimiter=delimiter if delimiter in DELIMITERS else ""
    )
    chosen = [request.POST.get(f"column-{at}") for at in range(len(table.headings))]
    if None in chosen or f"column-{len(table.headings)}" in request.POST:  # divided anew: other columns
        return importing.Choices(columns.guess_mapping(table.headings), table.encoding, table.delimiter)
    mapping = {heading: field or "" for heading, field in zip(table.headings, chosen, strict=True)}
    return importing.Choices(mapping, table.encoding, table.delimiter)


@admin.register(ContactImport)
class ContactImportAdmin(ModelAdmin):
    list_display = ("filename", "campaign", "state_label", "row_count", "done_rows", "uploaded")
    list_filter = ("state", "campaign__account")
    list_select_related = ("campaign",)
    search_fields = ("filename", "campaign__name")
    show_full_result_count = False

    @display(  # type: ignore[untyped-decorator]
        description="State",
        label={
            "uploaded": "info",
            "checking": "warning",
            "checked": "info",
            "running": "warning",
            "done": "success",
            "failed": "danger",
        },
    )
    def state_label(self, kept: ContactImport) -> tuple[str, str]:
        return kept.state, kept.get_state_display()

    @display(description="Uploaded", ordering="created_at")  # type: ignore[untyped-decorator]
    def uploaded(self, kept: ContactImport) -> str:
        return moment(kept.created_at)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: object = None
    ) -> HttpResponse:
        kept = self.get_object(request, object_id)
        if kept is None:
            return redirect("admin:campaigns_contactimport_changelist")
        return redirect("admin:campaigns_campaign_import_look", kept.campaign_id, kept.pk)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ContactImport | None = None) -> bool:
        return False
