"""Campaigns in the admin: the list, the builder, and the pages around one campaign."""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from unfold.admin import ModelAdmin
from unfold.decorators import display

from campaigns import states
from campaigns.admin import calls, imports, moves, preflight, previews, progress, winners
from campaigns.admin.building import inlines_of
from campaigns.admin.looks import CAMPAIGN_COLOURS, bar, moment
from campaigns.api.campaigns import EDITABLE
from campaigns.models import Campaign, Recipient
from crm.contacts import uuid_of


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
    change_form_outer_before_template = "admin/campaigns/campaign_facts.html"
    change_form_outer_after_template = "admin/campaigns/builder_preview.html"
    fieldsets = (
        (None, {"fields": ("account", "name", ("guide", "template"), "smtp_server")}),
        (_l("Rules"), {"fields": ("resend_unknown", "is_standing", "track_opens", "track_clicks")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Campaign]:
        waiting = Q(state=Recipient.State.WAITING)
        emails = Q(deliveries__state__in=states.OPEN, deliveries__step=0)
        left = Recipient.objects.filter(waiting | emails)
        rows: QuerySet[Campaign] = super().get_queryset(request)
        return rows.annotate(people=_count(Recipient.objects.all()), left=_count(left))

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        """Only what belongs to the campaign's account; a new one's account is not known yet."""
        account = getattr(request, "_campaign_account", None)
        if account is not None and db_field.name in ("guide", "template", "smtp_server"):
            options["queryset"] = db_field.related_model.objects.for_account(account)
        return super().formfield_for_foreignkey(db_field, request, **options)

    def get_form(self, request: HttpRequest, obj: Campaign | None = None, **options: Any) -> Any:
        # formfield_for_foreignkey is not told whose form it is for; the request lives as long as the form.
        request._campaign_account = obj.account if obj else None  # type: ignore[attr-defined]
        return super().get_form(request, obj, **options)

    def get_inlines(self, request: HttpRequest, obj: Campaign | None) -> list[Any]:
        return inlines_of(obj)

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
        families = (calls, imports, moves, previews, progress, winners)
        own = [url for family in families for url in family.urls(self)]
        return [*own, *preflight.campaign_urls(self), *super().get_urls()]

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
            request, object_id, form_url, {**(extra_context or {}), **_facts_of(object_id)}
        )

    def save_model(self, request: HttpRequest, obj: Campaign, form: ModelForm, change: Any) -> None:
        """Only what was changed, so that a state that moved meanwhile is not written back."""
        if not change:
            super().save_model(request, obj, form, change)
        elif form.changed_data:
            obj.save(update_fields=[*form.changed_data, "updated_at"])


def _facts_of(object_id: str) -> dict[str, Any]:
    key = uuid_of(object_id)
    campaign = key and Campaign.objects.select_related("smtp_server").filter(pk=key).first()
    return {**progress.facts(campaign), **previews.panel(campaign)} if campaign else {}
