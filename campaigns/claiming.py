"""Who may send which email now: claims with leases, the step into DATA, what a dead sender left."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from campaigns.models import Campaign, Delivery, EmailEvent, Recipient, SmtpServer

State = Delivery.State
Kind = EmailEvent.Kind

# Longer than a whole run of a sender, so that only a dead one's leases run out.
LEASE = timedelta(seconds=120)
SERVER_LEASE = timedelta(seconds=20)


def new_claim() -> str:
    return uuid4().hex


def note(ids: Iterable[UUID], kind: str, *, detail: str = "") -> None:
    EmailEvent.objects.bulk_create(EmailEvent(delivery_id=one, kind=kind, detail=detail) for one in ids)


# --- The server: one sender at a time keeps to max_connections ----------------------------------


def hold_server(server_id: int, *, claim: str) -> bool:
    """True when this sender may use the server now; again true for the one that holds it."""
    now = timezone.now()
    free = Q(sending_until=None) | Q(sending_until__lt=now) | Q(sending_by=claim)
    held = SmtpServer.objects.usable(at=now).filter(free, pk=server_id)
    return held.update(sending_until=now + SERVER_LEASE, sending_by=claim) == 1


def free_server(server_id: int, *, claim: str) -> None:
    SmtpServer.objects.filter(pk=server_id, sending_by=claim).update(sending_until=None, sending_by="")


# --- Emails --------------------------------------------------------------------------------------


def claim_due(server_id: int | None, *, claim: str, limit: int) -> list[Delivery]:
    """Up to `limit` due emails, now this sender's alone. Mail outside campaigns first; these take turns."""
    ids: list[UUID] = []
    with transaction.atomic():
        sources: list[UUID | None] = [None, *_campaigns_of(server_id)]
        for index, campaign_id in enumerate(sources):
            share = -(-(limit - len(ids)) // (len(sources) - index)) if campaign_id else limit
            ids += _due_ids(server_id, campaign_id, limit=min(share, limit - len(ids)))
            if len(ids) >= limit:
                break
        won = _take(ids, claim=claim)
    return list(
        Delivery.objects.filter(pk__in=won)
        .select_related("contact__account", "account")
        .order_by("not_before")
    )


def _campaigns_of(server_id: int | None) -> QuerySet[Campaign, UUID]:
    waiting = Delivery.objects.due().filter(smtp_server=server_id, campaign__isnull=False)
    live = Campaign.objects.sendable().filter(smtp_server=server_id)
    # A finished campaign has due mail only when staff resend some, so running ones are few and this is short.
    return live.filter(Q(state=Campaign.State.RUNNING) | Q(pk__in=waiting.values("campaign"))).values_list(
        "pk", flat=True
    )


def _due_ids(server_id: int | None, campaign_id: UUID | None, *, limit: int) -> list[UUID]:
    rows = Delivery.objects.due().filter(smtp_server=server_id, campaign=campaign_id).order_by("not_before")
    if connection.features.has_select_for_update_skip_locked:
        rows = rows.select_for_update(skip_locked=True, of=("self",))
    return list(rows.values_list("pk", flat=True)[:limit])


def _take(ids: Collection[UUID], *, claim: str) -> list[UUID]:
    if not ids:
        return []
    rows = Delivery.objects.due().filter(pk__in=ids)
    rows.update(state=State.CLAIMED, claim=claim, lease_until=timezone.now() + LEASE)
    won = list(
        Delivery.objects.filter(pk__in=ids, claim=claim, state=State.CLAIMED).values_list("pk", flat=True)
    )
    note(won, Kind.CLAIMED)
    return won


def begin_data(ids: Collection[UUID], *, claim: str) -> set[UUID]:
    """Those that may be handed over now. Committed before DATA, so that a crash after it is never resent.

    Refused are emails whose campaign was paused or cancelled meanwhile, whose person was stopped, and
    claims that are no longer ours.
    """
    if not ids:
        return set()
    live = Q(campaign=None) | Q(campaign__in=Campaign.objects.sendable().values("pk"))
    stopped = Recipient.objects.held().filter(pk=OuterRef("recipient"))
    mine = Delivery.objects.filter(live, pk__in=ids, claim=claim, state=State.CLAIMED)
    mine.exclude(Exists(stopped)).update(state=State.IN_DATA, lease_until=timezone.now() + LEASE)
    granted = Delivery.objects.filter(pk__in=ids, claim=claim, state=State.IN_DATA)
    begun = set(granted.values_list("pk", flat=True))
    note(begun, Kind.IN_DATA)
    return begun


def release(ids: Collection[UUID], *, claim: str) -> None:
    """Gives back what was surely not handed over; what its campaign cancelled meanwhile is cancelled."""
    if not ids:
        return
    mine = Delivery.objects.filter(pk__in=ids, claim=claim, state__in=[State.CLAIMED, State.IN_DATA])
    cancelled = list(mine.filter(campaign__state=Campaign.State.CANCELLED).values_list("pk", flat=True))
    back = list(mine.exclude(pk__in=cancelled).values_list("pk", flat=True))
    mine.filter(pk__in=cancelled).update(
        state=State.CANCELLED, rendered="", claim="", lease_until=None, last_reply="campaign cancelled"
    )
    mine.filter(pk__in=back).update(state=State.QUEUED, claim="", lease_until=None)
    note(cancelled, Kind.CANCELLED, detail="campaign cancelled")
    note(back, Kind.RELEASED)


def recover(*, at: datetime | None = None) -> None:
    """What dead senders held: before DATA it is queued again, after it nobody knows.

    `unknown` keeps its claim: should the sender be alive after all, its answer still settles the row.
    """
    expired = Delivery.objects.leased_out(at=at)
    with transaction.atomic():
        before = list(expired.filter(state=State.CLAIMED).values_list("pk", flat=True)[:1000])
        back = Delivery.objects.filter(pk__in=before, state=State.CLAIMED)
        if back.update(state=State.QUEUED, claim="", lease_until=None):
            note(before, Kind.RELEASED, detail="its sender died")
    with transaction.atomic():
        after = list(expired.filter(state=State.IN_DATA).values_list("pk", flat=True)[:1000])
        held = Delivery.objects.filter(pk__in=after, state=State.IN_DATA)
        if held.update(
            state=State.UNKNOWN, lease_until=None, last_reply="The sender died while handing over."
        ):
            note(after, Kind.UNKNOWN, detail="its sender died while handing over")


def resend(deliveries: "QuerySet[Delivery]") -> int:
    """Queues again what is unknown or failed and whose email is still kept. How many."""
    rows = deliveries.filter(state__in=[State.UNKNOWN, State.FAILED]).exclude(rendered="")
    with transaction.atomic():
        ids = list(rows.values_list("pk", flat=True))
        moved = Delivery.objects.filter(pk__in=ids, state__in=[State.UNKNOWN, State.FAILED]).update(
            state=State.QUEUED, claim="", attempts=0, not_before=timezone.now()
        )
        note(ids, Kind.QUEUED, detail="sent again by choice")
    return moved


def resend_unknown() -> int:
    """Unknown emails of campaigns that chose to have them sent again."""
    live = Campaign.objects.sendable().filter(resend_unknown=True)
    return resend(Delivery.objects.filter(state=State.UNKNOWN, campaign__in=live.values("pk")))
