"""Calling the people of a campaign: says first how many there are, then makes a draft of a call batch."""

from typing import TYPE_CHECKING
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns import calling
from campaigns.admin.looks import confirmation
from config.api.audit import record
from voice import batches

if TYPE_CHECKING:
    from campaigns.admin.campaigns import CampaignAdmin


def urls(campaigns: "CampaignAdmin") -> list[URLPattern]:
    page, wrap = _Page(campaigns), campaigns.admin_site.admin_view
    return [path("<uuid:pk>/calls/", wrap(page.make), name="campaigns_campaign_calls")]


class _Page:
    def __init__(self, campaigns: "CampaignAdmin") -> None:
        self._campaigns = campaigns

    def make(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        campaign = self._campaigns.campaign(request, pk)
        back = reverse("admin:campaigns_campaign_change", args=[campaign.pk])
        if request.method != "POST":
            count = calling.awaited(campaign).count()
            words = ngettext(
                "A draft of a call batch is made of %(n)s person whom this campaign still waits for.",
                "A draft of a call batch is made of %(n)s people whom this campaign still waits for.",
                count,
            )
            question = words % {"n": f"{count:,}"} + " " + _("Nobody is called before you start it.")
            title, button = f"{_('Call these people')}: {campaign.name}", _("Make the draft")
            return confirmation(
                request, about=campaign, title=title, question=question, button=button, back=back
            )
        who = request.user.get_username()
        try:
            batch = calling.batch_of(campaign, by=who)
        except batches.MoveRefused as error:
            messages.error(request, str(error))
            return redirect(back)
        record(campaign.account, "staff", who, "made call batch of campaign", target=campaign)
        return redirect("admin:voice_callbatch_change", batch.pk)
