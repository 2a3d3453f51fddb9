"""How a campaign's emails read to one person, before anything is sent; and a test to oneself."""

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _

from campaigns import previewing, scheduling, wording
from campaigns.admin.looks import key_in, page
from campaigns.admin.recipients import SKIP_REASONS
from campaigns.models import Campaign, EmailTemplate, Recipient, SmtpServer
from config.api.audit import record
from crm.contacts import InvalidAddress, email_of, normalise_email, uuid_of
from crm.models import Contact
from interviews.models import Guide

if TYPE_CHECKING:
    from campaigns.admin.campaigns import CampaignAdmin

OFFERED_PEOPLE = 20
TIMETABLE_ROWS = 25


def urls(campaigns: "CampaignAdmin") -> list[URLPattern]:
    pages, wrap = _Pages(campaigns), campaigns.admin_site.admin_view
    name = "campaigns_campaign_preview"
    return [
        path("<uuid:pk>/preview/", wrap(pages.preview), name=name),
        path("<uuid:pk>/preview.json", wrap(pages.live), name=f"{name}_live"),
    ]


@dataclass(frozen=True, slots=True)
class Choice:
    """Which of a campaign's emails to show: its key, and what people call it."""

    key: str
    label: str
    template: EmailTemplate


def emails_of(campaign: Campaign) -> list[Choice]:
    found = [Choice("a", _("Invitation"), campaign.template)]
    split = getattr(campaign, "split_test", None)
    if split is not None:
        template = copy(split.template_b or campaign.template)
        template.subject = split.subject_b or template.subject
        found.append(Choice("b", _("Invitation, version B"), template))
    for step in campaign.steps.select_related("template"):
        label = _("Follow-up %(n)s") % {"n": step.position}
        template = copy(step.template)
        if step.keeps_subject:
            template.subject = f"Re: {campaign.template.subject}"
        found.append(Choice(f"step-{step.position}", label, template))
    return found


def panel(campaign: Campaign) -> dict[str, Any]:
    """What the builder needs to offer a preview."""
    rows = campaign.recipients.select_related("contact").prefetch_related("contact__addresses")
    people = [(one.pk, _called(one.contact)) for one in rows.order_by("pk")[:OFFERED_PEOPLE]]
    return {"emails": emails_of(campaign), "people": people}


def _called(contact: Contact) -> str:
    """A list of bare addresses has people without names."""
    return contact.name or email_of(contact) or str(contact)


class _Pages:
    def __init__(self, campaigns: "CampaignAdmin") -> None:
        self._campaigns = campaigns

    def preview(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        campaign = self._campaigns.campaign(request, pk, change=request.method == "POST")
        if request.method == "POST":
            self._test(request, campaign)
            return redirect(
                f"{reverse('admin:campaigns_campaign_preview', args=[pk])}?{request.GET.urlencode()}"
            )
        context: dict[str, Any] = {"title": f"{_('Preview')}: {campaign.name}", "campaign": campaign}
        context |= panel(campaign) | self._shown(campaign, request.GET)
        audience = previewing.audience_of(campaign)
        context |= {"audience": audience, "skipped": _in_words(audience.skipped)}
        context |= _timetable(campaign, request.GET.get("after", ""))
        return page(request, "admin/campaigns/preview.html", context, about=campaign)

    def live(self, request: HttpRequest, pk: UUID) -> JsonResponse:
        """The email as the form stands, saved or not. Nothing is written."""
        campaign = _as_in_form(self._campaigns.campaign(request, pk, change=False), request.GET)
        shown = self._shown(campaign, request.GET)
        if problem := shown.get("problem"):
            return JsonResponse({"problem": problem})
        email = shown["email"]
        words = {"to": email.to, "subject": email.subject, "html": email.html, "text": email.text}
        return JsonResponse({**words, "problem": "", "warnings": shown["warnings"]})

    def _shown(self, campaign: Campaign, query: Mapping[str, str]) -> dict[str, Any]:
        """The chosen email as the chosen person reads it; or the problem in words."""
        chosen = _chosen(campaign, query.get("email", ""))
        shown: dict[str, Any] = {"chosen": chosen.key, "as_address": query.get("as", "")}
        try:
            recipient = _recipient(campaign, query)
            shown["recipient"] = recipient
            campaign = copy(campaign)
            campaign.template = chosen.template
            shown["email"] = previewing.sample(campaign, recipient=recipient)
            shown["warnings"] = wording.check_campaign(campaign)
        except (wording.TemplateError, InvalidAddress) as error:
            shown["problem"] = str(error)
        return shown

    def _test(self, request: HttpRequest, campaign: Campaign) -> None:
        chosen = _chosen(campaign, request.POST.get("email", ""))
        campaign.template = chosen.template
        try:
            recipient = _recipient(campaign, request.POST)
            said = previewing.send_test(campaign, to=request.POST.get("to", ""), recipient=recipient)
        except (previewing.TestRefusedError, wording.TemplateError, InvalidAddress) as error:
            messages.error(request, str(error))
            return
        who = request.user.get_username()
        record(campaign.account, "staff", who, "sent a test email", target=campaign)
        messages.success(request, _("The test email was taken: %(said)s") % {"said": said})


@dataclass(frozen=True, slots=True)
class Line:
    """One person of the timetable: their emails, each at a time on their own clock; or why there are none."""

    recipient: Recipient
    address: str
    zone: str
    reason: str
    emails: list[tuple[previewing.PlannedEmail, datetime]]


def _timetable(campaign: Campaign, after: str) -> dict[str, Any]:
    """Who gets what and when, a page of people at a time, from the one after whom the page before ended."""
    last = key_in(after)
    waiting = campaign.recipients.filter(state=Recipient.State.WAITING, pk__gt=last).order_by("pk")
    rows = waiting.select_related("contact__account").prefetch_related("contact__addresses")
    found = list(rows[: TIMETABLE_ROWS + 1])
    people = found[:TIMETABLE_ROWS]
    rules = scheduling.rules_of(campaign)
    lines = [_line(one, rules) for one in previewing.plan_for(campaign, people)]
    more = people[-1].pk if len(found) > TIMETABLE_ROWS else None
    return {"timetable": lines, "timetable_more": more, "timetable_after": last}


def _line(planned: previewing.PlannedPerson, rules: scheduling.Rules) -> Line:
    contact = planned.recipient.contact
    zone = rules.zone_of(contact.time_zone)
    emails = [(email, email.at.astimezone(zone)) for email in planned.emails]
    reason = str(dict(SKIP_REASONS).get(planned.reason, planned.reason))
    return Line(planned.recipient, email_of(contact), str(zone), reason, emails)


def _in_words(skipped: Mapping[str, int]) -> list[tuple[str, int]]:
    words = dict(SKIP_REASONS)
    return [(str(words.get(reason, reason)), number) for reason, number in skipped.items()]


def _chosen(campaign: Campaign, key: str) -> Choice:
    emails = emails_of(campaign)
    return next((one for one in emails if one.key == key), emails[0])


def _recipient(campaign: Campaign, query: Mapping[str, str]) -> Recipient | None:
    """Who was chosen by address, or from the list. Raises InvalidAddress for somebody who is not in it."""
    rows = campaign.recipients.select_related("contact")
    wanted = query.get("recipient", "")
    if address := query.get("as", "").strip():
        value = normalise_email(address)
        found = rows.filter(contact__addresses__kind="email", contact__addresses__value=value).first()
        if found is None:
            raise InvalidAddress(
                _("Nobody in this campaign has the address %(who)s.") % {"who": address[:100]}
            )
        return found
    return rows.filter(pk=key_in(wanted)).first()


def _as_in_form(campaign: Campaign, query: Mapping[str, str]) -> Campaign:
    """The campaign with what is chosen in the form, in memory only. Rows of another account are not read."""
    account = campaign.account
    found: Any
    if found := _one(EmailTemplate.objects.for_account(account), query.get("template", "")):
        campaign.template = found
    if found := _one(Guide.objects.for_account(account).select_related("persona"), query.get("guide", "")):
        campaign.guide = found
    if "smtp_server" in query:
        servers = SmtpServer.objects.for_account(account)
        campaign.smtp_server = servers.filter(pk=key_in(query["smtp_server"])).first()
    return campaign


def _one(rows: Any, key: str) -> Any:
    pk = uuid_of(key)
    return rows.filter(pk=pk).first() if pk else None
