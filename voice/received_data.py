"""What the inbox of voice holds of a person: collected for them, or erased. Also what is kept for a while."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from crm.models import Contact, ContactAddress
from knowledge import ingestion
from voice import received
from voice.models import ReceivedConversation, VoiceEvent
from voice.received_knowledge import documents_of

BATCH = 500  # rows that one sweep clears
Status = ReceivedConversation.Status


def collect(contact: Contact) -> dict[str, Any]:
    """Which conversations were told of. Their words are crm's part."""
    return {
        "received_conversations": [
            {
                "conversation_id": row.conversation_id,
                "account": row.account_label,
                "email": row.email,
                "status": row.status,
                "summary": row.summary,
                "received_at": row.received_at.isoformat(),
            }
            for row in _theirs(contact, None).order_by("received_at")
        ]
    }


def _theirs(contact: Contact, conversation_id: UUID | None) -> "QuerySet[ReceivedConversation]":
    rows: QuerySet[ReceivedConversation] = ReceivedConversation.objects.for_account(contact.account)
    if conversation_id is not None:
        return rows.filter(contact=contact, talk=conversation_id)
    theirs = Q(contact=contact)
    for address in _addresses(contact):
        theirs |= Q(email__iexact=address)  # as it was sent, in whatever case
    return rows.filter(theirs)


def _addresses(contact: Contact) -> set[str]:
    given = contact.addresses.filter(kind=ContactAddress.Kind.EMAIL).values_list("value", "as_given")
    return {address for pair in given for address in pair if address}


def erase(contact: Contact, conversation_id: UUID | None = None) -> dict[str, int]:
    """Safe to repeat. The id of each conversation stays, so that no repeated delivery brings it back."""
    removed = {"conversations_received": 0, "voice_events": 0, "documents": 0, "recordings": 0}
    for row in _theirs(contact, conversation_id).select_related("recording"):
        for name, count in _erase(row).items():
            removed[name] += count
    if conversation_id is None:
        removed["voice_events"] += _erase_unread(contact)
    return removed


def _erase(row: ReceivedConversation) -> dict[str, int]:
    documents = documents_of(row)
    for document in documents:
        ingestion.remove_document(document)
    recording = row.recording
    if recording is not None:
        recording.file.storage.delete(str(recording.file.name))
        recording.delete()
    about = Q(received=row) | Q(account=row.account_id, conversation_id=row.conversation_id)
    with transaction.atomic():
        events = VoiceEvent.objects.filter(about)
        forgotten = received.forget(events)
        events.update(state=VoiceEvent.State.DONE)
        blank = {"account_label": "", "email": "", "summary": None, "contact": None, "agent_id": ""}
        ReceivedConversation.objects.filter(pk=row.pk).update(status=Status.ERASED, reason="", **blank)
    return {
        "conversations_received": int(row.status != Status.ERASED),
        "voice_events": forgotten,
        "documents": len(documents),
        "recordings": int(recording is not None),
    }


def _erase_unread(contact: Contact) -> int:
    """Bodies are encrypted, so events that wait or were given up are looked through one by one."""
    names = {address.lower() for address in _addresses(contact)}
    rows = VoiceEvent.objects.for_account(contact.account).exclude(state=VoiceEvent.State.DONE)
    found = [
        event.pk
        for event in rows.exclude(body="").only("body").iterator(BATCH)
        if any(name in event.body.lower() for name in names)
    ]
    mine = VoiceEvent.objects.filter(pk__in=found)
    received.forget(mine)
    return mine.update(state=VoiceEvent.State.DONE)


def clear_old(*, at: datetime | None = None) -> None:
    """Bodies are kept only so long as somebody may want to read them anew."""
    before = (at or timezone.now()) - timedelta(days=settings.INBOUND_RAW_DAYS)
    old = VoiceEvent.objects.filter(received_at__lt=before, state=VoiceEvent.State.DONE)
    ids = list(old.exclude(body="", file="").order_by("received_at").values_list("pk", flat=True)[:BATCH])
    if ids:
        received.forget(VoiceEvent.objects.filter(pk__in=ids))
