"""What became of an attempt, written down: the delivery, its events, the timeline, the rules for errors."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns import figures, followups, notices, reasons, settling, states
from campaigns.leaving import Held
from campaigns.models import Campaign, Delivery, EmailEvent, Recipient, SmtpServer
from campaigns.smtp import SmtpError
from crm import consent
from crm.models import Suppression
from crm.models.contacts import Channel

State = Delivery.State
MAX_ATTEMPTS = 8
FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=4)
LOGIN_PAUSE = timedelta(minutes=15)
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
    ended = list(outcomes)
    sent = settling.mark_sent([(one.delivery, one.reply) for one in ended if one.error is None], claim=claim)
    written = [
        one
        for one in ended
        if (one.delivery.pk in sent if one.error is None else _settle_error(one, one.error, claim=claim))
    ]
    figures.count([(one.delivery.campaign_id, _became(one)) for one in written])
    by_campaign: dict[UUID, list[Outcome]] = {}
    for one in written:
        if one.delivery.campaign_id:
            by_campaign.setdefault(one.delivery.campaign_id, []).append(one)
    for campaign_id, its in by_campaign.items():
        _count_errors(campaign_id, its)


def _became(outcome: Outcome) -> str:
    error = outcome.error
    if error is None:
        return State.SENT
    if error.is_unknown:
        return State.UNKNOWN
    is_last = outcome.delivery.attempts + 1 >= MAX_ATTEMPTS
    return State.FAILED if error.is_permanent or is_last else State.DEFERRED


def _settle_error(outcome: Outcome, error: SmtpError, *, claim: str) -> bool:
    if error.is_login_refused:
        return _give_back(outcome.delivery, error, claim=claim)
    state = _became(outcome)
    if state == State.UNKNOWN:
        return _move(outcome, State.UNKNOWN, claim=claim, lease_until=None)
    if state == State.FAILED:
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
    mine = Delivery.objects.filter(pk=outcome.delivery.pk, claim=claim, state__in=settling.MAY_SETTLE)
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
    won = settling.mark_sent([(delivery, reply)], claim=claim, keep=keep)
    figures.count([(delivery.campaign_id, State.SENT)] if won else [])
    return bool(won)


def mark_all_sent(deliveries: Sequence[Delivery], *, reply: str, claim: str) -> int:
    """Into the outbox, where they stay readable. How many."""
    won = settling.mark_sent([(one, reply) for one in deliveries], claim=claim, keep=True)
    figures.count([(one.campaign_id, State.SENT) for one in deliveries if one.pk in won])
    return len(won)


def give_up(delivery: Delivery, *, reason: str, claim: str) -> None:
    """Not sent, because we ourselves cannot: nothing that another attempt would change."""
    mine = Delivery.objects.filter(pk=delivery.pk, claim=claim, state=State.CLAIMED)
    if mine.update(state=State.FAILED, claim="", lease_until=None, last_reply=reason):
        EmailEvent.objects.create(delivery_id=delivery.pk, kind=EmailEvent.Kind.FAILED, detail=reason)
        figures.count([(delivery.campaign_id, State.FAILED)])


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
    server = SmtpServer.objects.select_related("account").get(pk=server_id)
    notices.server_paused(server, code=error.code)


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
    if last is not None and row.filter(error_streak__gte=ERRORS_IN_A_ROW).exists():
        _pause_campaign(campaign_id, last)


def _pause_campaign(campaign_id: UUID, last: SmtpError) -> None:
    reason = _("Paused after %(count)s errors in a row. The server last said: %(reply)s") % {
        "count": ERRORS_IN_A_ROW,
        "reply": last.words,
    }
    if states.pause(campaign_id, reason=reason):
        campaign = Campaign.objects.select_related("account").get(pk=campaign_id)
        notices.campaign_paused(campaign, code=last.code)
