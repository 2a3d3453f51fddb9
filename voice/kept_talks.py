"""What was said in a call becomes a conversation of the person's, once, after the line is down."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from crm.models import Conversation, Message
from crm.models.contacts import Channel
from crm.talk import storable
from voice.models import CallTurn, PhoneCall

PERSON, PERSONA = Message.Author.PERSON, Message.Author.PERSONA


def due(*, limit: int = 50) -> list[Any]:
    """Calls whose talk is not kept yet, as a worker that was killed leaves them."""
    rows = PhoneCall.objects.filter(transcript_is_due=True)
    return list(rows.order_by("ended_at").values_list("pk", flat=True)[:limit])


def wake(call_id: Any) -> None:
    from voice.tasks import keep_talk  # tasks imports this module

    keep_talk.delay_on_commit(str(call_id))  # type: ignore[attr-defined]


def keep(call_id: Any) -> Conversation | None:
    """Writes the conversation with its messages. None when there is nothing to keep, or it is kept."""
    with transaction.atomic():
        rows = PhoneCall.objects.select_for_update(of=("self",)).filter(pk=call_id, transcript_is_due=True)
        call = rows.select_related("contact").first()
        if call is None:
            return None
        spoken = list(_spoken(list(call.turns.order_by("number"))))
        conversation = _conversation(call, count=len(spoken))
        Message.objects.bulk_create(
            Message(
                conversation=conversation,
                seq=number,
                author=author,
                text=storable(text),
                created_at=at,
                completed_at=at,
            )
            for number, (author, text, at) in enumerate(spoken, start=1)
        )
        PhoneCall.objects.filter(pk=call.pk).update(transcript=conversation, transcript_is_due=False)
    return conversation


def _conversation(call: PhoneCall, *, count: int) -> Conversation:
    ended = call.ended_at or timezone.now()
    position = str(call.invitation.get("position", ""))
    title = _("Phone call about %(position)s") % {"position": position} if position else _("Phone call")
    conversation: Conversation = Conversation.objects.create(
        account_id=call.account_id,
        contact=call.person,
        channel=Channel.PHONE,
        title=storable(title)[:200],
        state=Conversation.State.CLOSED,
        status=Conversation.Status.COMPLETED,
        close_reason=(call.outcome or "ended")[:40],
        last_seq=count,
        last_activity_at=ended,
        closed_at=ended,
    )
    return conversation


def _spoken(turns: list[CallTurn]) -> "list[tuple[str, str, datetime]]":
    """Who said what, in order. Silence is no message; a key is one in words."""
    found: list[tuple[str, str, datetime]] = []
    for turn in turns:
        if heard := turn.words or (turn.digits and _("Pressed %(keys)s") % {"keys": turn.digits}):
            found.append((PERSON, heard, turn.at))
        if turn.said:
            found.append((PERSONA, turn.said, turn.at))
    return found
