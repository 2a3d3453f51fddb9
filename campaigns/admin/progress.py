"""How a campaign comes along: figures, the funnel, its course over time; and emails nobody is sure about."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.translation import gettext as _

from campaigns import claiming, courses, states
from campaigns.admin import moves
from campaigns.admin.charts import chart_of, funnel_of
from campaigns.admin.looks import CAMPAIGN_COLOURS, page
from campaigns.admin.resending import note_resent, tell_resent
from campaigns.admin.winners import split_facts
from campaigns.figures import sent_per_second
from campaigns.models import Campaign, Delivery

if TYPE_CHECKING:
    from campaigns.admin.campaigns import CampaignAdmin

SHOWN_UNKNOWN = 50


def urls(campaigns: "CampaignAdmin") -> list[URLPattern]:
    pages, wrap = _Pages(campaigns), campaigns.admin_site.admin_view
    name = "campaigns_campaign"
    return [
        path("<uuid:pk>/progress/", wrap(pages.progress), name=f"{name}_course"),
        path("<uuid:pk>/progress.json", wrap(pages.figures), name=f"{name}_progress"),
        path("<uuid:pk>/unknown/", wrap(pages.unknown), name=f"{name}_unknown"),
    ]


def facts(campaign: Campaign) -> dict[str, Any]:
    """What the pages of a campaign show of it."""
    figures = states.progress([campaign.pk])[campaign.pk]
    return {
        "campaign": campaign,
        "figures": figures,
        **speed(campaign, left=figures.left),
        "moves": moves.offered(campaign),
        "colour": CAMPAIGN_COLOURS[campaign.state],
        # Nobody can be invited before people are in it, so that comes first.
        "wants_people": figures.people == 0 and campaign.state == Campaign.State.DRAFT,
    }


def speed(campaign: Campaign, *, left: int) -> dict[str, Any]:
    """Emails a second over the last minute, and the time to finish in words; a dash when nobody can say."""
    is_running = campaign.state == Campaign.State.RUNNING
    per_second = sent_per_second(campaign.pk) if is_running else 0.0
    return {
        "per_second": round(per_second, 1),
        "finish": in_words(round(left / per_second)) if per_second and left else "–",
    }


def in_words(seconds: int) -> str:
    if seconds < 120:
        return _("%(n)s s") % {"n": seconds}
    hours, minutes = divmod(round(seconds / 60), 60)
    words = {"hours": hours, "minutes": minutes}
    return (_("%(hours)s h %(minutes)s min") if hours else _("%(minutes)s min")) % words


class _Pages:
    def __init__(self, campaigns: "CampaignAdmin") -> None:
        self._campaigns = campaigns

    def progress(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """The whole page, or with ?part=course only what changes on it."""
        campaign = self._campaigns.campaign(request, pk, change=False)
        course = courses.course_of(campaign)
        context = facts(campaign) | split_facts(campaign)
        context |= {
            "title": f"{_('Progress')}: {campaign.name}",
            "chart": chart_of(course) if course else None,
            "funnel": funnel_of(context["figures"]),
            "is_live": campaign.state in (Campaign.State.RUNNING, Campaign.State.FINISHED),
        }
        is_part = request.GET.get("part") == "course"
        template = "admin/campaigns/_course.html" if is_part else "admin/campaigns/progress.html"
        return page(request, template, context, about=campaign)

    def figures(self, request: HttpRequest, pk: UUID) -> JsonResponse:
        campaign = self._campaigns.campaign(request, pk, change=False)
        figures = states.progress([campaign.pk])[campaign.pk]
        state = {
            "state": campaign.state,
            "label": campaign.get_state_display(),
            "reason": campaign.state_reason,
        }
        is_live = campaign.state in (Campaign.State.RUNNING, Campaign.State.SCHEDULED)
        moving = speed(campaign, left=figures.left)
        return JsonResponse({**state, **figures.as_json(), **moving, "is_live": is_live})

    def unknown(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Emails that may or may not have been taken: a person decides whether they are sent again."""
        campaign = self._campaigns.campaign(request, pk)
        rows = campaign.deliveries.filter(state=Delivery.State.UNKNOWN)
        if request.method == "POST":
            self._resend(request, campaign)
            return redirect("admin:campaigns_campaign_course", campaign.pk)
        context = {
            "title": f"{_('Send unknown emails again')}: {campaign.name}",
            "campaign": campaign,
            "count": rows.count(),
            "gone": rows.filter(rendered="").count(),
            "emails": rows.defer("rendered").order_by("to_email")[:SHOWN_UNKNOWN],
            "shown": SHOWN_UNKNOWN,
        }
        return page(request, "admin/campaigns/unknown.html", context, about=campaign)

    def _resend(self, request: HttpRequest, campaign: Campaign) -> None:
        moved = claiming.resend(Delivery.objects.filter(campaign=campaign, state=Delivery.State.UNKNOWN))
        if not moved:
            messages.warning(request, _("No email of this campaign is unknown and still kept."))
            return
        note_resent(request, campaign.account, moved, target=campaign)
        tell_resent(request, moved)
