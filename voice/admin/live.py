"""The calls in progress, with their turns as they happen. Without a socket the page asks by itself."""

from typing import TYPE_CHECKING

from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _

from config.api.audit import record
from voice.admin.pages import must, page
from voice.models import CallTurn, PhoneCall

if TYPE_CHECKING:
    from voice.admin.calls import PhoneCallAdmin

SHOWN = 50


def urls(owner: "PhoneCallAdmin") -> list[URLPattern]:
    view = owner.admin_site.admin_view(_Page(owner).live)
    return [path("live/", view, name="voice_phonecall_live")]


class _Page:
    def __init__(self, owner: "PhoneCallAdmin") -> None:
        self._owner = owner

    def live(self, request: HttpRequest) -> HttpResponse:
        """The whole page, or with ?part=calls only what changes on it. Three queries."""
        must(self._owner.has_view_permission(request))
        turns = CallTurn.objects.defer("twiml").order_by("number")
        rows = PhoneCall.objects.filter(ended_at=None).select_related("contact", "account")
        rows = rows.prefetch_related(Prefetch("turns", queryset=turns)).order_by("-started_at")
        found = list(rows[: SHOWN + 1])
        context = {"title": _("Calls in progress"), "calls": found[:SHOWN], "is_more": len(found) > SHOWN}
        is_part = request.GET.get("part") == "calls"
        if not is_part:  # which a page that stays open asks for again and again
            self._note(request, found[:SHOWN])
        template = "admin/voice/_live.html" if is_part else "admin/voice/live.html"
        return page(request, template, context, about=PhoneCall)

    @staticmethod
    def _note(request: HttpRequest, calls: list[PhoneCall]) -> None:
        """Reading what is said is recorded, for each account once."""
        for account in {call.account_id: call.account for call in calls}.values():
            record(account, "staff", request.user.get_username(), "watched calls in progress")
