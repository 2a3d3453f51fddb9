"""What is made of each event: chosen by who sent it, and what it says it is."""

import base64
import binascii
import hashlib
import json
from uuid import UUID

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction

from crm.models import MediaFile
from voice import inbox, received, webhook_body
from voice import webhook_elevenlabs as elevenlabs
from voice.models import ReceivedConversation, VoiceEvent


def read(event_id: UUID) -> bool:
    """Reads one stored event; whether it was this call that finished it. Doing it twice changes nothing."""
    event = inbox.take(event_id)
    return event is not None and inbox.work_off(event, _read)


def _read(event: VoiceEvent) -> None:
    raw = _raw(event)
    if not raw:
        return  # cleared, and replayed nevertheless
    if event.source == VoiceEvent.Source.WEBHOOK:
        received.take(event, webhook_body.read(json.loads(raw)))
        return
    envelope = elevenlabs.envelope_of(raw)
    data = elevenlabs.part(envelope, "data")
    _describe(event, elevenlabs.text(envelope, "type"), elevenlabs.text(data, "conversation_id"))
    if not event.conversation_id:
        return  # kept, shown, and nothing follows: a kind of event that we do not know
    if event.kind == elevenlabs.TRANSCRIPTION:
        received.take(event, elevenlabs.talk_of(data))
    elif event.kind == elevenlabs.AUDIO:
        _take_recording(event, elevenlabs.text(data, "full_audio"))
    elif event.kind == elevenlabs.FAILURE:
        reason = elevenlabs.text(data, "failure_reason") or "unknown"
        received.note_failure(event, reason[:200], number=elevenlabs.number_called(data))


def _raw(event: VoiceEvent) -> bytes:
    if not event.file:
        return event.body.encode("latin-1")
    with default_storage.open(str(event.file.name), "rb") as stored:
        return stored.read()


def _describe(event: VoiceEvent, kind: str, conversation_id: str) -> None:
    """A large event was stored without a look into it."""
    event.kind, event.conversation_id = kind[:60], conversation_id[:200]
    VoiceEvent.objects.filter(pk=event.pk).update(kind=event.kind, conversation_id=event.conversation_id)


def _take_recording(event: VoiceEvent, encoded: str) -> None:
    """The recording as a private file. Raises ValueError when it is no base64, so that somebody looks."""
    try:
        content = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        raise ValueError("The recording is not base64.") from None
    row = received.conversation_for(event)
    if row is None or not content or row.recording_id is not None:
        return
    key = f"voice/recordings/{row.account_id}/{row.pk}.mp3"
    if default_storage.exists(key):
        default_storage.delete(key)  # of a worker that died before its row
    with transaction.atomic():
        media = MediaFile.objects.create(
            account=event.account,
            contact=row.contact,
            kind=MediaFile.Kind.AUDIO,
            file=default_storage.save(key, ContentFile(content)),
            filename=f"conversation-{row.conversation_id}.mp3"[:300],
            mime="audio/mpeg",
            size_bytes=len(content),
            checksum=hashlib.sha256(content).hexdigest(),
            duration_seconds=row.duration_seconds,
        )
        ReceivedConversation.objects.filter(pk=row.pk).update(recording=media)
