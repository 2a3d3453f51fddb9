"""What crm itself holds of a person: collected for them, and erased (called by crm/erasure.py)."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from crm import consent
from crm.models import (
    AccessLink,
    AgeConfirmation,
    Ban,
    Contact,
    ContactAddress,
    Conversation,
    MediaFile,
    Message,
    MessageVersion,
    PrivateNote,
    Suppression,
    TimelineEntry,
)
from crm.models.contacts import Channel

CHANNEL_OF: dict[str, str] = {
    ContactAddress.Kind.EMAIL: Channel.EMAIL,
    ContactAddress.Kind.PHONE: Channel.PHONE,
}
REMEMBERS = "lyzr"  # the provider that keeps what was said
LEFT_AT_LYZR = "sessions_left_at_lyzr"  # in the receipt: for staff to delete there
MOST_MESSAGES = 100_000  # of one conversation in an export


def collect(contact: Contact) -> dict[str, Any]:
    return {
        "contact": {
            "id": str(contact.pk),
            **{name: getattr(contact, name) for name in ("name", "company", "role", "language", "time_zone")},
            "preferences": contact.preferences,
            "fields": contact.fields,
            "created_at": contact.created_at.isoformat(),
        },
        "addresses": list(contact.addresses.values("kind", "value", "as_given", "is_verified", "source")),
        "consents": [
            {**row, "at": row["at"].isoformat()}
            for row in contact.consents.values("channel", "purpose", "given", "at", "source", "text_version")
        ],
        "timeline": [
            {**row, "at": row["at"].isoformat()}
            for row in contact.timeline.values("at", "kind", "direction", "channel", "title")
        ],
        "files": [
            {**row, "created_at": row["created_at"].isoformat()}
            for row in contact.media_files.values("kind", "filename", "mime", "size_bytes", "created_at")
        ],
        "reports": list(contact.message_reports.values("reason", "comment", "text")),
        "memories": list(contact.memories.values_list("text", flat=True)),
        "conversations": [_conversation(row) for row in contact.conversations.order_by("created_at")],
    }


def _conversation(conversation: Conversation) -> dict[str, Any]:
    rows = conversation.messages.order_by("seq").values("seq", "author", "text", "created_at")[:MOST_MESSAGES]
    before = MessageVersion.objects.filter(message__conversation=conversation).order_by(
        "message_id", "number"
    )
    notes = conversation.private_notes.order_by("created_at").values("text", "created_at")[:MOST_MESSAGES]
    return {
        "id": str(conversation.pk),
        "title": conversation.title,
        "channel": conversation.channel,
        "state": conversation.state,
        "messages": [{**row, "created_at": row["created_at"].isoformat()} for row in rows],
        "said_before": [
            {"seq": seq, "text": text, "said_at": at.isoformat()}
            for seq, text, at in before.values_list("message__seq", "text", "said_at")[:MOST_MESSAGES]
        ],
        # What was written about a person is theirs to know; who wrote it is not about them.
        "private_notes": [{**row, "created_at": row["created_at"].isoformat()} for row in notes],
    }


def erase(contact: Contact, conversation_id: UUID | None = None) -> dict[str, int]:
    """Safe to repeat. A whole person leaves a nameless row, and a digest that keeps us from writing again."""
    if conversation_id is not None:
        return _erase_talks(contact, contact.conversations.filter(pk=conversation_id))
    removed = _erase_talks(contact, contact.conversations.all())
    with transaction.atomic():
        removed["addresses"] = _suppress_addresses(contact)
        removed["consents"] = contact.consents.all().delete()[0]
        removed["links"] += contact.access_links.all().delete()[0]
        removed["timeline"] += contact.timeline.all().delete()[0]
        _forget(contact)
    return removed


def _erase_talks(contact: Contact, conversations: Any) -> dict[str, int]:
    removed = {"conversations": 0, "messages": 0, "notes": 0, "files": 0, "links": 0, "timeline": 0}
    if left := _remembered_elsewhere(conversations):
        removed[LEFT_AT_LYZR] = left
    for conversation in conversations:
        removed["files"] += _erase_files(
            MediaFile.objects.filter(messages__conversation=conversation).distinct()
        )
        with transaction.atomic():
            removed["links"] += AccessLink.objects.filter(conversation=conversation).delete()[0]
            removed["timeline"] += _erase_timeline(contact, conversation)
            removed["messages"] += Message.objects.filter(conversation=conversation).count()
            removed["notes"] += PrivateNote.objects.filter(conversation=conversation).delete()[0]
            Conversation.objects.filter(pk=conversation.pk).delete()
            removed["conversations"] += 1
    return removed


def _remembered_elsewhere(conversations: Any) -> int:
    """Talks whose words a vendor keeps in sessions that it knows no call to delete (docs/lyzr.md)."""
    answered = Message.objects.filter(conversation__in=conversations.values("pk"), provider=REMEMBERS)
    return int(answered.order_by().values("conversation").distinct().count())


def _erase_timeline(contact: Contact, conversation: Conversation) -> int:
    """Entries that name the talk, whichever app wrote them: by `conversation`, or as their own id."""
    key = str(conversation.pk)
    rows = contact.timeline.only("pk", "ref")
    ids = [row.pk for row in rows if key in (row.ref.get("conversation"), row.ref.get("id"))]
    return int(TimelineEntry.objects.filter(pk__in=ids).delete()[0])


def _erase_files(files: Any) -> int:
    """The stored object first: while the row is there, a crash in between is made good."""
    count = 0
    for media in files:
        if media.file:
            media.file.storage.delete(media.file.name)
        MediaFile.objects.filter(pk=media.pk).delete()
        count += 1
    return count


def _suppress_addresses(contact: Contact) -> int:
    for address in contact.addresses.all():
        channel = CHANNEL_OF.get(address.kind)
        if channel is not None:
            held = consent.suppress(contact.account, channel, address.value, Suppression.Reason.ERASED)
            # A hint would keep the first letter and the domain of a person who asked to be forgotten.
            Suppression.objects.filter(pk=held.pk).update(hint="", source={})
    _erase_files(contact.media_files.all())
    return int(contact.addresses.all().delete()[0])


def _forget(contact: Contact) -> None:
    blank = {
        "name": "",
        "company": "",
        "role": "",
        "language": "",
        "time_zone": "",
        "preferences": {},
        "fields": {},
    }
    # Whom they are about is known by no address any more.
    Ban.objects.filter(contact=contact).delete()
    AgeConfirmation.objects.filter(contact=contact).delete()
    Contact.objects.filter(pk=contact.pk).update(**blank, is_active=False, erased_at=timezone.now())
