"""The documented webhook: one conversation and its event, stored in one transaction before the 200."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from config.api.models import Account
from voice import inbox, webhook_body
from voice.models import ReceivedConversation, VoiceEvent
from voice.received_values import ReceivedTalk

Status = ReceivedConversation.Status
SOURCE = VoiceEvent.Source.WEBHOOK
KIND = "conversation"


class OtherAccount(Exception):  # noqa: N818
    """The conversation is known under another `accountId`: nobody overwrites what is not theirs."""


class Erased(Exception):  # noqa: N818
    """The person asked to be forgotten; their conversation is not taken a second time."""


@dataclass(frozen=True, slots=True)
class Stored:
    event: VoiceEvent
    is_new: bool


def keep(account: Account, raw: bytes, body: dict[str, Any], talk: ReceivedTalk) -> Stored:
    """Stores it and wakes a reader. The same content again is the first delivery, whoever won the race.

    Other content of a known conversation is its next version. Raises OtherAccount or Erased.
    """
    digest = webhook_body.digest_of(body)
    try:
        with transaction.atomic():
            stored = Stored(_begin(account, raw, digest, talk), is_new=True)
            inbox.wake()
            return stored
    except IntegrityError:
        return _again(account, raw, digest, talk)


def _begin(account: Account, raw: bytes, digest: str, talk: ReceivedTalk) -> VoiceEvent:
    now = timezone.now()
    row = ReceivedConversation(
        account=account,
        conversation_id=talk.conversation_id,
        source=SOURCE,
        received_at=now,
        **_facts(talk, at=now),
    )
    row.save(force_insert=True)
    return _event(row, raw, digest, at=now)


def _again(account: Account, raw: bytes, digest: str, talk: ReceivedTalk) -> Stored:
    with transaction.atomic():
        rows = ReceivedConversation.objects.for_account(account).select_for_update(of=("self",))
        row = rows.get(conversation_id=talk.conversation_id)
        if row.status == Status.ERASED:
            raise Erased
        # Empty: a vendor told of it first, who knows no accountId.
        if row.account_label not in ("", talk.account_label):
            raise OtherAccount
        known = VoiceEvent.objects.for_account(account).filter(source=SOURCE, event_id=digest).first()
        if known is not None:
            return Stored(known, is_new=False)
        now = timezone.now()
        facts = {**_facts(talk, at=now), "version": row.version + 1}
        ReceivedConversation.objects.filter(pk=row.pk).update(**facts)
        stored = Stored(_event(row, raw, digest, at=now), is_new=True)
        inbox.wake()
        return stored


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


def _event(row: ReceivedConversation, raw: bytes, digest: str, *, at: datetime) -> VoiceEvent:
    event = VoiceEvent(
        account=row.account,
        source=SOURCE,
        kind=KIND,
        event_id=digest,
        conversation_id=row.conversation_id,
        received=row,
        content_at=at,
        received_at=at,
        body=raw.decode("latin-1"),
        size_bytes=len(raw),
    )
    event.save(force_insert=True)
    return event
