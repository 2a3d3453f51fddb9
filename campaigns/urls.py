"""Paths of campaigns: its APIs and pages."""

from django.urls import URLPattern, URLResolver, include, path

from campaigns import pages, tracking_pages
from campaigns.api import (
    calling,
    campaigns,
    inbound,
    outbox,
    people,
    previews,
    progress,
    schedules,
    templates,
    webhooks,
)

API = "api/v1"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("campaigns.marketing_urls")),
    path("u/<str:token>", pages.unsubscribe, name="unsubscribe"),
    path("t/<str:tag>.gif", tracking_pages.pixel, name="tracking-pixel"),
    path("t/<str:tag>", tracking_pages.link, name="tracking-link"),
    path(f"{API}/webhooks/bounce/<str:provider>", webhooks.BounceWebhook.as_view(), name="webhook-bounce"),
    path(f"{API}/webhooks/inbound/<str:provider>", webhooks.InboundWebhook.as_view(), name="webhook-inbound"),
    path(f"{API}/campaigns", campaigns.CampaignList.as_view(), name="campaigns"),
    path(f"{API}/campaigns/<uuid:campaign_id>", campaigns.CampaignDetail.as_view(), name="campaign"),
    path(
        f"{API}/campaigns/<uuid:campaign_id>/call-batches",
        calling.CampaignCallBatches.as_view(),
        name="campaign-call-batches",
    ),
    path(f"{API}/campaigns/<uuid:campaign_id>/import", people.ImportView.as_view(), name="campaign-import"),
    path(
        f"{API}/campaigns/<uuid:campaign_id>/imports/<uuid:import_id>",
        people.ImportDetail.as_view(),
        name="campaign-import-state",
    ),
    path(
        f"{API}/campaigns/<uuid:campaign_id>/imports/<uuid:import_id>/errors.csv",
        people.ImportErrors.as_view(),
        name="campaign-import-errors",
    ),
    path(
        f"{API}/campaigns/<uuid:campaign_id>/preview",
        previews.PreviewView.as_view(),
        name="campaign-preview",
    ),
    path(
        f"{API}/campaigns/<uuid:campaign_id>/progress",
        progress.ProgressView.as_view(),
        name="campaign-progress",
    ),
    path(f"{API}/campaigns/<uuid:campaign_id>/start", campaigns.StartView.as_view(), name="campaign-start"),
    path(
        f"{API}/campaigns/<uuid:campaign_id>/schedule",
        campaigns.ScheduleView.as_view(),
        name="campaign-schedule",
    ),
    path(f"{API}/campaigns/<uuid:campaign_id>/pause", campaigns.PauseView.as_view(), name="campaign-pause"),
    path(
        f"{API}/campaigns/<uuid:campaign_id>/resume", campaigns.ResumeView.as_view(), name="campaign-resume"
    ),
    path(
        f"{API}/campaigns/<uuid:campaign_id>/cancel", campaigns.CancelView.as_view(), name="campaign-cancel"
    ),
    path(
        f"{API}/campaigns/<uuid:campaign_id>/recipients",
        people.RecipientList.as_view(),
        name="campaign-recipients",
    ),
    path(
        f"{API}/campaigns/<uuid:campaign_id>/recipients/<int:recipient_id>/stop",
        schedules.StopView.as_view(),
        name="campaign-recipient-stop",
    ),
    path(f"{API}/campaigns/<uuid:campaign_id>/steps", schedules.StepsView.as_view(), name="campaign-steps"),
    path(
        f"{API}/campaigns/<uuid:campaign_id>/sending-schedule",
        schedules.SendingScheduleView.as_view(),
        name="campaign-sending-schedule",
    ),
    path(
        f"{API}/campaigns/<uuid:campaign_id>/split-test",
        schedules.SplitTestView.as_view(),
        name="campaign-split-test",
    ),
    path(
        f"{API}/campaigns/<uuid:campaign_id>/split-test/winner",
        schedules.WinnerView.as_view(),
        name="campaign-split-test-winner",
    ),
    path(
        f"{API}/campaigns/<uuid:campaign_id>/preview/people",
        schedules.PlannedPeople.as_view(),
        name="campaign-preview-people",
    ),
    path(
        f"{API}/campaigns/<uuid:campaign_id>/deliveries",
        people.DeliveryList.as_view(),
        name="campaign-deliveries",
    ),
    path(f"{API}/email-templates", templates.TemplateList.as_view(), name="email-templates"),
    path(
        f"{API}/email-templates/<uuid:template_id>", templates.TemplateDetail.as_view(), name="email-template"
    ),
    path(f"{API}/inbound-emails", inbound.InboundEmailList.as_view(), name="inbound-emails"),
    path(f"{API}/inbound-emails/<uuid:email_id>", inbound.InboundEmailDetail.as_view(), name="inbound-email"),
    path(f"{API}/email-threads/<uuid:contact_id>", inbound.EmailThread.as_view(), name="email-thread"),
    path(f"{API}/outbox", outbox.OutboxList.as_view(), name="outbox"),
    path(f"{API}/outbox/<uuid:delivery_id>", outbox.OutboxDetail.as_view(), name="outbox-email"),
]
