"""The pre-flight page of a server and of a campaign; a test of the connection only when staff ask for it."""

from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin

from campaigns import preflight, trying
from campaigns.admin.looks import page
from campaigns.models import Campaign, SmtpServer
from campaigns.sender_records import Finding, Level

COLOURS = {
    Level.OK: "success",
    Level.WARNING: "warning",
    Level.PROBLEM: "danger",
    Level.UNKNOWN: "default",
}
LABELS = {
    Level.OK: gettext_lazy("Good"),
    Level.WARNING: gettext_lazy("Look at this"),
    Level.PROBLEM: gettext_lazy("Problem"),
    Level.UNKNOWN: gettext_lazy("Not known"),
}
TEMPLATE = "admin/campaigns/preflight.html"


def server_urls(of: ModelAdmin) -> list[URLPattern]:
    def view(request: HttpRequest, pk: int) -> HttpResponse:
        server = get_object_or_404(SmtpServer.objects.select_related("account"), pk=pk)
        _check(of, request, server)
        back = reverse("admin:campaigns_smtpserver_change", args=[pk])
        return _page(request, preflight.of_server(server), server=server, about=server, back=back)

    return [
        path("<int:pk>/preflight/", of.admin_site.admin_view(view), name="campaigns_smtpserver_preflight")
    ]


def campaign_urls(of: ModelAdmin) -> list[URLPattern]:
    def view(request: HttpRequest, pk: UUID) -> HttpResponse:
        rows = Campaign.objects.select_related(
            "account", "guide__persona", "template", "smtp_server__account", "schedule"
        )
        campaign = get_object_or_404(rows, pk=pk)
        _check(of, request, campaign)
        back = reverse("admin:campaigns_campaign_change", args=[pk])
        report = preflight.of_campaign(campaign)
        return _page(request, report, server=campaign.smtp_server, about=campaign, back=back)

    return [path("<uuid:pk>/preflight/", of.admin_site.admin_view(view), name="campaigns_campaign_preflight")]


def _check(of: ModelAdmin, request: HttpRequest, row: Campaign | SmtpServer) -> None:
    """Looking needs the right to look; trying the connection, with its stored password, that to change."""
    allowed = of.has_change_permission if request.method == "POST" else of.has_view_permission
    if not allowed(request, row):
        raise PermissionDenied


def _page(
    request: HttpRequest,
    report: preflight.Report,
    *,
    server: SmtpServer | None,
    about: Campaign | SmtpServer,
    back: str,
) -> HttpResponse:
    findings = list(report.findings)
    if request.method == "POST" and server is not None:
        findings.insert(0, _tried(server))
    context: dict[str, Any] = {
        "title": f"{_('Pre-flight')}: {about}",
        "findings": [(each, COLOURS[each.level], LABELS[each.level]) for each in findings],
        "can_try": server is not None,
        "back": back,
    }
    return page(request, TEMPLATE, context, about=about)


def _tried(server: SmtpServer) -> Finding:
    tried = trying.trial(server)
    return Finding(_("Connection"), Level.OK if tried.is_ok else Level.PROBLEM, _(tried.words))
