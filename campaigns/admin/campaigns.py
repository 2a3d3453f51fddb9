"""Campaigns in the admin: figures, moves that say how many people they touch, live progress."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin
from unfold.decorators import display

from campaigns import previewing, states, wording
from campaigns.admin import imports, preflight
from campaigns.admin.looks import CAMPAIGN_COLOURS, bar, confirmation, moment, page
from campaigns.api.campaigns import EDITABLE
from campaigns.models import Campaign, Recipient
from config.api.audit import record


@dataclass(frozen=True, slots=True)
class Move:
    """Something staff can do to a campaign, where it is offered, and what it will say first."""

    label: str
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


def _left(campaign: Campaign) -> int:
    return states.progress([campaign.pk])[campaign.pk].left


MOVES = {
    "start": Move("Start", (Campaign.State.DRAFT, Campaign.State.SCHEDULED), _start_question, _start),
    "pause": Move(
        "Pause",
        (Campaign.State.RUNNING,),
        lambda one: _("%(n)s people have still to get their email; they will wait.") % {"n": _left(one)},
        lambda one: states.pause(one.pk, reason=_("Paused by staff.")),
    ),
    "resume": Move(
        "Resume",
        (Campaign.State.PAUSED,),
        lambda one: _("%(n)s people have still to get their email.") % {"n": _left(one)},
        lambda one: states.resume(one.pk),
    ),
    "cancel": Move(
        "Cancel the campaign",
        (Campaign.State.DRAFT, Campaign.State.SCHEDULED, Campaign.State.RUNNING, Campaign.State.PAUSED),
        lambda one: _("%(n)s people will not be invited. This cannot be undone.") % {"n": _left(one)},
        lambda one: states.cancel(one.pk),
    ),
}


def _count(rows: QuerySet[Any]) -> Any:
    """A correlated COUNT, so that a list of campaigns stays one query."""
    counted = rows.filter(campaign=OuterRef("pk")).order_by().values("campaign").annotate(n=Count("pk"))
    return Coalesce(Subquery(counted.values("n")), 0)


class CampaignForm(ModelForm):
    """Guide, template and server belong to the campaign's own account."""

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        account = given.get("account") or (self.instance.account if self.instance.account_id else None)
        for name in ("guide", "template", "smtp_server"):
            chosen = given.get(name)
            if account is not None and chosen is not None and chosen.account_id != account.pk:
                self.add_error(name, _("This belongs to another account."))
        return given


@admin.register(Campaign)
class CampaignAdmin(ModelAdmin):
    form = CampaignForm
    list_display = ("name", "account", "state_label", "progress_bar", "created")
    list_filter = ("state", "account")
    list_select_related = ("account",)
    search_fields = ("name", "guide__name")
    show_full_result_count = False
    list_per_page = 50
    autocomplete_fields = ("guide",)
    change_form_outer_before_template = "admin/campaigns/campaign_facts.html"
    fields = (
        *("account", "name", "guide", "template", "smtp_server"),
        *("resend_unknown", "track_opens", "track_clicks"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Campaign]:
        waiting = Q(state=Recipient.State.WAITING)
        emails = Q(deliveries__state__in=states.OPEN, deliveries__step=0)
        left = Recipient.objects.filter(waiting | emails)
        rows: QuerySet[Campaign] = super().get_queryset(request)
        return rows.annotate(people=_count(Recipient.objects.all()), left=_count(left))

    def get_readonly_fields(self, request: HttpRequest, obj: Campaign | None = None) -> tuple[str, ...]:
        if obj is None:
            return ()
        return ("account",) if obj.state in EDITABLE else ("account", "guide", "template", "smtp_server")

    def has_delete_permission(self, request: HttpRequest, obj: Campaign | None = None) -> bool:
        is_draft = obj is None or obj.state == Campaign.State.DRAFT
        return is_draft and bool(super().has_delete_permission(request, obj))

    @display(description="State", label=CAMPAIGN_COLOURS, ordering="state")  # type: ignore[untyped-decorator]
    def state_label(self, campaign: Campaign) -> tuple[str, str]:
        return campaign.state, campaign.get_state_display()

    @display(description="Progress")  # type: ignore[untyped-decorator]
    def progress_bar(self, campaign: Any) -> SafeString | str:
        return bar(campaign.people - campaign.left, campaign.people) if campaign.people else _("Nobody yet")

    @display(description="Created", ordering="created_at")  # type: ignore[untyped-decorator]
    def created(self, campaign: Campaign) -> str:
        return moment(campaign.created_at)

    class Media:
        css = {"all": ("campaigns/admin.css",)}

    # --- pages -----------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        own = [
            path("<uuid:pk>/progress.json", wrap(self.progress_view), name="campaigns_campaign_progress"),
            path("<uuid:pk>/preview/", wrap(self.preview_view), name="campaigns_campaign_preview"),
            path("<uuid:pk>/move/<str:name>/", wrap(self.move_view), name="campaigns_campaign_move"),
        ]
        return [*own, *imports.urls(self), *preflight.campaign_urls(self), *super().get_urls()]

    def campaign(self, request: HttpRequest, pk: UUID, *, change: bool = True) -> Campaign:
        rows = Campaign.objects.select_related("account", "guide__persona", "template", "smtp_server")
        campaign: Campaign = get_object_or_404(rows, pk=pk)
        allowed = self.has_change_permission if change else self.has_view_permission
        if not allowed(request, campaign):
            raise PermissionDenied
        return campaign

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        return super().change_view(
            request, object_id, form_url, {**(extra_context or {}), **_facts(object_id)}
        )

    def progress_view(self, request: HttpRequest, pk: UUID) -> JsonResponse:
        campaign = self.campaign(request, pk, change=False)
        figures = states.progress([campaign.pk])[campaign.pk]
        state = {
            "state": campaign.state,
            "label": campaign.get_state_display(),
            "reason": campaign.state_reason,
        }
        is_live = campaign.state in (Campaign.State.RUNNING, Campaign.State.SCHEDULED)
        return JsonResponse({**state, **figures.as_json(), "is_live": is_live})

    def move_view(self, request: HttpRequest, pk: UUID, name: str) -> HttpResponse:
        campaign, move = self.campaign(request, pk), MOVES.get(name)
        back = redirect("admin:campaigns_campaign_change", campaign.pk)
        if move is None or campaign.state not in move.start:
            messages.error(request, _("The campaign is %(state)s.") % {"state": campaign.get_state_display()})
            return back
        if request.method != "POST":
            return confirmation(
                request,
                about=campaign,
                title=f"{_(move.label)}: {campaign.name}",
                question=move.question(campaign),
                button=_(move.label),
                back=reverse("admin:campaigns_campaign_change", args=[campaign.pk]),
            )
        self._do(request, campaign, move)
        return back

    def _do(self, request: HttpRequest, campaign: Campaign, move: Move) -> None:
        try:
            done = move.do(campaign)
        except states.MoveRefusedError as error:
            messages.error(request, str(error))
            return
        if not done:
            messages.error(request, _("The campaign has moved on meanwhile. Please look again."))
            return
        record(
            campaign.account, "staff", request.user.get_username(), f"campaign: {move.label}", target=campaign
        )
        messages.success(request, _("Done: %(what)s.") % {"what": _(move.label)})

    def preview_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        campaign = self.campaign(request, pk, change=request.method == "POST")
        if request.method == "POST":
            self._test(request, campaign)
            return redirect("admin:campaigns_campaign_preview", campaign.pk)
        wanted = request.GET.get("recipient", "")
        recipient = campaign.recipients.filter(pk=int(wanted)).first() if wanted.isdecimal() else None
        context: dict[str, Any] = {"title": f"{_('Preview')}: {campaign.name}", "campaign": campaign}
        try:
            context["email"] = previewing.sample(campaign, recipient=recipient)
            context["warnings"] = wording.check_campaign(campaign)
        except wording.TemplateError as error:
            context["problem"] = str(error)
        context["audience"] = previewing.audience_of(campaign)
        context["people"] = campaign.recipients.select_related("contact")[:20]
        return page(request, "admin/campaigns/preview.html", context, about=campaign)

    def _test(self, request: HttpRequest, campaign: Campaign) -> None:
        try:
            said = previewing.send_test(campaign, to=request.POST.get("to", ""))
        except (previewing.TestRefusedError, wording.TemplateError) as error:
            messages.error(request, str(error))
            return
        messages.success(request, _("The test email was taken: %(said)s") % {"said": said})

    def save_model(self, request: HttpRequest, obj: Campaign, form: ModelForm, change: Any) -> None:
        """Only what was changed, so that a state that moved meanwhile is not written back."""
        if not change:
            super().save_model(request, obj, form, change)
        elif form.changed_data:
            obj.save(update_fields=[*form.changed_data, "updated_at"])


def _facts(object_id: str) -> dict[str, Any]:
    try:
        campaign = Campaign.objects.filter(pk=UUID(object_id)).first()
    except ValueError:
        campaign = None
    if campaign is None:
        return {}
    moves = [
        {"url": reverse("admin:campaigns_campaign_move", args=[campaign.pk, name]), "label": _(move.label)}
        for name, move in MOVES.items()
        if campaign.state in move.start
    ]
    figures = states.progress([campaign.pk])[campaign.pk]
    return {
        "campaign": campaign,
        "figures": figures,
        "moves": moves,
        "colour": CAMPAIGN_COLOURS[campaign.state],
        # Nobody can be invited before people are in it, so that comes first.
        "wants_people": figures.people == 0 and campaign.state == Campaign.State.DRAFT,
    }


@admin.register(Recipient)
class RecipientAdmin(ModelAdmin):
    list_display = ("contact", "campaign", "state_label", "skip_reason", "interview_state", "added")
    fields = ("contact", "campaign", "state", "skip_reason", "interview", "columns")
    readonly_fields = ("columns",)
    list_filter = ("state", "campaign__account")
    list_select_related = ("contact", "campaign", "interview")
    search_fields = ("contact__name", "contact__addresses__value", "campaign__name")
    show_full_result_count = False
    list_per_page = 50

    @display(description="State", label={"waiting": "info", "invited": "success", "skipped": "warning"})  # type: ignore[untyped-decorator]
    def state_label(self, recipient: Recipient) -> tuple[str, str]:
        return recipient.state, recipient.get_state_display()

    @display(description="Added", ordering="id")  # type: ignore[untyped-decorator]
    def added(self, recipient: Recipient) -> str:
        return moment(recipient.created_at)

    @display(description="Columns of the import")  # type: ignore[untyped-decorator]
    def columns(self, recipient: Recipient) -> SafeString | str:
        rows = format_html_join("", "<dt>{}</dt><dd dir='auto'>{}</dd>", recipient.fields.items())
        return format_html('<dl class="rc-facts">{}</dl>', rows) if recipient.fields else "–"

    class Media:
        css = {"all": ("campaigns/admin.css",)}

    @display(description="Interview")  # type: ignore[untyped-decorator]
    def interview_state(self, recipient: Recipient) -> str:
        return recipient.interview.get_state_display() if recipient.interview else "–"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Recipient | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Recipient | None = None) -> bool:
        return False
