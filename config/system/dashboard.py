"""The admin's start page and sidebar: first what needs a person, then figures that lead to their lists."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet, Sum
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from campaigns.models import Campaign, Delivery, InboundEmail, Mailbox, SmtpServer
from config.system import daily
from config.system.models import DailyFigure
from crm.models import Contact, Conversation, Message
from interviews.models import Guide, Interview, ProcessingStep
from knowledge.asking import may_ask
from knowledge.models import Document
from voice.models import CallBatch, Callee

# Counting stops here, so that the page stays quick in a large installation.
MOST_COUNTED = 9_999
CHART_DAYS = 14


@dataclass(frozen=True, slots=True)
class Figure:
    """A number that leads to its list."""

    label: str | Promise
    number: int
    url: str
    hint: str | Promise = ""

    @property
    def shown(self) -> str:
        return f"{MOST_COUNTED:,}+" if self.number > MOST_COUNTED else f"{self.number:,}"


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


def counted(rows: QuerySet) -> int:
    return int(rows.order_by()[: MOST_COUNTED + 1].count())


def list_url(model: type[Model], query: str = "") -> str:
    """The admin list of a model; empty where it has none."""
    try:
        address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    except NoReverseMatch:
        return ""
    return f"{address}?{query}" if query else address


def may_see(request: HttpRequest, model: type[Model]) -> bool:
    return bool(request.user.has_perm(f"{model._meta.app_label}.view_{model._meta.model_name}"))  # type: ignore[union-attr]


def attention(request: HttpRequest) -> Iterator[Figure]:
    """What stays as it is until a person looks at it."""
    waiting: tuple[tuple[type[Model], Callable[[], Figure]], ...] = (
        (Interview, failed_processing),
        (Delivery, unknown_deliveries),
        (Document, failed_documents),
        (SmtpServer, paused_servers),
        (Mailbox, failing_mailboxes),
        (InboundEmail, unread_emails),
        (Campaign, paused_campaigns),
        (Conversation, failed_replies),
        (CallBatch, paused_batches),
        (Callee, unknown_callees),
    )
    yield from (figure() for model, figure in waiting if may_see(request, model))


def failed_processing() -> Figure:
    number = counted(ProcessingStep.objects.filter(state=ProcessingStep.State.FAILED))
    return Figure(
        ngettext_lazy("step after an interview failed", "steps after interviews failed", number),
        number,
        list_url(Interview, f"state__exact={Interview.State.FAILED}"),
        _("Open the interview and repeat the step."),
    )


def unknown_deliveries() -> Figure:
    number = counted(Delivery.objects.filter(state=Delivery.State.UNKNOWN))
    return Figure(
        ngettext_lazy("email may or may not have arrived", "emails may or may not have arrived", number),
        number,
        list_url(Delivery, f"state__exact={Delivery.State.UNKNOWN}"),
        _("They are not sent again by themselves: decide for each."),
    )


def failed_documents() -> Figure:
    states = (Document.State.FAILED, Document.State.REFUSED)
    number = counted(Document.objects.filter(state__in=states))
    return Figure(
        ngettext_lazy("document could not be read", "documents could not be read", number),
        number,
        list_url(Document, f"state__in={','.join(states)}"),
        _("The reason is in the list; try again or replace the file."),
    )


def paused_servers() -> Figure:
    number = counted(SmtpServer.objects.filter(paused_until__gt=timezone.now()))
    return Figure(
        ngettext_lazy("SMTP server is paused", "SMTP servers are paused", number),
        number,
        list_url(SmtpServer),
        _("The server's last words are on its page."),
    )


def failing_mailboxes() -> Figure:
    number = counted(Mailbox.objects.filter(is_active=True).exclude(last_error=""))
    return Figure(
        ngettext_lazy("mailbox cannot be read", "mailboxes cannot be read", number),
        number,
        list_url(Mailbox),
        _("The reason is on its page; it is tried again by itself."),
    )


def unread_emails() -> Figure:
    number = counted(InboundEmail.objects.filter(state=InboundEmail.State.DEAD))
    return Figure(
        ngettext_lazy(
            "email that arrived could not be read", "emails that arrived could not be read", number
        ),
        number,
        list_url(InboundEmail, f"state__exact={InboundEmail.State.DEAD}"),
        _("The reason is on its page, where it can be read anew."),
    )


def paused_campaigns() -> Figure:
    """Those that paused themselves: a pause by staff has no reason."""
    number = counted(Campaign.objects.filter(state=Campaign.State.PAUSED).exclude(state_reason=""))
    return Figure(
        ngettext_lazy("campaign paused itself", "campaigns paused themselves", number),
        number,
        list_url(Campaign, f"state__exact={Campaign.State.PAUSED}"),
        _("The server's last reply is on its page. Resume it when the cause is gone."),
    )


def failed_replies() -> Figure:
    since = timezone.now() - timedelta(days=1)
    failed = Message.objects.filter(state=Message.State.FAILED, created_at__gte=since)
    failed = failed.filter(conversation__tried_out_by=None)
    number = counted(failed.filter(conversation__state=Conversation.State.OPEN))
    return Figure(
        ngettext_lazy("reply failed in the last day", "replies failed in the last day", number),
        number,
        list_url(Conversation),
        _("The person may try again; look at the provider if there are many."),
    )


def paused_batches() -> Figure:
    number = counted(CallBatch.objects.filter(state=CallBatch.State.PAUSED))
    return Figure(
        ngettext_lazy("call batch is paused", "call batches are paused", number),
        number,
        list_url(CallBatch, f"state__exact={CallBatch.State.PAUSED}"),
        _("Each says why; resume it when the cause is gone."),
    )


def unknown_callees() -> Figure:
    number = counted(Callee.objects.filter(state=Callee.State.UNKNOWN))
    return Figure(
        ngettext_lazy("phone may or may not have rung", "phones may or may not have rung", number),
        number,
        list_url(Callee, f"state__exact={Callee.State.UNKNOWN}"),
        _("Nobody is called again by itself: decide for each."),
    )


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
