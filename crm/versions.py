"""What a message said before: kept as it is said anew, and put back where nothing new could be said.

Rows alone, inside the transactions of crm/turns.py and crm/rewriting.py.
"""

from django.db.models import Max
from django.utils import timezone

from crm.models import Message, MessageVersion

Why = MessageVersion.Why
# What a message is made of, beside its author and its place.
KEPT = (
    "text",
    "act",
    "question_key",
    "plan",
    "provider",
    "model",
    "prompt_tokens",
    "completion_tokens",
)


def count_of(message: Message) -> int:
    """How often it was said anew."""
    rows = MessageVersion.objects.filter(message=message)
    return int(rows.aggregate(last=Max("number"))["last"] or 0)


def keep(message: Message, why: str) -> None:
    """The message as it is now, before it changes."""
    MessageVersion.objects.create(
        message=message,
        number=count_of(message) + 1,
        why=why,
        said_at=message.completed_at or message.created_at,
        **{name: getattr(message, name) for name in KEPT},
    )


def answers_other_words(reply: Message) -> None:
    """What a reply said before answered the message as it was: none of it is put back."""
    MessageVersion.objects.filter(message=reply).update(why=Why.EDITED)


def put_back(reply_id: int) -> bool:
    """The answer that another was to replace, in the place of the attempt that failed; False when there is
    none.
    """
    last = MessageVersion.objects.filter(message_id=reply_id).order_by("-number").first()
    if last is None or last.why != Why.REGENERATED:
        return False
    fields = {name: getattr(last, name) for name in KEPT}
    Message.objects.filter(pk=reply_id, state=Message.State.FAILED).update(
        state=Message.State.COMPLETE, error_code="", completed_at=last.said_at or timezone.now(), **fields
    )
    last.delete()
    return True
