"""Every email in the admin: the list, the email as it reads, and what to do about unknown ones."""

from collections import Counter
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from unfold.admin import ModelAdmin
from unfold.decorators import action, display

from campaigns import claiming, outbox, outcomes
from campaigns.admin.looks import DELIVERY_COLOURS, moment, page
from campaigns.admin.resending import RESENT, note_resent, tell_resent
from campaigns.models import Delivery
from config.api.audit import record
from config.api.models import Account

# An email brings its own inline styles, and nothing else: no script, no image from elsewhere.
EMAIL_POLICY = {
    "default-src": ["'none'"],
    "style-src": ["'unsafe-inline'"],
    "img-src": ["data:"],
    "frame-ancestors": ["'self'"],
    "sandbox": ["allow-popups", "allow-popups-to-escape-sandbox"],
}


@admin.register(Delivery)
class DeliveryAdmin(ModelAdmin):
    list_display = ("recipient_email", "subject", "state_label", "campaign", "made", "sent")
    list_filter = ("state", "purpose", "account")
    list_select_related = ("campaign",)
    search_fields = ("to_email", "subject", "contact__name", "message_id")
    search_help_text = "Address, name, subject or Message-ID"
    show_full_result_count = False
    list_per_page = 50
    actions = ("send_again",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        rows: QuerySet[Delivery] = super().get_queryset(request)
        return rows.defer("rendered", "last_reply")

    @display(description="State", label=DELIVERY_COLOURS, ordering="state")  # type: ignore[untyped-decorator]
    def state_label(self, delivery: Delivery) -> tuple[str, str]:
        standing = delivery.standing
        return standing, delivery.get_state_display() if standing == delivery.state else _(standing.title())

    @display(description="To", ordering="to_email")  # type: ignore[untyped-decorator]
    def recipient_email(self, delivery: Delivery) -> str:
        return delivery.to_email

    @display(description="Made", ordering="created_at")  # type: ignore[untyped-decorator]
    def made(self, delivery: Delivery) -> str:
        return moment(delivery.created_at)

    @display(description="Sent")  # type: ignore[untyped-decorator]
    def sent(self, delivery: Delivery) -> str:
        return moment(delivery.sent_at)

    @action(description="Send unknown or failed emails again", permissions=["change"])  # type: ignore[untyped-decorator]
    def send_again(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> HttpResponse | None:
        """Says first how many it touches, and that some may arrive twice."""
        rows = Delivery.objects.filter(pk__in=queryset.values("pk"))
        found = rows.exclude(rendered="").filter(state__in=claiming.RESENDABLE)
        counts = Counter(found.values_list("state", flat=True))
        if not counts:
            messages.warning(request, _("None of these emails is unknown or failed, and still kept."))
            return None
        if "confirmed" not in request.POST:
            context = {
                "title": _("Send emails again"),
                "unknown": counts[Delivery.State.UNKNOWN],
                "failed": counts[Delivery.State.FAILED],
                "count": sum(counts.values()),
                "ids": request.POST.getlist("_selected_action"),
                "across": request.POST.get("select_across", "0"),
                "back": request.get_full_path(),
            }
            return page(request, "admin/campaigns/send_again.html", context, about=found[0])
        accounts = Counter(found.values_list("account", flat=True))
        moved = claiming.resend(rows)
        for account in Account.objects.filter(pk__in=accounts):
            note_resent(request, account, accounts[account.pk])
        tell_resent(request, moved)
        return None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Delivery | None = None) -> bool:
        return False

    # --- one email -------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        own = [
            path("<uuid:pk>/email.html", wrap(self.html_view), name="campaigns_delivery_html"),
            path("<uuid:pk>/settle/", wrap(self.settle_view), name="campaigns_delivery_settle"),
        ]
        return [*own, *super().get_urls()]

    def _delivery(self, request: HttpRequest, pk: UUID | str) -> Delivery:
        rows = Delivery.objects.select_related("account", "contact", "campaign", "smtp_server")
        delivery: Delivery = get_object_or_404(rows, pk=pk)
        if not self.has_view_permission(request, delivery):
            raise PermissionDenied
        return delivery

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """An email is read, never edited."""
        try:
            delivery = self._delivery(request, UUID(object_id))
        except ValueError:
            return redirect("admin:campaigns_delivery_changelist")
        record(delivery.account, "staff", request.user.get_username(), "read email", target=delivery)
        context = {
            "title": delivery.subject or _("Email"),
            "delivery": delivery,
            "colour": DELIVERY_COLOURS[delivery.standing],
            "answers": delivery.answers.defer("raw").order_by("received_at")[:50],
            "email": outbox.read(delivery),
            "events": delivery.events.all()[:100],
            "is_unknown": delivery.state == Delivery.State.UNKNOWN,
        }
        return page(request, "admin/campaigns/delivery.html", context, about=delivery)

    def html_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        html = outbox.read(self._delivery(request, pk)).html
        # Links open beside the admin, not in the frame.
        framed = html.replace("<head>", '<head><base target="_blank">', 1)
        response = HttpResponse(framed)
        response["X-Frame-Options"] = "SAMEORIGIN"
        # Read by the policy middleware, as django-csp's own decorator leaves it.
        response._csp_replace = EMAIL_POLICY  # type: ignore[attr-defined]
        return response

    def settle_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """What staff decide about an email nobody knows was taken."""
        delivery = self._delivery(request, pk)
        if request.method != "POST" or not self.has_change_permission(request, delivery):
            raise PermissionDenied
        is_sent = request.POST.get("as") == "sent"
        if is_sent:
            done = outcomes.mark_sent(delivery, reply=_("Settled by staff."), claim=delivery.claim)
        else:
            done = bool(claiming.resend(Delivery.objects.filter(pk=pk)))
        if done:
            what = "called an unknown email sent" if is_sent else RESENT
            record(delivery.account, "staff", request.user.get_username(), what, target=delivery)
        messages.add_message(
            request,
            messages.SUCCESS if done else messages.ERROR,
            _("Done.") if done else _("This email is not unknown any more."),
        )
        return redirect("admin:campaigns_delivery_change", pk)
