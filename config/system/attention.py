"""What stays as it is until a person looks at it: the first thing on the admin's start page."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Exists, Model, OuterRef, QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from campaigns.models import Campaign, Delivery, InboundEmail, Mailbox, SmtpServer
from crm.models import ContactMerge, Conversation, Message, MessageReport
from interviews.models import Interview, ProcessingStep
from knowledge.models import Document
from voice.models import CallBatch, Callee, VoiceEvent

# Counting stops here, so that the page stays quick in a large installation.
MOST_COUNTED = 9_999


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
    """All of it that this member of staff may see, also what counts nothing now."""
    yield from (figure() for model, figure in WAITING if may_see(request, model))


def waiting_people() -> Figure:
    """In talks that staff have taken over, the person spoke last."""
    spoke_last = Message.objects.filter(
        conversation=OuterRef("pk"), seq=OuterRef("last_seq"), author=Message.Author.PERSON
    )
    taken_over = Conversation.objects.filter(taken_over_by__isnull=False, state=Conversation.State.OPEN)
    number = counted(taken_over.filter(Exists(spoke_last)))
    return Figure(
        ngettext_lazy("person waits for an answer of staff", "people wait for an answer of staff", number),
        number,
        list_url(Conversation, "taken_over_by__isnull=False"),
        _("Staff took their talk over: write, or hand it back."),
    )


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


def unread_events() -> Figure:
    number = counted(VoiceEvent.objects.filter(state=VoiceEvent.State.DEAD))
    return Figure(
        ngettext_lazy("webhook of a talk could not be read", "webhooks of talks could not be read", number),
        number,
        list_url(VoiceEvent, f"state__exact={VoiceEvent.State.DEAD}"),
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


def open_reports() -> Figure:
    number = counted(MessageReport.objects.filter(state=MessageReport.State.OPEN))
    return Figure(
        ngettext_lazy("reply was reported by a person", "replies were reported by people", number),
        number,
        list_url(MessageReport, f"state__exact={MessageReport.State.OPEN}"),
        _("Keep it or remove it."),
    )


def proposed_merges() -> Figure:
    number = counted(ContactMerge.objects.filter(state=ContactMerge.State.PROPOSED))
    return Figure(
        ngettext_lazy("pair of contacts may be one person", "pairs of contacts may be one person", number),
        number,
        list_url(ContactMerge, f"state__exact={ContactMerge.State.PROPOSED}"),
        _("Nothing is merged by itself: decide for each."),
    )


# Whose it is, and how it is counted. The names are those of GET /metrics.
WAITING: tuple[tuple[type[Model], Callable[[], Figure]], ...] = (
    (Conversation, waiting_people),
    (Interview, failed_processing),
    (Delivery, unknown_deliveries),
    (Document, failed_documents),
    (SmtpServer, paused_servers),
    (Mailbox, failing_mailboxes),
    (InboundEmail, unread_emails),
    (VoiceEvent, unread_events),
    (Campaign, paused_campaigns),
    (Conversation, failed_replies),
    (CallBatch, paused_batches),
    (Callee, unknown_callees),
    (MessageReport, open_reports),
    (ContactMerge, proposed_merges),
)
