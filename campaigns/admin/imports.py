"""Importing people in the admin: upload, look at what it would do, confirm, watch."""

from typing import TYPE_CHECKING
from uuid import UUID

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from unfold.admin import ModelAdmin
from unfold.decorators import display

from campaigns import csv_reading, importing
from campaigns.admin.looks import moment, page
from campaigns.models import ContactImport
from config.api.audit import record

if TYPE_CHECKING:
    from campaigns.admin.campaigns import CampaignAdmin

SHOWN_ERRORS = 100


def urls(campaigns: "CampaignAdmin") -> list[URLPattern]:
    pages, wrap = _Pages(campaigns), campaigns.admin_site.admin_view
    name = "campaigns_campaign_import"
    return [
        path("<uuid:pk>/import/", wrap(pages.upload), name=name),
        path("<uuid:pk>/import/<uuid:import_id>/", wrap(pages.look), name=f"{name}_look"),
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
            return page(request, "admin/campaigns/import.html", context, about=campaign)
        try:
            if file is None:
                raise importing.ImportRefusedError(_("Choose a CSV file first."))
            if (file.size or 0) > csv_reading.MAX_BYTES:
                raise importing.ImportRefusedError(_("The file is larger than 20 MB."))
            kept = importing.keep(campaign, file.read(), filename=file.name or "")
        except importing.ImportRefusedError as error:
            refused = {**context, "problem": str(error)}
            return page(request, "admin/campaigns/import.html", refused, about=campaign, status=400)
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
            "joining": kept.counts.get("new", 0) + kept.counts.get("updated", 0),
            "errors": kept.errors[:SHOWN_ERRORS],
        }
        return page(request, "admin/campaigns/import_look.html", context, about=kept.campaign)

    def _start(self, request: HttpRequest, kept: ContactImport) -> None:
        if not importing.start(kept):
            messages.error(request, _("This import was started before."))
            return
        record(
            kept.campaign.account,
            "staff",
            request.user.get_username(),
            "imported people",
            target=kept.campaign,
            detail=kept.counts,
        )

    def errors(self, request: HttpRequest, pk: UUID, import_id: UUID) -> HttpResponse:
        kept = self._kept(request, pk, import_id)
        response = HttpResponse(importing.error_rows(kept), content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="errors-{kept.pk}.csv"'
        return response

    def progress(self, request: HttpRequest, pk: UUID, import_id: UUID) -> JsonResponse:
        kept = self._kept(request, pk, import_id)
        is_live = kept.state == ContactImport.State.RUNNING
        words = {"state": kept.state, "label": kept.get_state_display(), "reason": kept.reason}
        return JsonResponse({**words, "done": kept.done_rows, "total": kept.row_count, "is_live": is_live})

    def _kept(self, request: HttpRequest, pk: UUID, import_id: UUID) -> ContactImport:
        campaign = self._campaigns.campaign(request, pk)
        rows = ContactImport.objects.select_related("campaign__account")
        kept: ContactImport = get_object_or_404(rows, pk=import_id, campaign=campaign)
        return kept


@admin.register(ContactImport)
class ContactImportAdmin(ModelAdmin):
    list_display = ("filename", "campaign", "state_label", "row_count", "done_rows", "uploaded")
    list_filter = ("state", "campaign__account")
    list_select_related = ("campaign",)
    search_fields = ("filename", "campaign__name")
    show_full_result_count = False

    @display(  # type: ignore[untyped-decorator]
        description="State",
        label={"checked": "info", "running": "warning", "done": "success", "failed": "danger"},
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
