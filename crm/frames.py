"""What a page is told of a message and of a talk (docs/live-chat.md), the same by socket and by HTTP."""

from typing import Any
from uuid import UUID

from config.api.prepared import PreparedValues, given
from crm import briefs
from crm.models import Conversation, Message

# Of a talk without a brief: what a reply may need to know of before.
LATEST = 60  # messages
LAST = 2**31 - 1  # no talk has a number beyond
# Of a brief: its limits keep a talk below this.
MOST_OF_A_BRIEF = 1_500  # messages


def message_frame(message: Message) -> dict[str, Any]:
    """`message.reply_to` is read for its seq: select it along."""
    plan = message.plan or {}
    return {
        "seq": message.seq,
        "author": message.author,
        "state": message.state,
        "text": message.text,
        "client_message_id": message.client_message_id,
        "reply_to": message.reply_to.seq if message.reply_to is not None else None,
        "act": message.act,
        "question_key": message.question_key,
        "choices": plan.get("choices", []),
        "sources": plan.get("sources", []),
        "at": message.created_at.isoformat(),
        "error_code": message.error_code,
    }


def messages_after(conversation_id: UUID | str, seq: int, *, limit: int = 500) -> list[Message]:
    """The newest `limit` messages after a seq, in their order."""
    rows = Message.objects.filter(conversation_id=conversation_id, seq__gt=seq).select_related("reply_to")
    return list(rows.order_by("-seq")[:limit])[::-1]


def messages_before(conversation_id: UUID | str, seq: int, *, limit: int = 50) -> list[Message]:
    """The newest `limit` messages before a seq, in their order."""
    rows = Message.objects.filter(conversation_id=conversation_id, seq__lt=seq).select_related("reply_to")
    return list(rows.order_by("-seq")[:limit])[::-1]


def message_at(conversation_id: UUID | str, seq: int) -> Message | None:
    rows = Message.objects.filter(conversation_id=conversation_id, seq=seq).select_related("reply_to")
    found: Message | None = rows.first()
    return found


def _said(limit: int) -> PreparedValues:
    wanted = {"conversation_id": given(Message, "conversation"), "seq__lte": given(Message, "seq")}
    columns = ("author", "text", "act", "question_key", "seq", "created_at")
    return PreparedValues(
        lambda: (
            Message.objects.filter(state=Message.State.COMPLETE, **wanted)
            .order_by("-seq")
            .values_list(*columns)[:limit]
        )
    )


_said_in_a_brief, _said_lately = _said(MOST_OF_A_BRIEF), _said(LATEST)


def said_in(conversation: Conversation, *, upto: int = LAST) -> list[briefs.Said]:
    """The talk as planners read it: what was said whole, in order. Bounded."""
    said = _said_in_a_brief if conversation.brief.get("questions") else _said_lately
    return [briefs.Said(*row) for row in reversed(said(conversation=conversation.pk, seq=upto))]


def progress_of(
    conversation: Conversation, talk: list[briefs.Said] | None = None, *, brief: briefs.Brief | None = None
) -> dict[str, Any] | None:
    """`progress` of the protocol; None for a talk without questions."""
    if not conversation.brief.get("questions"):
        return None
    said = said_in(conversation) if talk is None else talk
    return briefs.progress(brief or briefs.Brief.from_json(conversation.brief), said).to_json()
