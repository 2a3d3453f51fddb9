"""What came of calls: the documented figures, a chart of days, outcomes, and which times people like."""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from config.api.models import Account
from voice import figures, outcomes
from voice.admin.pages import must, page
from voice.models import PhoneCall

if TYPE_CHECKING:
    from voice.admin.calls import PhoneCallAdmin

PERIODS = (14, 30, 90)
TOP = 110  # of the drawing: a bar of the highest day begins at its upper edge
MOST_ACCOUNTS = 200


@dataclass(frozen=True, slots=True)
class Bar:
    """One day of the chart, in the units of its drawing."""

    label: str
    calls: int
    booked: int
    x: float
    width: float
    height: int
    booked_height: int

    @property
    def y(self) -> int:
        return TOP - self.height

    @property
    def booked_y(self) -> int:
        return TOP - self.booked_height


@dataclass(frozen=True, slots=True)
class Share:
    name: str
    number: int
    percent: int


def urls(owner: "PhoneCallAdmin") -> list[URLPattern]:
    view = owner.admin_site.admin_view(_Page(owner).figures)
    return [path("figures/", view, name="voice_phonecall_figures")]


class _Page:
    def __init__(self, owner: "PhoneCallAdmin") -> None:
        self._owner = owner

    def figures(self, request: HttpRequest) -> HttpResponse:
        must(self._owner.has_view_permission(request))
        days = int(given) if (given := request.GET.get("days", "")) in map(str, PERIODS) else PERIODS[0]
        account = Account.objects.filter(slug=request.GET.get("account", "")).first()
        context = {"title": _("What came of calls"), "days": days, "periods": PERIODS, "account": account}
        context |= {"accounts": Account.objects.order_by("slug")[:MOST_ACCOUNTS]}
        return page(request, "admin/voice/figures.html", context | values(days, account), about=PhoneCall)


def values(days: int, account: Account | None) -> dict[str, Any]:
    """Four queries, whatever there is."""
    first = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=days - 1)
    rows = PhoneCall.objects.filter(is_test=False, started_at__gte=first)
    rows = rows.for_account(account) if account is not None else rows
    counted = figures.figures(rows)
    came_of_it = [(outcomes.in_words(name), count) for name, count in figures.outcomes(rows)]
    liked = [(row["slot"], row["count"]) for row in counted["slot_preferences"]]
    return {
        "figures": counted,
        "bars": bars(figures.per_day(rows, days=days)),
        "outcomes": shares(came_of_it),
        "preferences": shares(liked),
    }


def bars(days: list[figures.Day]) -> list[Bar]:
    highest, step = max([*(day.calls for day in days), 1]), 560 / len(days)
    return [
        Bar(
            label=date_format(one.day, "j M"),
            calls=one.calls,
            booked=one.booked,
            x=round(index * step, 1),
            width=round(step * 0.8, 1),
            height=round(100 * one.calls / highest),
            booked_height=round(100 * one.booked / highest),
        )
        for index, one in enumerate(days)
    ]


def shares(counted: list[tuple[str, int]]) -> list[Share]:
    total = max(sum(number for _name, number in counted), 1)
    return [Share(name, number, round(100 * number / total)) for name, number in counted]
