"""The admin's start page and sidebar: first what needs a person, then figures that lead to their lists."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet, Sum
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from campaigns.models import Campaign, Delivery, SmtpServer
from config.system import daily
from config.system.attention import Figure, attention, counted, list_url, may_see
from config.system.models import DailyFigure
from crm.models import Contact, Conversation
from interviews.models import Guide, Interview
from knowledge.asking import may_ask
from knowledge.models import Document

CHART_DAYS = 14


@dataclass(frozen=True, slots=True)
class Bar:
    """One day of the chart, in the units of its drawing (a box of 560 × 120)."""

    day: date
    number: int
    x: int
    y: int
    height: int

    @property
    def label(self) -> str:
        return date_format(self.day, "j M")


def fill(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Unfold's DASHBOARD_CALLBACK."""
    bars = completed_per_day(timezone.now().date())
    context.update(
        {
            "title": _("Start"),
            "attention": [figure for figure in attention(request) if figure.number],
            "figures": list(figures(request)),
            "bars": bars,
            "completed_total": sum(bar.number for bar in bars),
            "chart_days": CHART_DAYS,
        }
    )
    return context


def figures(request: HttpRequest) -> Iterator[Figure]:
    running = Campaign.objects.filter(state=Campaign.State.RUNNING)
    talking = Interview.objects.filter(state=Interview.State.STARTED)
    done = Interview.objects.filter(state=Interview.State.PROCESSED)
    shown: tuple[tuple[str | Promise, type[Model], QuerySet, str], ...] = (
        (_("campaigns running"), Campaign, running, f"state__exact={Campaign.State.RUNNING}"),
        (_("interviews going on"), Interview, talking, f"state__exact={Interview.State.STARTED}"),
        (_("interviews processed"), Interview, done, f"state__exact={Interview.State.PROCESSED}"),
        (_("contacts"), Contact, Contact.objects.all(), ""),
        (_("guides"), Guide, Guide.objects.all(), ""),
        (_("documents"), Document, Document.objects.all(), ""),
    )
    for label, model, rows, query in shown:
        if may_see(request, model):
            yield Figure(label, counted(rows), list_url(model, query))


def completed_per_day(today: date) -> list[Bar]:
    """The last days, oldest first, days without an interview included. Today is counted now."""
    first = today - timedelta(days=CHART_DAYS - 1)
    rows = DailyFigure.objects.filter(name=daily.COMPLETED, day__gte=first, day__lt=today)
    numbers = dict(rows.order_by().values("day").annotate(total=Sum("value")).values_list("day", "total"))
    numbers[today] = daily.within(Interview.objects.all(), "completed_at", *daily.day_bounds(today)).count()
    days = [first + timedelta(days=index) for index in range(CHART_DAYS)]
    highest = max([*numbers.values(), 1])
    return [bar(day, numbers.get(day, 0), index, highest) for index, day in enumerate(days)]


def bar(day: date, number: int, index: int, highest: int) -> Bar:
    height = round(100 * number / highest)
    return Bar(day=day, number=number, x=index * 40, y=110 - height, height=height)


# --- The sidebar ---------------------------------------------------------------------------
# Each line: the model's label, and the icon of Material Symbols that Unfold ships.
SIDEBAR: tuple[tuple[str | Promise, tuple[tuple[str, str], ...]], ...] = (
    (
        _("Invite"),
        (
            ("campaigns.Campaign", "campaign"),
            ("campaigns.EmailTemplate", "draft"),
            ("campaigns.Delivery", "outbox"),
            ("campaigns.InboundEmail", "inbox"),
            ("campaigns.SmtpServer", "dns"),
            ("campaigns.Mailbox", "mail"),
            ("campaigns.MailWebhook", "webhook"),
            ("campaigns.WebhookCall", "call_received"),
        ),
    ),
    (
        _("Interview"),
        (("interviews.Interview", "forum"), ("interviews.Guide", "list_alt"), ("personas.Persona", "face")),
    ),
    (
        _("People"),
        (
            ("crm.Contact", "group"),
            ("crm.Conversation", "chat"),
            ("crm.ContactMerge", "merge"),
            ("crm.Suppression", "block"),
            ("crm.MessageReport", "flag"),
            ("crm.ModerationFlag", "policy"),
            ("crm.ModerationRule", "rule"),
            ("crm.ModerationByVendor", "verified_user"),
            ("crm.Ban", "person_off"),
        ),
    ),
    (
        _("Voice"),
        (
            ("voice.PhoneCall", "call"),
            ("voice.CallBatch", "contact_phone"),
            ("voice.Callee", "phone_forwarded"),
            ("voice.TimeSlot", "schedule"),
            ("voice.Appointment", "event_available"),
            ("voice.ReceivedConversation", "record_voice_over"),
            ("voice.VoiceEvent", "call_received"),
        ),
    ),
    (
        _("Knowledge"),
        (
            ("knowledge.Collection", "folder_open"),
            ("knowledge.Document", "description"),
            ("knowledge.RemoteCopy", "cloud_upload"),
            ("knowledge.Question", "help"),
        ),
    ),
    (
        _("Installation"),
        (
            ("api.Account", "domain"),
            ("api.ApiKey", "key"),
            ("api.AuditEntry", "history"),
            ("auth.User", "person"),
            ("personas.ProviderCredential", "vpn_key"),
            ("personas.LyzrLink", "link"),
            ("personas.Usage", "paid"),
            ("personas.Budget", "savings"),
            ("system.Heartbeat", "monitor_heart"),
        ),
    ),
)
ASK, CHARTS = "admin:knowledge_ask", "admin:crm_dashboards"


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """Unfold's navigation: the models that are in the admin, grouped by what people do with them."""
    registered = {model._meta.label: model for model in admin.site._registry}
    home = reverse("admin:index")
    start = {"title": _("Start"), "icon": "home", "link": home, "active": request.path == home}
    ask = page_item(request, _("Ask"), "quick_reference_all", ASK, allowed=may_ask(request.user))
    can_see_talks = may_see(request, Conversation)
    charts = page_item(request, _("Dashboards"), "monitoring", CHARTS, allowed=can_see_talks)
    groups: list[dict[str, Any]] = [{"items": [start, ask, charts]}]
    for title, entries in SIDEBAR:
        items = [item(request, registered[label], icon) for label, icon in entries if label in registered]
        groups.append({"title": title, "separator": False, "collapsible": False, "items": items})
    return groups


def page_item(
    request: HttpRequest, title: str | Promise, icon: str, name: str, *, allowed: bool
) -> dict[str, Any]:
    """A page that is no model's list."""
    link = reverse(name)
    return {
        "title": title,
        "icon": icon,
        "link": link,
        "active": request.path == link,
        "permission": lambda request: allowed,
    }


def item(request: HttpRequest, model: type[Model], icon: str) -> dict[str, Any]:
    link = list_url(model)
    is_here = request.path.startswith(link) and request.path not in (reverse(ASK), reverse(CHARTS))
    return {
        "title": title_of(model),
        "icon": icon,
        "link": link,
        "active": is_here,
        "permission": lambda request: may_see(request, model),
    }


def title_of(model: type[Model]) -> str:
    """The emails are the outbox while there is no server through which they could leave."""
    if model is Delivery and not SmtpServer.objects.exists():
        return str(_("Outbox"))
    name = str(model._meta.verbose_name_plural)
    return name[:1].upper() + name[1:]


def styles(request: HttpRequest) -> str:
    return static("system/admin.css")


def mark(request: HttpRequest) -> str:
    return static("system/mark.svg")
