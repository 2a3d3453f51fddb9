"""Starting, pausing, resuming and cancelling a campaign: each says first whom it touches."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from django.utils.translation import ngettext

from campaigns import previewing, states
from campaigns.admin.looks import confirmation, page
from campaigns.models import Campaign
from config.api.audit import record

if TYPE_CHECKING:
    from campaigns.admin.campaigns import CampaignAdmin


@dataclass(frozen=True, slots=True)
class Move:
    """Something staff can do to a campaign, where it is offered, and what it will say first."""

    name: str  # as it is recorded
    label: str | Promise
    start: tuple[str, ...]
    question: Callable[[Campaign], str]
    do: Callable[[Campaign], bool]


def _start(campaign: Campaign) -> bool:
    states.start(campaign)
    return True


def _start_question(campaign: Campaign) -> str:
    audience = previewing.audience_of(campaign)
    people = ngettext("%(n)s person will be invited.", "%(n)s people will be invited.", audience.will_get)
    skipped = sum(audience.skipped.values())
    where = campaign.smtp_server or _("the outbox: nothing leaves this machine")
    words = people % {"n": audience.will_get} + " " + _("The emails go through %(where)s.") % {"where": where}
    return words + (" " + _("%(n)s will be skipped.") % {"n": skipped} if skipped else "")


def _about_left(one: str, many: str) -> Callable[[Campaign], str]:
    """A question with the number of people who have still to get their email."""

    def question(campaign: Campaign) -> str:
        left = states.progress([campaign.pk])[campaign.pk].left
        return ngettext(one, many, left) % {"n": left}

    return question


MOVES = {
    "start": Move(
        "Start", _l("Start"), (Campaign.State.DRAFT, Campaign.State.SCHEDULED), _start_question, _start
    ),
    "pause": Move(
        "Pause",
        _l("Pause"),
        (Campaign.State.RUNNING,),
        _about_left(
            "%(n)s person has still to get their email; they will wait.",
            "%(n)s people have still to get their email; they will wait.",
        ),
        lambda one: states.pause(one.pk, reason=_("Paused by staff.")),
    ),
    "resume": Move(
        "Resume",
        _l("Resume"),
        (Campaign.State.PAUSED,),
        _about_left(
            "%(n)s person has still to get their email.", "%(n)s people have still to get their email."
        ),
        lambda one: states.resume(one.pk),
    ),
    "cancel": Move(
        "Cancel the campaign",
        _l("Cancel the campaign"),
        (Campaign.State.DRAFT, Campaign.State.SCHEDULED, Campaign.State.RUNNING, Campaign.State.PAUSED),
        _about_left(
            "%(n)s person will not be invited. This cannot be undone.",
            "%(n)s people will not be invited. This cannot be undone.",
        ),
        lambda one: states.cancel(one.pk),
    ),
}


def offered(campaign: Campaign) -> list[dict[str, object]]:
    found: list[dict[str, object]] = [
        {"url": reverse("admin:campaigns_campaign_move", args=[campaign.pk, name]), "label": move.label}
        for name, move in MOVES.items()
        if campaign.state in move.start
    ]
    if campaign.state in MOVES["start"].start:
        later = reverse("admin:campaigns_campaign_schedule", args=[campaign.pk])
        found.insert(1, {"url": later, "label": _("Start later")})
    return found


class StartTimeForm(forms.Form):
    at = forms.DateTimeField(
        label=_l("Start at"),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local", "class": "rc-input"}),
    )


def urls(campaigns: "CampaignAdmin") -> list[URLPattern]:
    pages, wrap = _Pages(campaigns), campaigns.admin_site.admin_view
    return [
        path("<uuid:pk>/schedule/", wrap(pages.schedule), name="campaigns_campaign_schedule"),
        path("<uuid:pk>/move/<str:name>/", wrap(pages.move), name="campaigns_campaign_move"),
    ]


class _Pages:
    def __init__(self, campaigns: "CampaignAdmin") -> None:
        self._campaigns = campaigns

    def move(self, request: HttpRequest, pk: UUID, name: str) -> HttpResponse:
        campaign, move = self._campaigns.campaign(request, pk), MOVES.get(name)
        back = redirect("admin:campaigns_campaign_change", campaign.pk)
        if move is None or campaign.state not in move.start:
            messages.error(request, _("The campaign is %(state)s.") % {"state": campaign.get_state_display()})
            return back
        if request.method != "POST":
            return confirmation(
                request,
                about=campaign,
                title=f"{move.label}: {campaign.name}",
                question=move.question(campaign),
                button=str(move.label),
                back=reverse("admin:campaigns_campaign_change", args=[campaign.pk]),
            )
        self._do(request, campaign, move)
        return back

    def schedule(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Start at a time, in the zone of the installation."""
        campaign = self._campaigns.campaign(request, pk)
        form = StartTimeForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                states.schedule(campaign, form.cleaned_data["at"])
            except states.MoveRefusedError as error:
                form.add_error("at", str(error))
            else:
                who = request.user.get_username()
                record(campaign.account, "staff", who, "campaign: Schedule", target=campaign)
                messages.success(request, _("The campaign is scheduled."))
                return redirect("admin:campaigns_campaign_change", campaign.pk)
        context = {
            "title": f"{_('Start later')}: {campaign.name}",
            "campaign": campaign,
            "form": form,
            "question": MOVES["start"].question(campaign),
            "zone": timezone.get_current_timezone_name(),
        }
        return page(request, "admin/campaigns/schedule.html", context, about=campaign)

    def _do(self, request: HttpRequest, campaign: Campaign, move: Move) -> None:
        try:
            done = move.do(campaign)
        except states.MoveRefusedError as error:
            messages.error(request, str(error))
            return
        if not done:
            messages.error(request, _("The campaign has moved on meanwhile. Please look again."))
            return
        who = request.user.get_username()
        record(campaign.account, "staff", who, f"campaign: {move.name}", target=campaign)
        messages.success(request, _("Done: %(what)s.") % {"what": move.label})
