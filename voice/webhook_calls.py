"""A vendor's webhook, proved already: stored as it came, and a reader woken."""

import hashlib
from typing import IO

from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.utils import timezone

from config.api.ids import uuid7
from config.api.models import Account
from voice import inbox
from voice import webhook_elevenlabs as elevenlabs
from voice.models import VoiceEvent

MOST_IN_ROW = 4 * 1024 * 1024  # bytes; recordings are larger, and become files


def keep(account: Account, body: IO[bytes], *, size: int, is_polled: bool = False) -> bool:
    """False when the same event is held already. Raises storage errors: then nothing was promised."""
    if size > MOST_IN_ROW:
        return _keep_file(account, body, size)
    raw = body.read()
    envelope = elevenlabs.envelope_of(raw)
    data = elevenlabs.part(envelope, "data")
    event = VoiceEvent(
        account=account,
        source=VoiceEvent.Source.ELEVENLABS,
        kind=elevenlabs.text(envelope, "type")[:60],
        event_id=elevenlabs.event_id(raw, envelope),
        conversation_id=elevenlabs.text(data, "conversation_id")[:200],
        content_at=elevenlabs.moment(envelope.get("event_timestamp")) or timezone.now(),
        is_polled=is_polled,
        body=raw.decode("latin-1"),
        size_bytes=len(raw),
    )
    return _stored(event)


def _keep_file(account: Account, body: IO[bytes], size: int) -> bool:
    """A body too large for a row. What it is, is read by the worker: parsing it would hold up the answer."""
    event = VoiceEvent(id=uuid7(), account=account, source=VoiceEvent.Source.ELEVENLABS, size_bytes=size)
    event.event_id = _digest(body)
    if _is_held(event):
        return False
    event.file.name = default_storage.save(f"voice/inbox/{event.pk}.json", File(body))
    if _stored(event):
        return True
    default_storage.delete(str(event.file.name))
    return False


def _digest(body: IO[bytes]) -> str:
    body.seek(0)
    digest = hashlib.file_digest(body, "sha256").hexdigest()  # type: ignore[arg-type]
    body.seek(0)
    return digest


def _is_held(event: VoiceEvent) -> bool:
    rows = VoiceEvent.objects.for_account(event.account)
    return rows.filter(source=event.source, event_id=event.event_id).exists()


def _stored(event: VoiceEvent) -> bool:
    try:
        with transaction.atomic():
            event.save(force_insert=True)
            inbox.wake()
    except IntegrityError:
        return False
    return True
