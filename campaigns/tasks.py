"""What wakes campaigns up. Tasks hold nothing: each finds its work in rows and can run twice."""

from uuid import UUID

from celery import shared_task
from celery.signals import worker_shutdown
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from campaigns import (
    claiming,
    followups,
    forgetting,
    importing,
    inbound,
    inviting,
    mailboxes,
    pacing,
    provider_calls,
    sending,
    splitting,
    states,
)
from campaigns.lanes import POOL
from campaigns.models import (
    Campaign,
    ContactImport,
    Delivery,
    InboundEmail,
    Mailbox,
    Recipient,
    SmtpServer,
    WebhookCall,
)
from config.api import arrivals


@worker_shutdown.connect(dispatch_uid="campaigns.tasks.leave_servers")
def leave_servers(**_signal: object) -> None:
    """Kept connections are ended with QUIT."""
    POOL.close()


@shared_task
def send_due(smtp_server_id: int | None) -> None:
    """Sends for at most a minute, then hands over to its next self. Never one task per email."""
    report = sending.send_due(smtp_server_id)
    states.finish_done()
    for campaign_id in _campaigns_with_due_people().filter(smtp_server=smtp_server_id):
        run_campaign.delay(str(campaign_id))
    if report.is_more and (report.sent or report.is_paced):
        send_due.delay(smtp_server_id)
    elif report.wait_seconds:
        send_due.apply_async((smtp_server_id,), countdown=report.wait_seconds)


def _campaigns_with_due_people() -> QuerySet[Campaign, UUID]:
    """Running campaigns with somebody to invite or to follow up; a task at it already shares the work."""
    people = Recipient.objects.due().filter(campaign=OuterRef("pk"))
    running = Campaign.objects.filter(Exists(people), state=Campaign.State.RUNNING)
    return running.values_list("pk", flat=True)


@shared_task
def run_campaign(campaign_id: str) -> None:
    """Makes the emails that are due, invitations first, then wakes the sender."""
    campaign = Campaign.objects.filter(pk=campaign_id, state=Campaign.State.RUNNING).first()
    if campaign is None:
        return
    report = inviting.invite_people(campaign.pk)
    followed = 0 if report.is_more else followups.follow_up(campaign.pk)
    states.finish_done()
    if report.invited or followed:
        send_due.delay(campaign.smtp_server_id)
    if report.is_more:
        run_campaign.delay(campaign_id)


@shared_task
def import_people(import_id: str) -> None:
    """Checks a file of people, or imports it, for at most a minute; then hands over to its next self."""
    if importing.go_on(UUID(import_id)):
        import_people.delay(import_id)


@shared_task
def read_mailbox(mailbox_id: int) -> None:
    if mailboxes.read_new(mailbox_id).is_more:
        read_mailbox.delay(mailbox_id)


@shared_task
def read_inbound(email_id: str) -> None:
    inbound.read(UUID(email_id))


@shared_task
def read_webhook_call(call_id: str) -> None:
    provider_calls.read(UUID(call_id))


@shared_task
def sweep() -> None:
    """Every 30 s: finds from rows the work whose wake-up was lost, and what dead workers left."""
    claiming.recover()
    pacing.forget_quiet_domains()
    claiming.resend_unknown()
    states.cancel_leftovers()
    followups.stop_finished()
    splitting.decide_due()
    states.finish_done()
    for campaign_id in Campaign.objects.due().values_list("pk", flat=True):
        states.begin(campaign_id)
    for server_id in _servers_with_due_mail():
        send_due.delay(server_id)
    for campaign_id in _campaigns_with_due_people():
        run_campaign.delay(str(campaign_id))
    for import_id in ContactImport.objects.under_way().values_list("pk", flat=True):
        import_people.delay(str(import_id))
    _sweep_arrivals()


def _servers_with_due_mail() -> list[int | None]:
    due = Delivery.objects.due()
    servers = SmtpServer.objects.usable(at=timezone.now()).filter(
        Exists(due.filter(smtp_server=OuterRef("pk")))
    )
    found: list[int | None] = list(servers.values_list("pk", flat=True))
    return [*found, None] if due.filter(smtp_server=None).exists() else found


def _sweep_arrivals() -> None:
    """Mailboxes to look into, what arrived and waits to be read, and what need not be kept any longer."""
    for mailbox_id in Mailbox.objects.due().values_list("pk", flat=True):
        read_mailbox.delay(mailbox_id)
    for email_id in arrivals.due_ids(InboundEmail):
        read_inbound.delay(str(email_id))
    for call_id in arrivals.due_ids(WebhookCall):
        read_webhook_call.delay(str(call_id))
    forgetting.clear_old()
