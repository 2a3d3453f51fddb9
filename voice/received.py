"""A conversation held elsewhere becomes ours: a contact, a talk, its messages, a line on the timeline.

Everything here may be done again, and in any order: what is older than what is held changes nothing.
"""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from config.api.models import Account
from config.api.prepared import PreparedInsert, PreparedRows, given
from crm import contacts, timeline
from crm.contacts import InvalidAddress
from crm.models import Contact, Conversation, Message, TimelineEntry
from crm.models.contacts import Channel
from crm.talk import storable
from voice import received_knowledge
from voice.models import ReceivedConversation, VoiceEvent
from voice.received_values import Line, ReceivedTalk

Status = ReceivedConversation.Status
_insert_talk = PreparedInsert(Conversation)
_insert_message = PreparedInsert(Message)
_found = PreparedRows(
    lambda: (
        ReceivedConversation.objects.filter(pk=given(ReceivedConversation, "id"))
        .select_related("talk", "contact")
        .order_by()
    )
)
_locked = PreparedRows(
    lambda: (
        ReceivedConversation.objects.filter(pk=given(ReceivedConversation, "id"))
        .select_for_update(of=("self",))
        .select_related("talk", "contact")
        .order_by()
    )
)
Words = tuple[str, str, str]  # a line's key, its author, its text
AUTHORS = {"user": Message.Author.PERSON, "agent": Message.Author.PERSONA}


def take(event: VoiceEvent, talk: ReceivedTalk) -> None:
    """Writes the conversation, unless a newer version of it is held or its person was forgotten."""
    with transaction.atomic():
        row = conversation_for(event)
        if row is None or (row.content_at is not None and event.content_at < row.content_at):
            return
        contact = _contact(row, talk)
        known = row.talk
        conversation = _begin(row, contact, talk) if known is None else _brought_up(known, row, contact, talk)
        held = [] if known is None else _held(known)
        _write_lines(conversation, talk.lines, held, at=talk.started_at or row.received_at)
        _settle(row, event, talk, contact, conversation)
        if known is None or not _is_told(known, contact):
            _tell(conversation, contact, talk, at=row.received_at)
    received_knowledge.remember(row, talk)


def conversation_for(event: VoiceEvent) -> ReceivedConversation | None:
    """Its conversation, made when this is the first of it, and locked till the transaction ends.

    None when its person was forgotten; then what the event says is forgotten as well.
    """
    if event.received_id is None:
        first, _made = ReceivedConversation.objects.get_or_create(
            account=event.account,
            conversation_id=event.conversation_id,
            defaults={"source": event.source, "received_at": event.received_at},
        )
        VoiceEvent.objects.filter(pk=event.pk).update(received=first)
        event.received_id = first.pk
    find = _locked if transaction.get_connection().in_atomic_block else _found
    row = find.first(id=event.received_id)
    if row is None:
        return None  # gone this moment, and the event with it
    row.account = event.account
    if row.status != Status.ERASED:
        return row
    forget(VoiceEvent.objects.filter(pk=event.pk))
    return None


def _contact(row: ReceivedConversation, talk: ReceivedTalk) -> Contact:
    """By our own id when the agent was given one, else by address, else a person known by nothing else."""
    account = row.account
    known = contacts.find(account, talk.contact) if talk.contact else None
    if known is not None and known.erased_at is None:
        return known
    ways = {
        "email": _usable(contacts.normalise_email, talk.email),
        "phone": _usable(contacts.normalise_phone, talk.phone),
        "external_id": _usable(contacts.normalise_external_id, talk.external_id),
    }
    if not any(ways.values()) and row.contact is not None:
        return row.contact  # this version says less than the one before
    if not any(ways.values()):
        ways["external_id"] = f"conversation:{talk.conversation_id}"[:320]
    contact, _made = contacts.resolve(account, source="voice", name=storable(talk.name), **ways)
    return contact


def _usable(form: Any, address: str) -> str:
    """What cannot be an address is no reason to lose the conversation."""
    try:
        return str(form(address)) if address else ""
    except InvalidAddress:
        return ""


def _begin(row: ReceivedConversation, contact: Contact, talk: ReceivedTalk) -> Conversation:
    # Another way in may have used the same id; that talk is somebody else's.
    taken = Conversation.objects.called(row.account_id, row.conversation_id).exists()
    return _insert_talk(
        Conversation(
            account=row.account,
            external_id="" if taken else row.conversation_id,
            state=Conversation.State.CLOSED,
            status=Conversation.Status.COMPLETED,
            close_reason="ended",
            last_seq=len(talk.lines),
            **_facts(row, contact, talk),
        )
    )


def _brought_up(
    conversation: Conversation, row: ReceivedConversation, contact: Contact, talk: ReceivedTalk
) -> Conversation:
    facts = _facts(row, contact, talk)
    Conversation.objects.filter(pk=conversation.pk).update(**facts, last_seq=len(talk.lines))
    return conversation


def _facts(row: ReceivedConversation, contact: Contact, talk: ReceivedTalk) -> dict[str, Any]:
    ended = talk.ended_at or talk.started_at or row.received_at
    return {
        "contact": contact,
        "channel": Channel.PHONE if talk.by_phone else Channel.API,
        "title": storable(talk.title)[:200],
        "last_activity_at": min(ended, timezone.now()),
        "closed_at": ended,
    }


def _held(conversation: Conversation) -> list[Words]:
    rows = conversation.messages.order_by("seq")
    return list(rows.values_list("client_message_id", "author", "text"))


def _write_lines(
    conversation: Conversation, lines: tuple[Line, ...], held: list[Words], *, at: datetime
) -> None:
    """Appends what is new. When what was said before has changed, all is written anew: one true order."""
    wanted = [(line.key, str(AUTHORS[line.speaker]), storable(line.text)) for line in lines]
    if held != wanted[: len(held)]:
        conversation.messages.all().delete()
        held = []
    _insert_message.many(
        Message(
            conversation=conversation,
            seq=number,
            author=author,
            text=text,
            client_message_id=key,
            created_at=line.at or at,
            completed_at=line.at or at,
        )
        for number, (line, (key, author, text)) in enumerate(zip(lines, wanted, strict=True), start=1)
        if number > len(held)
    )


def _settle(
    row: ReceivedConversation,
    event: VoiceEvent,
    talk: ReceivedTalk,
    contact: Contact,
    conversation: Conversation,
) -> None:
    row.contact, row.talk = contact, conversation
    row.status, row.reason = Status.COMPLETED, ""
    if talk.failure:
        row.status, row.reason = Status.FAILED, talk.failure
    # The same conversation may be told by two systems, each with what it knows.
    row.account_label, row.email = talk.account_label or row.account_label, talk.email or row.email
    row.agent_id, row.content_at, row.source = talk.agent_id, event.content_at, event.source
    row.started_at, row.ended_at = talk.started_at, talk.ended_at
    row.duration_seconds, row.message_count = talk.duration_seconds, talk.message_count
    row.summary, row.processed_at = clean(talk.summary), timezone.now()
    row.save()
    if row.recording is not None and row.recording.contact_id != contact.pk:
        row.recording.contact = contact  # the recording came before anybody knew whose it is
        row.recording.save(update_fields=["contact"])


def clean(value: Any) -> Any:
    """What a database can hold of a value from outside: no NUL, no half surrogates, nothing endless."""
    if isinstance(value, str):
        return storable(value)[:20_000]
    if isinstance(value, list):
        return [clean(one) for one in value[:1000]]
    if isinstance(value, dict):
        return {storable(str(key))[:200]: clean(one) for key, one in list(value.items())[:1000]}
    return value


def _is_told(conversation: Conversation, contact: Contact) -> bool:
    """Whether the contact's timeline has its line; when it has not, nobody else's has it any more."""
    told = TimelineEntry.objects.filter(kind="voice_conversation", ref=_ref(conversation))
    if told.filter(contact=contact).exists():
        return True
    told.delete()
    return False


def _ref(conversation: Conversation) -> dict[str, str]:
    return {"kind": "conversation", "id": str(conversation.pk)}


def _tell(conversation: Conversation, contact: Contact, talk: ReceivedTalk, *, at: datetime) -> None:
    """One line on the contact's timeline, however often the conversation comes."""
    timeline.write(
        contact,
        "voice_conversation",
        _("Talked with a voice agent: %(topic)s") % {"topic": storable(talk.title)}
        if talk.title
        else _("Talked with a voice agent"),
        direction=TimelineEntry.Direction.IN,
        channel=Channel.PHONE if talk.by_phone else Channel.API,
        ref=_ref(conversation),
        at=min(talk.started_at or at, timezone.now()),
    )


def note_failure(event: VoiceEvent, reason: str, *, number: str) -> None:
    """A call that was never answered. A transcript that came before or comes later has the last word."""
    with transaction.atomic():
        row = conversation_for(event)
        if row is None or row.talk_id is not None:
            return
        phone = _usable(contacts.normalise_phone, number)
        contact = _called(event.account, phone) if phone else None
        ReceivedConversation.objects.filter(pk=row.pk).update(
            status=Status.FAILED, reason=reason, contact=contact, processed_at=timezone.now()
        )
        if contact is not None:
            timeline.write(
                contact,
                "voice_call_failed",
                _("A call did not come about: %(reason)s") % {"reason": reason},
                direction=TimelineEntry.Direction.OUT,
                channel=Channel.PHONE,
                ref={"kind": "received_conversation", "id": str(row.pk)},
                at=min(event.content_at, timezone.now()),
            )


def _called(account: Account, phone: str) -> Contact | None:
    rows = Contact.objects.for_account(account)
    found: Contact | None = rows.filter(addresses__kind="phone", addresses__value=phone).first()
    return found


def forget(events: "QuerySet[VoiceEvent]") -> int:
    """That something came stays known; what it said does not. The stored object goes first."""
    for event in events.exclude(file="").only("pk", "file"):
        event.file.storage.delete(str(event.file.name))
    return events.exclude(body="", file="").update(body="", file="")
