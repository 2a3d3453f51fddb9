"""Who may send which email now: claims with leases, the step into DATA, what a dead sender left."""

import os
from collections.abc import Collection
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, TextField
from django.db.models.functions import Cast
from django.utils import timezone

from campaigns import figures
from campaigns.events import note
from campaigns.models import Campaign, Delivery, EmailEvent, Recipient, SmtpServer
from config.api.prepared import PreparedRows, PreparedUpdate, PreparedValues, among, given

State = Delivery.State
Kind = EmailEvent.Kind
HELD = (State.CLAIMED, State.IN_DATA)
RESENDABLE = (State.UNKNOWN, State.FAILED)
NOW = given(Delivery, "not_before", name="now")

# How long a sender is believed alive. It renews its claims and its hold on the server several times in
# this; should it sleep longer and wake up, no email of its own that another took can begin any more.
LEASE = timedelta(seconds=min(20, settings.LEASE_SECONDS))
RENEW_SECONDS = LEASE.total_seconds() / 6
_LOADED = uuid4().hex[:20]


def new_claim() -> str:
    return uuid4().hex


def this_process() -> str:
    """Idle connections of one process count as in use, for it alone. A forked one is another process."""
    return f"{_LOADED}-{os.getpid()}"[:32]


# --- The server: one sender at a time keeps to its limits and to max_connections ------------------


def hold_server(server_id: int, *, claim: str) -> bool:
    """True when this sender may use the server now; again true for the one that holds it."""
    now = timezone.now()
    free = Q(sending_until=None) | Q(sending_until__lt=now) | Q(sending_by=claim)
    unkept = Q(kept_until=None) | Q(kept_until__lt=now) | Q(kept_by=this_process())
    held = SmtpServer.objects.usable(at=now).filter(free, unkept, pk=server_id)
    return held.update(sending_until=now + LEASE, sending_by=claim) == 1


def seconds_kept(server_id: int) -> float:
    """How long another process keeps idle connections to a server nobody sends through; 0: none does."""
    now = timezone.now()
    waiting = SmtpServer.objects.usable(at=now).filter(
        Q(sending_until=None) | Q(sending_until__lt=now), pk=server_id, kept_until__gt=now
    )
    until = waiting.exclude(kept_by=this_process()).values_list("kept_until", flat=True).first()
    return (until - now).total_seconds() if until else 0.0


def free_server(server_id: int, *, claim: str, kept_seconds: float = 0) -> None:
    """Lets the next sender in. With connections kept open, only of this process, for so long."""
    kept = {"kept_until": timezone.now() + timedelta(seconds=kept_seconds), "kept_by": this_process()}
    SmtpServer.objects.filter(pk=server_id, sending_by=claim).update(
        sending_until=None, sending_by="", **(kept if kept_seconds else {"kept_until": None, "kept_by": ""})
    )


def renew(server_id: int, *, claim: str) -> bool:
    """Says that this sender lives. False when the server is no longer its own."""
    now = timezone.now()
    Delivery.objects.filter(claim=claim, state__in=HELD).update(lease_until=now + LEASE)
    return hold_server(server_id, claim=claim)


# --- Emails --------------------------------------------------------------------------------------


def claim_due(
    server_id: int | None, *, claim: str, limit: int, without: Collection[str] = ()
) -> list[Delivery]:
    """Up to `limit` due emails, now this sender's alone. Mail outside campaigns first; these take turns.

    None to the domains `without`. Each row carries its email as it is stored, as `sealed`.
    """
    ids: list[UUID] = []
    with transaction.atomic():
        asked = _Asked(is_outbox=server_id is None, without=tuple(sorted(without)))
        server = {} if server_id is None else {"smtp_server": server_id}
        now = timezone.now()
        sources: list[UUID | None] = [None, *(pk for (pk,) in _campaigns_of(asked)(now=now, **server))]
        for index, campaign_id in enumerate(sources):
            share = -(-(limit - len(ids)) // (len(sources) - index)) if campaign_id else limit
            campaign = {"campaign": campaign_id} if campaign_id else {}
            due = _due(asked, min(share, limit - len(ids)), is_of_campaign=bool(campaign_id))
            ids += [pk for (pk,) in due(now=now, **server, **campaign)]
            if len(ids) >= limit:
                break
        return _take(ids, claim=claim)


class _Asked(NamedTuple):
    """What a claim asks for, besides values."""

    is_outbox: bool
    without: tuple[str, ...]

    @property
    def server(self) -> Any:
        return None if self.is_outbox else given(Delivery, "smtp_server")


@lru_cache(maxsize=16)
def _campaigns_of(asked: _Asked) -> PreparedValues:
    waiting = Delivery.objects.due(at=NOW).filter(smtp_server=asked.server, campaign__isnull=False)
    if asked.is_outbox:  # also what was made for it before its campaign got a server
        theirs = Campaign.objects.sendable().filter(pk__in=waiting.values("campaign"))
        return PreparedValues(lambda: theirs.values_list("pk"))
    live = Campaign.objects.sendable().filter(smtp_server=asked.server)
    # A finished campaign has due mail only when staff resend some, so running ones are few and this is short.
    its = live.filter(Q(state=Campaign.State.RUNNING) | Q(pk__in=waiting.values("campaign")))
    return PreparedValues(lambda: its.values_list("pk"))


@lru_cache(maxsize=512)
def _due(asked: _Asked, limit: int, *, is_of_campaign: bool) -> PreparedValues:
    campaign = given(Delivery, "campaign") if is_of_campaign else None
    rows = Delivery.objects.due(at=NOW).filter(smtp_server=asked.server, campaign=campaign)
    for domain in asked.without:
        rows = rows.exclude(to_email__endswith=f"@{domain}")
    rows = rows.order_by("not_before")
    if connection.features.has_select_for_update_skip_locked:
        rows = rows.select_for_update(skip_locked=True, of=("self",))
    return PreparedValues(lambda: rows.values_list("pk")[:limit])


def _take(ids: Collection[UUID], *, claim: str) -> list[Delivery]:
    if not ids:
        return []
    now = timezone.now()
    _mark_claimed(ids=ids, now=now, claim=claim, lease_until=now + LEASE)
    found: list[Delivery] = [*_claimed(ids=ids, claim=claim)]
    note([one.pk for one in found], Kind.CLAIMED)
    return found


SENDING_FIELDS = (
    "account_id",
    "attempts",
    "campaign_id",
    "contact_id",
    "key",
    "message_id",
    "not_before",
    "purpose",
    "recipient_id",
    "smtp_server_id",
    "state",
    "step",
    "subject",
    "to_email",
)
_mark_claimed = PreparedUpdate(
    lambda: (
        Delivery.objects.due(at=NOW).filter(among(Delivery, "id", name="ids")),
        {
            "state": State.CLAIMED,
            "claim": given(Delivery, "claim"),
            "lease_until": given(Delivery, "lease_until"),
        },
    )
)
# Only what sending needs, and the email still encrypted: one that no key opens must not stop the rest.
_claimed = PreparedRows(
    lambda: (
        _of_claim(State.CLAIMED)
        .order_by("not_before")
        .select_related("contact")
        .annotate(sealed=Cast("rendered", TextField()))
        .only(*SENDING_FIELDS, "contact__is_active", "contact__erased_at", "contact__time_zone")
    )
)


def _of_claim(state: str) -> "QuerySet[Delivery]":
    return Delivery.objects.filter(
        among(Delivery, "id", name="ids"), claim=given(Delivery, "claim"), state=state
    )


def _allowed_in_data() -> "tuple[QuerySet[Delivery], dict[str, Any]]":
    live = Q(campaign=None) | Q(campaign__in=Campaign.objects.sendable().values("pk"))
    stopped = Recipient.objects.held().filter(pk=OuterRef("recipient"))
    rows = _of_claim(State.CLAIMED).filter(live).exclude(Exists(stopped))
    return rows, {"state": State.IN_DATA, "lease_until": given(Delivery, "lease_until")}


_mark_in_data = PreparedUpdate(_allowed_in_data)
_in_data = PreparedValues(lambda: _of_claim(State.IN_DATA).values_list("pk"))


def begin_data(ids: Collection[UUID], *, claim: str) -> set[UUID]:
    """Those that may be handed over now. Committed before DATA, so that a crash after it is never resent.

    Refused are emails whose campaign was paused or cancelled meanwhile, whose person was stopped, and
    claims that are no longer ours.
    """
    if not ids:
        return set()
    _mark_in_data(ids=ids, claim=claim, lease_until=timezone.now() + LEASE)
    begun = {pk for (pk,) in _in_data(ids=ids, claim=claim)}
    note(list(begun), Kind.IN_DATA)
    return begun


def release(ids: Collection[UUID], *, claim: str) -> None:
    """Gives back what was surely not handed over; what its campaign cancelled meanwhile is cancelled."""
    if not ids:
        return
    mine = Delivery.objects.filter(pk__in=ids, claim=claim, state__in=HELD)
    cancelled = list(mine.filter(campaign__state=Campaign.State.CANCELLED).values_list("pk", flat=True))
    back = list(mine.exclude(pk__in=cancelled).values_list("pk", flat=True))
    mine.filter(pk__in=cancelled).update(
        state=State.CANCELLED, rendered="", claim="", lease_until=None, last_reply="campaign cancelled"
    )
    mine.filter(pk__in=back).update(state=State.QUEUED, claim="", lease_until=None)
    note(cancelled, Kind.CANCELLED, detail="campaign cancelled")
    note(back, Kind.RELEASED)


def recover(*, at: datetime | None = None) -> None:
    """What senders held whose lease ran out."""
    _take_back(Delivery.objects.leased_out(at=at))


def recover_from_others(server_id: int, *, claim: str) -> None:
    """What senders before held at a server that is this one's now: they are dead, or have lost it."""
    held = Delivery.objects.filter(state__in=HELD, smtp_server=server_id, claim__gt="")
    _take_back(held.exclude(claim=claim))


def _take_back(held: "QuerySet[Delivery]") -> None:
    """Before DATA it is queued again, after it nobody knows.

    `unknown` keeps its claim: should the sender be alive after all, its answer still settles the row.
    """
    with transaction.atomic():
        locked = held.select_for_update()
        before = list(locked.filter(state=State.CLAIMED).values_list("pk", "claim")[:1000])
        for claim in {claim for _id, claim in before}:
            ids = [one for one, owner in before if owner == claim]
            back = Delivery.objects.filter(pk__in=ids, state=State.CLAIMED, claim=claim)
            if back.update(state=State.QUEUED, claim="", lease_until=None):
                note(ids, Kind.RELEASED, detail="its sender died")
    with transaction.atomic():
        locked = held.select_for_update()
        rows = locked.filter(state=State.IN_DATA).values_list("pk", "campaign_id")[:1000]
        after = dict(rows)
        lost = Delivery.objects.filter(pk__in=after, state=State.IN_DATA)
        if lost.update(
            state=State.UNKNOWN, lease_until=None, last_reply="The sender died while handing over."
        ):
            note(list(after), Kind.UNKNOWN, detail="its sender died while handing over")
            figures.count([(campaign_id, State.UNKNOWN) for campaign_id in after.values()])


def resend(deliveries: "QuerySet[Delivery]", *, why: str = EmailEvent.SENT_AGAIN) -> int:
    """Queues again what is unknown or failed and whose email is still kept. How many."""
    rows = deliveries.filter(state__in=RESENDABLE).exclude(rendered="")
    with transaction.atomic():
        ids = list(rows.values_list("pk", flat=True))
        moved = Delivery.objects.filter(pk__in=ids, state__in=RESENDABLE).update(
            state=State.QUEUED, claim="", attempts=0, not_before=timezone.now()
        )
        note(ids, Kind.QUEUED, detail=why)
    return moved


def resend_unknown() -> int:
    """Unknown emails of campaigns that chose to have them sent again: each once."""
    live = Campaign.objects.sendable().filter(resend_unknown=True)
    rows = Delivery.objects.unknown_once().filter(campaign__in=live.values("pk"))
    return resend(rows, why=EmailEvent.SENT_AGAIN_BY_RULE)
