"""The page of dashboards: chats with influencers over the last days, of one account or of all."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from config.api.models import Account
from crm.reporting import figures
from crm.reporting.figures import LENGTHS, DayFigures, Period

MOST_ACCOUNTS = 500
USUAL_DAYS = 30
# The units of a drawing: a box of 560 × 120, as on the start page.
WIDTH, FLOOR, HIGHEST = 560, 110, 100
NAMED = 7  # days that are named below the drawing, about
FEW = 14  # bars that have room for their number


@dataclass(frozen=True, slots=True)
class Bar:
    day: date
    number: int
    x: float
    y: int
    width: float
    height: int
    label: str  # below it; empty where there is no room
    has_number: bool

    @property
    def middle(self) -> float:
        return round(self.x + self.width / 2, 1)


@dataclass(frozen=True, slots=True)
class Chart:
    name: str
    title: str | Promise
    column: str | Promise
    bars: list[Bar]


def bars(days: Sequence[tuple[date, int]]) -> list[Bar]:
    highest = max([*(number for _day, number in days), 1])
    step = WIDTH / len(days)
    every = max(1, round(len(days) / NAMED))
    return [
        _bar(day, number, at, step, highest, is_named=(len(days) - 1 - at) % every == 0, few=len(days) <= FEW)
        for at, (day, number) in enumerate(days)
    ]


def _bar(day: date, number: int, at: int, step: float, highest: int, *, is_named: bool, few: bool) -> Bar:
    height = round(HIGHEST * number / highest)
    label = date_format(day, "j M") if is_named else ""
    return Bar(
        day,
        number,
        round(at * step, 1),
        FLOOR - height,
        round(step * 0.8, 1),
        height,
        label,
        few and number > 0,
    )


def charts(days: Sequence[DayFigures]) -> list[Chart]:
    return [
        Chart(
            "messages", _("Messages a day"), _("Messages"), bars([(one.day, one.messages) for one in days])
        ),
        Chart("users", _("Users a day"), _("Users"), bars([(one.day, one.users) for one in days])),
    ]


def period_in(request: HttpRequest, accounts: Sequence[Account]) -> Period:
    """What the address asks for. Raises Http404 for an account that is not there."""
    slug = request.GET.get("account", "")
    account = next((one for one in accounts if one.slug == slug), None)
    if slug and account is None:
        raise Http404
    wanted = request.GET.get("days", "")
    days = next((length for length in LENGTHS if str(length) == wanted), USUAL_DAYS)
    return Period(account, timezone.now().date(), days)


def shown(period: Period) -> dict[str, Any]:
    return {
        "totals": figures.totals(period),
        "charts": charts(figures.per_day(period)),
        "bots": figures.busiest_bots(period),
        "chats": figures.recent_chats(period),
    }


def page(model_admin: Any, request: HttpRequest) -> HttpResponse:
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    accounts = list(Account.objects.order_by("slug")[:MOST_ACCOUNTS])
    period = period_in(request, accounts)
    context = {
        **model_admin.admin_site.each_context(request),
        **shown(period),
        "title": _("Dashboards"),
        "period": period,
        "accounts": accounts,
        "lengths": LENGTHS,
    }
    return TemplateResponse(request, "admin/crm/dashboards.html", context)


def urls(model_admin: Any) -> list[URLPattern]:
    def view(request: HttpRequest) -> HttpResponse:
        return page(model_admin, request)

    return [path("dashboards/", model_admin.admin_site.admin_view(view), name="crm_dashboards")]
