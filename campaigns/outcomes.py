"""What became of an attempt, written down: the delivery, its events, the timeline, the rules for errors."""

import random
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns import followups, reasons, states
from campaigns.leaving import Held
from campaigns.models import Campaign, Delivery, EmailEvent, Recipient, SmtpServer
from campaigns.smtp import SmtpError
from crm import consent, timeline
from crm.models import Suppression, TimelineEntry
from crm.models.contacts import Channel
from interviews.models import Interview

State = Delivery.State
MAX_ATTEMPTS = 8
FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=4)
LOGIN_PAUSE = timedelta(minutes=15)
# As interviews/fresh_links.py names its emails.
FRESH_LINK = re.compile(r"fresh-link:([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}):")
ERRORS_IN_A_ROW = 10  # after which a campaign pauses itself


@dataclass(frozen=True, slots=True)
class Outcome:
    """One attempt's end. `error` is None when the server took the email, and `reply` what it said."""

    delivery: Delivery
    reply: str = ""
    error: SmtpError | None = None


def wait_after(attempts: int) -> timedelta:
    """Doubling from a minute, half to one and a half times, so that a crowd does not return at once."""
    planned = min(FIRST_WAIT * 2 ** min(attempts - 1, 10), LONGEST_WAIT)
    return planned * random.uniform(0.5, 1.5)


def settle(outcomes: Iterable[Outcome], *, claim: str) -> None:
    """Writes the outcomes of this sender's claims, in the caller's transaction. Others' claims stay."""
    streaks: dict[UUID, list[Outcome]] = {}
    for outcome in outcomes:
        delivery = outcome.delivery
        if _settle_one(outcome, claim=claim) and delivery.campaign_id:
            streaks.setdefault(delivery.campaign_id, []).append(outcome)
    for campaign_id, ended in streaks.items():
        _count_errors(campaign_id, ended)


def _settle_one(outcome: Outcome, *, claim: str) -> bool:
    if outcome.error is None:
        return mark_sent(outcome.delivery, reply=outcome.reply, claim=claim)
    if outcome.error.is_login_refused:
        return _give_back(outcome.delivery, outcome.error, claim=claim)
    if outcome.error.is_unknown:
        return _move(outcome, State.UNKNOWN, claim=claim, lease_until=None)
    if outcome.error.is_permanent or outcome.delivery.attempts + 1 >= MAX_ATTEMPTS:
        return _fail(outcome, claim=claim)
    again = timezone.now() + wait_after(outcome.delivery.attempts + 1)
    return _move(outcome, State.DEFERRED, claim=claim, not_before=again, new_claim="")


def _fail(outcome: Outcome, *, claim: str) -> bool:
    assert outcome.error is not None
    if not _move(outcome, State.FAILED, claim=claim, rendered="", new_claim=""):
        return False
    if outcome.error.is_dead_address:
        delivery = outcome.delivery
        consent.suppress(
            delivery.account,
            Channel.EMAIL,
            delivery.to_email,
            Suppression.Reason.HARD_BOUNCE,
            source={"delivery": str(delivery.pk), "reply": outcome.error.words[:200]},
        )
    return True


def _move(
    outcome: Outcome,
    state: str,
    *,
    claim: str,
    new_claim: str | None = None,
    rendered: str | None = None,
    not_before: datetime | None = None,
    lease_until: datetime | None = None,
) -> bool:
    """One conditional UPDATE and its event. False when the row is no longer this sender's."""
    words = outcome.error.words if outcome.error else outcome.reply
    given = {"claim": new_claim, "rendered": rendered, "not_before": not_before}
    changes = {name: value for name, value in given.items() if value is not None}
    mine = Delivery.objects.filter(
        pk=outcome.delivery.pk, claim=claim, state__in=[State.CLAIMED, State.IN_DATA, State.UNKNOWN]
    )
    moved = mine.update(
        state=state, attempts=F("attempts") + 1, last_reply=words, lease_until=lease_until, **changes
    )
    if moved:
        EmailEvent.objects.create(delivery_id=outcome.delivery.pk, kind=state, detail=words)
    return bool(moved)


def _give_back(delivery: Delivery, error: SmtpError, *, claim: str) -> bool:
    """The server's account is the trouble: the email waits, and no attempt of its own is counted."""
    mine = Delivery.objects.filter(pk=delivery.pk, claim=claim, state__in=[State.CLAIMED, State.IN_DATA])
    if mine.update(state=State.QUEUED, claim="", lease_until=None, last_reply=error.words):
        EmailEvent.objects.create(delivery_id=delivery.pk, kind=EmailEvent.Kind.RELEASED, detail=error.words)
    return False


def mark_sent(delivery: Delivery, *, reply: str, claim: str, keep: bool = False) -> bool:
    """Sent, with its event and its line on the timeline. `keep` leaves the email readable (the outbox)."""
    mine = Delivery.objects.filter(
        pk=delivery.pk, claim=claim, state__in=[State.CLAIMED, State.IN_DATA, State.UNKNOWN]
    )
    now = timezone.now()
    changes = {} if keep else {"rendered": ""}
    moved = mine.update(
        state=State.SENT,
        sent_at=now,
        attempts=F("attempts") + 1,
        last_reply=reply,
        claim="",
        lease_until=None,
        **changes,
    )
    if moved:
        EmailEvent.objects.create(delivery_id=delivery.pk, kind=EmailEvent.Kind.SENT, detail=reply, at=now)
        write_timeline(delivery, at=now)
        if delivery.recipient_id:
            Recipient.objects.filter(pk=delivery.recipient_id).count_sent(at=now)
    return bool(moved)


def write_timeline(delivery: Delivery, *, at: datetime) -> None:
    ref = {"kind": "delivery", "id": str(delivery.pk)}
    if conversation := conversation_of(delivery):
        ref["conversation"] = str(conversation)  # so that it goes when that talk is erased
    timeline.write(
        delivery.contact,
        "email_sent",
        _("Email sent: %(subject)s") % {"subject": delivery.subject},
        direction=TimelineEntry.Direction.OUT,
        channel=Channel.EMAIL,
        ref=ref,
        at=at,
    )


def conversation_of(delivery: Delivery) -> UUID | None:
    """The talk an email leads to: an invitation's, or that of the interview a fresh link's key names."""
    if delivery.recipient_id:
        interviews = Interview.objects.filter(recipient=delivery.recipient_id)
    elif found := FRESH_LINK.match(delivery.key):
        interviews = Interview.objects.for_account(delivery.account).filter(pk=found[1])
    else:
        return None
    conversation: UUID | None = interviews.values_list("conversation_id", flat=True).first()
    return conversation


def hold_back(delivery: Delivery, held: Held, *, claim: str) -> None:
    """Not sent, or not now: asked at send time, not at import."""
    if held.later is not None:
        _put_off(delivery, held, claim=claim)
        return
    reason = held.reason
    mine = Delivery.objects.filter(pk=delivery.pk, claim=claim, state=State.CLAIMED)
    if not mine.update(state=State.CANCELLED, claim="", lease_until=None, rendered="", last_reply=reason):
        return
    EmailEvent.objects.create(delivery_id=delivery.pk, kind=EmailEvent.Kind.CANCELLED, detail=reason)
    recipient = Recipient.objects.filter(pk=delivery.recipient_id or 0, stopped_at=None)
    if delivery.step == 0:
        recipient.update(state=Recipient.State.SKIPPED, skip_reason=reason[:60], next_at=None)
    elif reason != reasons.CONDITION:
        followups.stop(recipient, reasons.of_refusal(reason))


def _put_off(delivery: Delivery, held: Held, *, claim: str) -> None:
    mine = Delivery.objects.filter(pk=delivery.pk, claim=claim, state=State.CLAIMED)
    if mine.update(state=State.QUEUED, claim="", lease_until=None, not_before=held.later):
        EmailEvent.objects.create(delivery_id=delivery.pk, kind=EmailEvent.Kind.RELEASED, detail=held.reason)


# --- When errors are not about one person -------------------------------------------------------------


def pause_server(server_id: int, error: SmtpError) -> None:
    """The login was refused: the account rests, and so do the emails that wait for it."""
    SmtpServer.objects.filter(pk=server_id).update(
        paused_until=timezone.now() + LOGIN_PAUSE, pause_reason=error.words
    )


def _count_errors(campaign_id: UUID, ended: list[Outcome]) -> None:
    """Counts errors in a row over all senders and runs, and pauses the campaign after too many."""
    row = Campaign.objects.filter(pk=campaign_id)
    tail, last, was_broken = 0, None, False
    for outcome in ended:
        if outcome.error is None:
            tail, was_broken = 0, True
        elif not outcome.error.is_about_recipient:
            tail, last = tail + 1, outcome.error
    if was_broken:
        row.exclude(error_streak=tail).update(error_streak=tail)
    elif tail:
        row.update(error_streak=F("error_streak") + tail)
    if last is None or not row.filter(error_streak__gte=ERRORS_IN_A_ROW).exists():
        return
    states.pause(
        campaign_id,
        reason=_("Paused after %(count)s errors in a row. The server last said: %(reply)s")
        % {"count": ERRORS_IN_A_ROW, "reply": last.words},
    )
