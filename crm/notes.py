"""Private notes of staff on a conversation: written, removed, and laid between its messages."""

from collections.abc import Iterable, Sequence
from heapq import merge
from typing import Any

from django.db.models import Q

from crm import talk
from crm.models import Conversation, Message, PrivateNote

MOST = 500  # notes of a transcript on one page


def write(conversation: Conversation, text: str, *, author: Any) -> PrivateNote:
    """Also of a talk that has ended. Raises talk.InvalidMessage for no words, and for too many."""
    words = talk.checked_text(text)
    return PrivateNote.objects.create(conversation=conversation, text=words, author=author)


def remove(conversation: Conversation, note_id: int, *, by: Any) -> bool:
    """By its author; a note whose author's login is gone, by anybody who may write notes."""
    rows = PrivateNote.objects.filter(Q(author=by) | Q(author=None), conversation=conversation, pk=note_id)
    return rows.delete()[0] > 0


def among(
    conversation: Conversation, messages: Sequence[Message], *, is_first: bool, following: Message | None
) -> Iterable[Message | PrivateNote]:
    """The messages of a window with the notes that were written between them, or after the last of all.

    `following` is the message after the window, if there is one: what was written later is shown there.
    """
    rows = PrivateNote.objects.filter(conversation=conversation).select_related("author")
    if messages and not is_first:
        rows = rows.filter(created_at__gte=messages[0].created_at)
    if following is not None:
        rows = rows.filter(created_at__lt=following.created_at)
    newest = rows.order_by("-created_at", "-pk")[:MOST]
    # Messages stay in their order even where their times do not: a call's are known only afterwards.
    return merge(messages, reversed(newest), key=lambda line: line.created_at)
