"""The documented webhook: one conversation and its event, stored in one transaction before the 200."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from config.api.gathering import Gathered
from config.api.models import Account
from config.api.prepared import PreparedInsert
from voice import inbox, webhook_body
from voice.models import ReceivedConversation, VoiceEvent
from voice.received_values import ReceivedTalk

Status = ReceivedConversation.Status
SOURCE = VoiceEvent.Source.WEBHOOK
KIND = "conversation"

Key = tuple[int, str]  # account, conversation
_insert_conversation = PreparedInsert(ReceivedConversation)
_insert_event = PreparedInsert(VoiceEvent)


class OtherAccount(Exception):  # noqa: N818
    """The conversation is known under another `accountId`: nobody overwrites what is not theirs."""


class Erased(Exception):  # noqa: N818
    """The person asked to be forgotten; their conversation is not taken a second time."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A body that was checked: `raw` as it came, `digest` of its content, `talk` as read from it."""

    account: Account
    raw: bytes
    digest: str
    talk: ReceivedTalk

    @property
    def key(self) -> Key:
        return self.account.pk, self.talk.conversation_id


@dataclass(frozen=True, slots=True)
class Stored:
    event: VoiceEvent
    is_new: bool


Outcome = Stored | Exception


async def keep(account: Account, raw: bytes, body: dict[str, Any], talk: ReceivedTalk) -> Stored:
    """Stores it and wakes a reader. The same content again is the first delivery, whoever won the race.

    Other content of a known conversation is its next version. Raises OtherAccount or Erased.
    """
    return await _kept(Delivery(account, raw, webhook_body.digest_of(body), talk))


def keep_each(deliveries: Sequence[Delivery]) -> list[Outcome]:
    """What came at the same time. New conversations in one transaction, so that one wait for the disk serves
    them all; the rest, and all when another process began one of them in this moment, each in its own.
    """
    known = _known(deliveries)
    new = {delivery.key: delivery for delivery in reversed(deliveries) if delivery.key not in known}
    try:
        stored = _begin(list(new.values()))
    except IntegrityError:
        return [_alone(delivery) for delivery in deliveries]
    return [
        stored[delivery.key] if new.get(delivery.key) is delivery else _again(delivery)
        for delivery in deliveries
    ]


_kept = Gathered[Delivery, Stored](keep_each)


def _known(deliveries: Sequence[Delivery]) -> set[Key]:
    rows = ReceivedConversation.objects.filter(
        account__in={delivery.account.pk for delivery in deliveries},
        conversation_id__in={delivery.talk.conversation_id for delivery in deliveries},
    )
    return set(rows.order_by().values_list("account_id", "conversation_id"))


def _begin(deliveries: Sequence[Delivery]) -> dict[Key, Outcome]:
    """Raises IntegrityError, and then has stored nothing."""
    if not deliveries:
        return {}
    now = timezone.now()
    rows = [_row(delivery, at=now) for delivery in deliveries]
    events = [_event(row, delivery, at=now) for row, delivery in zip(rows, deliveries, strict=True)]
    with transaction.atomic():
        _insert_conversation.many(rows)
        _insert_event.many(events)
        inbox.wake()
    pairs = zip(deliveries, events, strict=True)
    return {delivery.key: Stored(event, is_new=True) for delivery, event in pairs}


def _alone(delivery: Delivery) -> Outcome:
    try:
        return _begin([delivery])[delivery.key]
    except IntegrityError:
        return _again(delivery)


def _again(delivery: Delivery) -> Outcome:
    """Of a conversation that is known: the same again, a next version, or nothing that may be kept."""
    account, talk = delivery.account, delivery.talk
    with transaction.atomic():
        rows = ReceivedConversation.objects.for_account(account).select_for_update(of=("self",))
        row = rows.get(conversation_id=talk.conversation_id)
        if row.status == Status.ERASED:
            return Erased()
        # Empty: a vendor told of it first, who knows no accountId.
        if row.account_label not in ("", talk.account_label):
            return OtherAccount()
        events = VoiceEvent.objects.for_account(account)
        known = events.filter(source=SOURCE, event_id=delivery.digest).first()
        return Stored(known, is_new=False) if known else Stored(_next_version(row, delivery), is_new=True)


def _next_version(row: ReceivedConversation, delivery: Delivery) -> VoiceEvent:
    now = timezone.now()
    facts = {**_facts(delivery.talk, at=now), "version": row.version + 1}
    ReceivedConversation.objects.filter(pk=row.pk).update(**facts)
    event = _event(row, delivery, at=now)
    event.save(force_insert=True)
    inbox.wake()
    return event


def _row(delivery: Delivery, *, at: datetime) -> ReceivedConversation:
    return ReceivedConversation(
        account=delivery.account,
        conversation_id=delivery.talk.conversation_id,
        source=SOURCE,
        received_at=at,
        **_facts(delivery.talk, at=at),
    )


def _event(row: ReceivedConversation, delivery: Delivery, *, at: datetime) -> VoiceEvent:
    return VoiceEvent(
        account=row.account,
        source=SOURCE,
        kind=KIND,
        event_id=delivery.digest,
        conversation_id=row.conversation_id,
        received=row,
        content_at=at,
        received_at=at,
        body=delivery.raw.decode("latin-1"),
        size_bytes=len(delivery.raw),
    )


def _facts(talk: ReceivedTalk, *, at: datetime) -> dict[str, Any]:
    return {
        "account_label": talk.account_label,
        "email": talk.email,
        "agent_id": talk.agent_id,
        "status": Status.PROCESSING,
        "content_at": at,
        "processed_at": at,
        "started_at": talk.started_at,
        "ended_at": talk.ended_at,
        "duration_seconds": talk.duration_seconds,
        "message_count": talk.message_count,
        "summary": talk.summary,
    }
