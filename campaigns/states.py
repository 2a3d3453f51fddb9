"""The moves of a campaign, and how far it has come. Every move is one conditional UPDATE."""

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns import wording
from campaigns.models import Campaign, Delivery, EmailEvent, Recipient
from interviews.models import Interview

State = Campaign.State
WAITING = (Delivery.State.QUEUED, Delivery.State.DEFERRED)
OPEN = (*WAITING, Delivery.State.CLAIMED, Delivery.State.IN_DATA)


class MoveRefusedError(Exception):
    """The campaign is not in a state from which this can be done. `str()` is for people."""


def _move(campaign_id: UUID, to: str, *, start: Collection[str], **changes: Any) -> bool:
    rows = Campaign.objects.filter(pk=campaign_id, state__in=start)
    return rows.update(state=to, updated_at=timezone.now(), **changes) == 1


def schedule(campaign: Campaign, at: datetime) -> None:
    if at <= timezone.now():
        raise MoveRefusedError(_("Choose a time in the future, or start the campaign now."))
    _ready(campaign)
    if not _move(campaign.pk, State.SCHEDULED, start=[State.DRAFT, State.SCHEDULED], scheduled_at=at):
        raise MoveRefusedError(_("Only a draft can be scheduled."))


def start(campaign: Campaign) -> None:
    """Draft or scheduled → running. Wakes the task that invites."""
    _ready(campaign)
    if not begin(campaign.pk):
        raise MoveRefusedError(_("Only a draft or a scheduled campaign can be started."))


def begin(campaign_id: UUID) -> bool:
    begun = _move(
        campaign_id,
        State.RUNNING,
        start=[State.DRAFT, State.SCHEDULED],
        started_at=timezone.now(),
        state_reason="",
        error_streak=0,
    )
    return begun and wake(campaign_id)


def pause(campaign_id: UUID, *, reason: str = "") -> bool:
    """Running → paused; it takes effect between two emails. False when it was not running."""
    return _move(campaign_id, State.PAUSED, start=[State.RUNNING], state_reason=reason)


def resume(campaign_id: UUID) -> bool:
    resumed = _move(campaign_id, State.RUNNING, start=[State.PAUSED], state_reason="", error_streak=0)
    return resumed and wake(campaign_id)


def wake(campaign_id: UUID) -> bool:
    from campaigns.tasks import run_campaign

    run_campaign.delay_on_commit(str(campaign_id))  # type: ignore[attr-defined]
    return True


def cancel(campaign_id: UUID) -> bool:
    """Nothing more leaves. Emails already handed over stay sent; what is in the hand ends as it ends."""
    live = [State.DRAFT, State.SCHEDULED, State.RUNNING, State.PAUSED]
    with transaction.atomic():
        if not _move(campaign_id, State.CANCELLED, start=live, finished_at=timezone.now()):
            return False
        waiting = Delivery.objects.filter(campaign=campaign_id, state__in=WAITING)
        ids = list(waiting.values_list("pk", flat=True))
        waiting.update(state=Delivery.State.CANCELLED, rendered="", last_reply="campaign cancelled")
        EmailEvent.objects.bulk_create(
            (
                EmailEvent(delivery_id=one, kind=EmailEvent.Kind.CANCELLED, detail="campaign cancelled")
                for one in ids
            ),
            batch_size=1000,
        )
        Recipient.objects.filter(campaign=campaign_id, state=Recipient.State.WAITING).update(
            state=Recipient.State.SKIPPED, skip_reason="campaign cancelled", next_at=None
        )
        Recipient.objects.filter(campaign=campaign_id).followed().update(
            stopped_at=timezone.now(), stop_reason=Recipient.Stop.CANCELLED, next_at=None
        )
    return True


def finish_done() -> int:
    """Running campaigns with nothing due for anybody and no email under way are finished. How many.

    Read from rows. A standing campaign goes on.
    """
    people = Recipient.objects.filter(campaign=OuterRef("pk"), next_at__isnull=False).exclude(
        state=Recipient.State.SKIPPED
    )
    emails = Delivery.objects.filter(campaign=OuterRef("pk"), state__in=OPEN)
    retried = Delivery.objects.unknown_once().filter(campaign=OuterRef("pk"))
    done = Campaign.objects.filter(
        ~Exists(people),
        ~Exists(emails),
        ~Q(Exists(retried), resend_unknown=True),
        state=State.RUNNING,
        is_standing=False,
    )
    return done.update(state=State.FINISHED, finished_at=timezone.now(), updated_at=timezone.now())


def _ready(campaign: Campaign) -> None:
    waiting = campaign.recipients.filter(state=Recipient.State.WAITING)
    if not campaign.is_standing and not waiting.exists():
        raise MoveRefusedError(_("There is nobody to invite yet. Import a list of people first."))
    if not campaign.guide.questions.exists():
        raise MoveRefusedError(_("The guide has no questions yet."))
    try:
        wording.check_campaign(campaign)
    except wording.TemplateError as error:
        raise MoveRefusedError(_("The template cannot be used: %(why)s") % {"why": error}) from None


def cancel_leftovers() -> int:
    """Emails of cancelled campaigns that were in a sender's hand at the time and came back."""
    left = Delivery.objects.filter(state__in=WAITING, campaign__state=State.CANCELLED)
    return left.update(state=Delivery.State.CANCELLED, rendered="", last_reply="campaign cancelled")


# --- How far it has come ------------------------------------------------------------------------------


@dataclass(slots=True)
class Progress:
    """The figures of one campaign; all but `followups_sent` are about the invitation.

    `left` have still to get it, `followed` have follow-ups to come. From `sent` to `cancelled` emails are
    counted, so whoever was tried again from the beginning has two.
    """

    people: int = 0
    left: int = 0
    sent: int = 0
    deferred: int = 0
    failed: int = 0
    unknown: int = 0
    cancelled: int = 0
    skipped: int = 0
    followed: int = 0
    followups_sent: int = 0
    opened: int = 0
    started: int = 0
    completed: int = 0
    declined: int = 0

    @property
    def percent(self) -> int:
        return 100 * (self.people - self.left) // self.people if self.people else 0

    def as_json(self) -> dict[str, int]:
        return {**asdict(self), "percent": self.percent}


BEGUN = (
    Interview.State.STARTED,
    Interview.State.COMPLETED,
    Interview.State.PROCESSED,
    Interview.State.ABANDONED,
    Interview.State.FAILED,
)
ENDED = (Interview.State.COMPLETED, Interview.State.PROCESSED, Interview.State.FAILED)


def progress(campaign_ids: Iterable[UUID]) -> dict[UUID, Progress]:
    """The figures of many campaigns, in three queries at most: of people, of emails, of emails held back.

    Joining people and emails would read a row of each for everybody, and count who was tried again twice.
    """
    found = {campaign_id: Progress() for campaign_id in campaign_ids}
    people = Recipient.objects.filter(campaign__in=list(found)).values(
        "campaign", "state", "interview__state"
    )
    followed = Count("pk", filter=Q(state=Recipient.State.INVITED, next_at__isnull=False))
    for row in people.annotate(count=Count("pk"), followed=followed).order_by():
        _add_people(found[row["campaign"]], dict(row), count=row["count"])
    emails = Delivery.objects.filter(campaign__in=list(found)).values("campaign", "state", "step")
    for row in emails.annotate(count=Count("pk")).order_by():
        _add_emails(found[row["campaign"]], row["state"], step=row["step"], count=row["count"])
    # Whoever was held back when the email was about to leave is skipped, and not counted as an email too.
    held = Recipient.objects.filter(
        campaign__in=[pk for pk, figures in found.items() if figures.skipped],
        state=Recipient.State.SKIPPED,
        deliveries__step=0,
    ).values("campaign", "deliveries__state")
    for row in held.annotate(count=Count("pk")).order_by():
        _add_emails(found[row["campaign"]], row["deliveries__state"], step=0, count=-row["count"])
    return found


def _add_people(figures: Progress, row: dict[str, Any], *, count: int) -> None:
    figures.people += count
    figures.followed += row["followed"]
    interview = row["interview__state"]
    if row["state"] == Recipient.State.SKIPPED:
        figures.skipped += count
        return
    if row["state"] == Recipient.State.WAITING:
        figures.left += count
    figures.opened += count * (interview == Interview.State.OPENED or interview in BEGUN)
    figures.started += count * (interview in BEGUN)
    figures.completed += count * (interview in ENDED)
    figures.declined += count * (interview == Interview.State.DECLINED)


def _add_emails(figures: Progress, state: str, *, step: int, count: int) -> None:
    if step:
        figures.followups_sent += count * (state == Delivery.State.SENT)
        return
    figures.left += count * (state in OPEN)
    if state in ("sent", "deferred", "failed", "unknown", "cancelled"):
        setattr(figures, state, getattr(figures, state) + count)
