"""The A/B test of a campaign: how the versions do, and the winner chosen by a person."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns import splitting
from campaigns.admin.looks import confirmation
from campaigns.models import Campaign, Recipient, SplitTest, Variant
from config.api.audit import record

if TYPE_CHECKING:
    from campaigns.admin.campaigns import CampaignAdmin


def urls(campaigns: "CampaignAdmin") -> list[URLPattern]:
    view = campaigns.admin_site.admin_view(_Pages(campaigns).choose)
    return [path("<uuid:pk>/winner/<str:version>/", view, name="campaigns_campaign_winner")]


def split_facts(campaign: Campaign) -> dict[str, Any]:
    """What the progress page shows of the test, if there is one."""
    test: SplitTest | None = getattr(campaign, "split_test", None)
    if test is None:
        return {}
    result = splitting.result_of(test)
    sides = [(Variant.A, result.a), (Variant.B, result.b)]
    rows = [(variant, side, round(100 * side.share)) for variant, side in sides]
    return {"split": test, "split_result": result, "split_rows": rows}


class _Pages:
    def __init__(self, campaigns: "CampaignAdmin") -> None:
        self._campaigns = campaigns

    def choose(self, request: HttpRequest, pk: UUID, version: str) -> HttpResponse:
        campaign = self._campaigns.campaign(request, pk)
        test: SplitTest | None = getattr(campaign, "split_test", None)
        if test is None or version not in Variant.values:
            raise Http404
        back = reverse("admin:campaigns_campaign_course", args=[pk])
        label = Variant(version).label
        if request.method != "POST":
            return confirmation(
                request,
                about=campaign,
                title=f"{_('Choose version %(name)s') % {'name': label}}: {campaign.name}",
                question=_question(campaign, label),
                button=_("Choose version %(name)s") % {"name": label},
                back=back,
            )
        self._choose(request, campaign, test, version)
        return redirect(back)

    def _choose(self, request: HttpRequest, campaign: Campaign, test: SplitTest, version: str) -> None:
        who = request.user.get_username()
        try:
            splitting.choose(test, version, by=who)
        except splitting.SplitRefusedError as error:
            messages.error(request, str(error))
            return
        detail = {"winner": version}
        record(
            campaign.account, "staff", who, "chose the winner of an A/B test", target=campaign, detail=detail
        )
        messages.success(request, _("Everybody who is invited from now on gets this version."))


def _question(campaign: Campaign, label: str) -> str:
    waiting = campaign.recipients.filter(state=Recipient.State.WAITING).count()
    words = ngettext(
        "%(n)s person who has not been invited yet gets version %(name)s. This cannot be undone.",
        "%(n)s people who have not been invited yet get version %(name)s. This cannot be undone.",
        waiting,
    )
    return words % {"n": waiting, "name": label}
