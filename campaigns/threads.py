"""The emails between an account and a person, both sides, as one thread."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.db.models import Count, Max, Min, Q, QuerySet

from campaigns import outbox
from campaigns.models import Delivery, InboundEmail, SentText
from campaigns.shown import without_capabilities
from config.api.models import Account
from crm.consent import normalised
from crm.models.contacts import Channel

State = Delivery.State
NOT_LEFT = (State.QUEUED, State.DEFERRED, State.CLAIMED, State.IN_DATA, State.CANCELLED)
MOST = 500  # emails of one thread
MOST_THREADS = 10_000
MOST_NAMED = 1_000  # addresses in one query
# What arrived and is no part of a thread.
NOT_SHOWN = (InboundEmail.Kind.OWN_COPY, InboundEmail.Kind.COPY)


@dataclass(frozen=True, slots=True)
class Letter:
    """One email of a thread. `state` is a delivery's standing, or the kind of what arrived.

    `number` counts what we sent to this address, from 1; it is 0 for what arrived or was cancelled.
    """

    id: UUID
    direction: Literal["out", "in"]
    at: datetime
    subject: str
    text: str
    state: str
    from_email: str
    to_email: str
    number: int = 0
    delivery_id: UUID | None = None
    campaign_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Thread:
    """All emails with one address, counted; `latest_number` is that of the last one we tried to send."""

    email: str
    sent: int
    latest_number: int
    first_sent: datetime | None
    last_sent: datetime | None
    received: int
    last_received: datetime | None


def thread_of(account: Account, email: str, *, limit: int = MOST) -> list[Letter]:
    """The newest `limit` emails with this address, the oldest first. Empty for an address nobody knows."""
    address = normalised(Channel.EMAIL, email)
    sent = Delivery.objects.for_account(account).filter(to_email=address)
    newest = list(sent.select_related("smtp_server").order_by("-created_at", "-pk")[:limit])
    came = InboundEmail.objects.for_account(account).filter(from_email=address, state=InboundEmail.State.DONE)
    came = came.exclude(kind__in=NOT_SHOWN).defer("raw").order_by("-received_at", "-pk")
    first = sent.exclude(state=State.CANCELLED).count() - sum(map(_is_counted, newest)) + 1
    letters = [*_numbered(reversed(newest), first), *map(_received, came[:limit])]
    return sorted(letters, key=lambda letter: (letter.at, letter.id))[-limit:]


def _numbered(deliveries: Iterable[Delivery], first: int) -> Iterator[Letter]:
    rows = list(deliveries)
    kept = SentText.objects.filter(delivery__in=[one.pk for one in rows])
    texts = dict(kept.values_list("delivery_id", "text"))
    number = first
    for delivery in rows:
        is_counted = _is_counted(delivery)
        yield replace(_sent(delivery, texts.get(delivery.pk)), number=number if is_counted else 0)
        number += is_counted


def _is_counted(delivery: Delivery) -> bool:
    return delivery.state != State.CANCELLED


def _sent(delivery: Delivery, text: str | None) -> Letter:
    if text is None:  # made before texts were kept: what the outbox still holds
        text = without_capabilities(outbox.read(delivery).text)
    return Letter(
        id=delivery.pk,
        direction="out",
        at=delivery.sent_at or delivery.created_at,
        subject=delivery.subject,
        text=text,
        state=delivery.standing,
        from_email=delivery.smtp_server.from_email if delivery.smtp_server else "",
        to_email=delivery.to_email,
        delivery_id=delivery.pk,
        campaign_id=delivery.campaign_id,
    )


def _received(email: InboundEmail) -> Letter:
    return Letter(
        id=email.pk,
        direction="in",
        at=email.received_at,
        subject=email.subject,
        text=email.text,
        state=email.kind,
        from_email=email.from_email,
        to_email=email.to_email,
        delivery_id=email.delivery_id,
    )


def threads_of(
    account: Account, *, limit: int = MOST_THREADS, after: tuple[datetime, str] | None = None
) -> list[Thread]:
    """Every address the account wrote to, the one written to last first, and what came back.

    `after` is `last_sent` and `email` of the last thread of the page before.
    """
    sent = _counted(Delivery.objects.for_account(account))
    if after is not None:
        at, email = after
        sent = sent.filter(Q(last__lt=at) | Q(last=at, to_email__gt=email))
    rows = list(sent.order_by("-last", "to_email")[:limit])
    back = _back(account, [row["to_email"] for row in rows])
    return [_thread(row, back.get(row["to_email"], {})) for row in rows]


def number_of_threads(account: Account) -> int:
    sent = Delivery.objects.for_account(account).filter(sent_at__isnull=False)
    return sent.order_by().values("to_email").distinct().count()


def _back(account: Account, emails: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What came from these addresses, counted; from all of them where they are a great many."""
    came = InboundEmail.objects.for_account(account).filter(
        state=InboundEmail.State.DONE, contact__isnull=False
    )
    if len(emails) <= MOST_NAMED:
        came = came.filter(from_email__in=emails)
    return {
        row["from_email"]: row
        for row in came.exclude(kind__in=NOT_SHOWN)
        .order_by()
        .values("from_email")
        .annotate(count=Count("pk"), last=Max("received_at"))
    }


def _counted(deliveries: "QuerySet[Delivery]") -> Any:
    return (
        deliveries.order_by()
        .values("to_email")
        .annotate(
            count=Count("sent_at"),
            latest=Count("pk", filter=~Q(state__in=NOT_LEFT)),
            first=Min("sent_at"),
            last=Max("sent_at"),
        )
        .filter(last__isnull=False)
    )


def _thread(row: dict[str, Any], back: dict[str, Any]) -> Thread:
    return Thread(
        email=row["to_email"],
        sent=row["count"],
        latest_number=row["latest"],
        first_sent=row["first"],
        last_sent=row["last"],
        received=back.get("count", 0),
        last_received=back.get("last"),
    )
