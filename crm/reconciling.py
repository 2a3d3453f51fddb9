"""What a vendor remembers of a talk and we lack: appended to ours. Our rows stay the truth."""

import hashlib
from collections import defaultdict, deque
from collections.abc import Sequence
from itertools import pairwise

from django.db import IntegrityError, transaction
from django.utils import timezone

from crm.models import Conversation, Message
from crm.signals import after_commit, message_recorded
from crm.talk import storable
from personas import lyzr_history
from personas.lyzr_history import Remembered

PROVIDER = "lyzr"
LONGEST_REMEMBERED = 100_000  # characters of one message
PERSON, PERSONA = Message.Author.PERSON, Message.Author.PERSONA
_ROLES: dict[str, str] = {PERSON: "user", PERSONA: "assistant", Message.Author.STAFF: "assistant"}


def reconcile(conversation: Conversation, *, session_id: str = "", token: str = "") -> int:
    """Append what the session at Lyzr has and this talk lacks; how many messages that was.

    `session_id` is what the talk is called there; empty: its own label. Safe to repeat: the nth time of
    the same words by the same side is one message, and the answer to a message that is answered here is
    known, whatever its words are there. What the person said last waits until Lyzr has an answer to it.
    Raises LyzrError; then nothing is appended.
    """
    session_id = session_id or conversation.label
    remembered = lyzr_history.of_session(conversation.account, session_id, token=token)
    while remembered and remembered[-1].role == "user":
        remembered.pop()
    try:
        with transaction.atomic():
            return _append_missing(conversation, session_id, remembered)
    except IntegrityError:  # another call appended the same at this moment
        return 0


def _append_missing(conversation: Conversation, session_id: str, remembered: Sequence[Remembered]) -> int:
    row = Conversation.objects.select_for_update().get(pk=conversation.pk)
    ours, before = _Ours(row), row.last_seq
    asked: Message | None = None  # what was appended just before, which the next answer is to
    for position, each in enumerate(remembered):
        text = storable(each.text)[:LONGEST_REMEMBERED]
        if not text or ours.has(each.role, text):
            asked = None
            continue
        message = _append(row, each, text, client_id=_client_id(session_id, position, each), asked=asked)
        asked = message if each.role == "user" else None
    Conversation.objects.filter(pk=row.pk).update(last_seq=row.last_seq)
    conversation.last_seq = row.last_seq
    return row.last_seq - before


class _Ours:
    """The messages we have, each found once."""

    def __init__(self, row: Conversation) -> None:
        # For each side and its words, in order: whether the person's message was answered.
        self._waiting: defaultdict[tuple[str, str], deque[bool]] = defaultdict(deque)
        self._is_answered = False  # the person's message that was just found
        rows = Message.objects.filter(conversation=row, state=Message.State.COMPLETE, author__in=_ROLES)
        said = [(_ROLES[author], text) for author, text in rows.order_by("seq").values_list("author", "text")]
        for (role, text), (after, _text) in pairwise([*said, ("", "")]):
            self._waiting[role, _plain(text)].append(after == "assistant")

    def has(self, role: str, text: str) -> bool:
        """Whether the next remembered message is here."""
        waiting = self._waiting[role, _plain(text)]
        found = waiting.popleft() if waiting else None
        if role == "user":
            self._is_answered = bool(found)
            return found is not None
        is_known = found is not None or self._is_answered
        self._is_answered = False
        return is_known


def _append(
    row: Conversation, each: Remembered, text: str, *, client_id: str, asked: Message | None
) -> Message:
    row.last_seq += 1
    by_person = each.role == "user"
    at = each.at or timezone.now()
    message = Message.objects.create(
        conversation=row,
        seq=row.last_seq,
        author=PERSON if by_person else PERSONA,
        text=text,
        client_message_id=client_id,
        reply_to=asked,
        provider="" if by_person else PROVIDER,
        created_at=at,
        completed_at=at,
    )
    after_commit(message_recorded, message_id=message.pk)
    return message


def _client_id(session_id: str, position: int, each: Remembered) -> str:
    """The same for the same message in the same place: two calls at once store it once."""
    named = "\x1f".join((session_id, str(position), each.role, each.text))
    return f"lyzr-{hashlib.sha256(named.encode('utf-8', 'ignore')).hexdigest()[:48]}"


def _plain(text: str) -> str:
    """Without what storing and showing change: blanks at the ends and between words."""
    return " ".join(text.split())
