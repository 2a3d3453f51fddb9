"""One conversation: begun, spoken in, taken over, closed and opened again.

Messages are one ordered sequence.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from config.api.prepared import PreparedInsert, PreparedUpdate, PreparedValues, given
from crm.models import Contact, Conversation, MediaFile, Message
from crm.models.contacts import Channel
from crm.signals import after_commit, conversation_closed, message_recorded
from crm.standing import HANDED_BACK, TAKEN_OVER
from personas import speaking
from personas.models import Persona
from personas.providers.base import TurnPlan

LONGEST_TEXT = 4_000  # characters of one message of a person
# A message whose reply nobody has begun after this long lost its process; the sweep, or the next message,
# goes on.
TURN_PATIENCE = timedelta(seconds=10)
STOPPED = "stopped"  # in the plan of a reply that the person stopped: it is as long as it came


PERSON = Message.Author.PERSON


class TalkError(Exception):
    """A message that cannot be taken now; its text is for people."""


class InvalidMessage(TalkError):  # noqa: N818
    """The message itself is at fault."""


class TalkClosed(TalkError):  # noqa: N818
    """The talk has ended."""


class TurnTaken(TalkError):  # noqa: N818
    """A reply is being written: one turn at a time."""


def start(
    contact: Contact,
    *,
    persona: Persona | None = None,
    brief: dict[str, Any] | None = None,
    planner: str = "crm.briefs.plan",
    title: str = "",
    channel: str = Channel.WEB,
    external_id: str = "",
    category: str = "",
) -> Conversation:
    return Conversation.objects.create(
        account_id=contact.account_id,
        contact=contact,
        persona=persona,
        brief=brief or {},
        planner=planner,
        title=title[:200],
        channel=channel,
        external_id=external_id,
        category=category,
    )


def record_message(
    conversation: Conversation,
    text: str,
    client_message_id: str | None = None,
    *,
    author: str = PERSON,
    media: Sequence[MediaFile] = (),
    type: str = Message.Type.TEXT,
    act: str = "",
    question_key: str = "",
    staff: AbstractBaseUser | None = None,
    at: datetime | None = None,
    with_reply: bool = False,
    of_reply: dict[str, Any] | None = None,
) -> tuple[Message, bool]:
    """The message, stored; False when this client id was stored before, which gives that same message.

    `act` is what a button meant, or empty. `with_reply` begins the persona's reply in the same transaction:
    the new message then has it as `reply`, with the fields `of_reply`. Raises InvalidMessage, TalkClosed or
    TurnTaken; then nothing is stored.
    """
    client_id = checked_client_id(client_message_id)
    try:
        words = checked_text(text, is_needed=not media) if author == PERSON else text
        with transaction.atomic():
            message = _append(
                conversation,
                with_reply=with_reply,
                of_reply=of_reply,
                author=author,
                type=type,
                text=words,
                client_message_id=client_id,
                act=act[:16],
                question_key=question_key[:60],
                staff=staff,
                created_at=at or timezone.now(),
            )
            message.media.add(*media) if media else None
    except (IntegrityError, TalkError) as error:
        # The same send again, later or at the same moment on another thread: that one is meant.
        known = of_client(conversation, client_id)
        if known is not None:
            return known, False
        if with_reply and isinstance(error, IntegrityError):
            raise turn_taken() from None  # a reply is streaming: the constraint lets no second one begin
        raise
    return message, True


def storable(text: str) -> str:
    """Without NUL, which PostgreSQL cannot store, and lone surrogates, which nothing can."""
    return str(text).replace("\x00", "").encode("utf-8", "ignore").decode().strip()


def checked_text(text: str, *, is_needed: bool = True) -> str:
    """A person's words as they are stored. Raises InvalidMessage for none, and for too many."""
    words = storable(text)
    if not words and is_needed:
        raise InvalidMessage(_("Write something first."))
    if len(words) > LONGEST_TEXT:
        raise InvalidMessage(_("A message has at most %(most)d characters.") % {"most": LONGEST_TEXT})
    return words


def checked_client_id(client_message_id: str | None) -> str | None:
    if client_message_id is None or client_message_id == "":
        return None
    text = str(client_message_id)
    if len(text) > 64 or not text.isprintable():
        raise InvalidMessage(_("A client message id has 1 to 64 printable characters."))
    return text


def of_client(conversation: Conversation, client_id: str | None) -> Message | None:
    """The message that was stored under this id before."""
    if client_id is None:
        return None
    rows = Message.objects.filter(conversation_id=conversation.pk, client_message_id=client_id)
    found: Message | None = rows.first()
    return found


def _lengthening(**which: Any) -> tuple[Any, dict[str, Any]]:
    rows = Conversation.objects.filter(pk=given(Conversation, "id"), **which)
    at = given(Conversation, "last_activity_at")
    return rows, {"last_seq": F("last_seq") + given(Conversation, "last_seq"), "last_activity_at": at}


_lengthen = PreparedUpdate(_lengthening)
_lengthen_open = PreparedUpdate(lambda: _lengthening(state=Conversation.State.OPEN))
_insert_message = PreparedInsert(Message)
_latest_message = PreparedValues(
    lambda: (
        Message.objects.filter(conversation_id=given(Message, "conversation"))
        .order_by("-seq")
        .values_list("author", "created_at", "conversation__last_seq")[:1]
    )
)

_last_seq = PreparedValues(
    lambda: Conversation.objects.filter(pk=given(Conversation, "id")).values_list("last_seq").order_by()
)


def _append(
    conversation: Conversation,
    *,
    with_reply: bool = False,
    of_reply: dict[str, Any] | None = None,
    **fields: Any,
) -> Message:
    """A new last message, and with `with_reply` the row of the persona's answer to it.

    In a transaction: the UPDATE takes the row, so numbers have no gap and no double.
    """
    by_person = fields["author"] == PERSON
    with_reply = with_reply and by_person and _persona_answers(conversation)
    now = timezone.now()
    lengthen = _lengthen_open if by_person else _lengthen
    if not lengthen(id=conversation.pk, last_seq=1 + int(with_reply), last_activity_at=now):
        raise TalkClosed(_("This conversation has ended."))
    last_seq, last = _latest(conversation)
    if by_person and _persona_answers(conversation):
        _refuse_interleaving(conversation, last, now=now, only_unanswered=with_reply)
    seq = last_seq - with_reply
    message = _insert_message(
        Message(conversation_id=conversation.pk, seq=seq, completed_at=fields["created_at"], **fields)
    )
    if with_reply:
        begin_reply(message, seq=last_seq, **(of_reply or {}))
    conversation.last_seq = last_seq
    after_commit(message_recorded, message_id=message.pk)
    return message


def begin_reply(message: Message, *, seq: int, **fields: Any) -> Message:
    """The row of the one reply to a message, from now on being written."""
    now = timezone.now()
    return _insert_message(
        Message(
            conversation_id=message.conversation_id,
            seq=seq,
            author=Message.Author.PERSONA,
            state=Message.State.STREAMING,
            reply_to=message,
            attempts=1,
            created_at=now,
            heartbeat_at=now,
            **fields,
        )
    )


def _persona_answers(conversation: Conversation) -> bool:
    return conversation.persona_id is not None and conversation.taken_over_by_id is None


def _latest(conversation: Conversation) -> tuple[int, dict[str, Any] | None]:
    """The talk's `last_seq` and its latest message, in one query."""
    for author, created_at, last_seq in _latest_message(conversation=conversation.pk):
        return last_seq, {"author": author, "created_at": created_at}
    ((last_seq,),) = _last_seq(id=conversation.pk)
    return last_seq, None


def _refuse_interleaving(
    conversation: Conversation, last: dict[str, Any] | None, *, now: datetime, only_unanswered: bool
) -> None:
    """A second message waits until the first has its reply, so that two tabs cannot mix their turns.

    With `only_unanswered` a reply being written is left to the constraint, which its own reply meets.
    """
    unanswered = last is not None and last["author"] == PERSON and now - last["created_at"] < TURN_PATIENCE
    if unanswered:
        raise turn_taken()
    if only_unanswered:
        return
    if Message.objects.filter(conversation_id=conversation.pk, state=Message.State.STREAMING).exists():
        raise turn_taken()


def refuse_while_answered(conversation: Conversation) -> None:
    """Raises TurnTaken while the last message waits for its reply, or has it written."""
    if _persona_answers(conversation):
        _refuse_interleaving(
            conversation, _latest(conversation)[1], now=timezone.now(), only_unanswered=False
        )


def turn_taken() -> TurnTaken:
    return TurnTaken(_("A reply is being written. Please wait for it."))


def say(
    conversation: Conversation,
    text: str,
    *,
    plan: TurnPlan | None = None,
    author: str = Message.Author.PERSONA,
    act: str = "",
) -> Message:
    """A persona's (or the system's) message that needs no model, such as the greeting."""
    with transaction.atomic():
        return _append(
            conversation,
            author=author,
            text=text,
            act=str(plan.act) if plan else act,
            question_key=plan.question_key if plan else "",
            plan=plan_json(plan) if plan else {},
            created_at=timezone.now(),
        )


def plan_json(
    plan: TurnPlan, *, sources: Sequence[dict[str, Any]] = (), was_stopped: bool = False
) -> dict[str, Any]:
    """What a reply keeps of its plan: what the page shows beside it, and whether it was the last."""
    kept = {
        "choices": list(plan.choices),
        "sources": list(sources),
        "ends": plan.ends,
        "end_reason": plan.end_reason,
    }
    return {**kept, STOPPED: True} if was_stopped else kept


def close(conversation: Conversation, reason: str) -> bool:
    """open → closed, once: True for the caller that closed it. Heard by conversation_closed after commit."""
    now = timezone.now()
    moved = Conversation.objects.filter(pk=conversation.pk, state=Conversation.State.OPEN).update(
        state=Conversation.State.CLOSED,
        status=Conversation.Status.COMPLETED,
        close_reason=reason[:40],
        closed_at=now,
        last_activity_at=now,
    )
    if not moved:
        return False
    conversation.state, conversation.close_reason = Conversation.State.CLOSED, reason[:40]
    conversation.status, conversation.closed_at = Conversation.Status.COMPLETED, now
    after_commit(conversation_closed, conversation_id=conversation.pk)
    return True


def reopen(conversation: Conversation) -> bool:
    """closed → open, for a person who corrects an answer."""
    moved = Conversation.objects.filter(pk=conversation.pk, state=Conversation.State.CLOSED).update(
        state=Conversation.State.OPEN,
        status=Conversation.Status.ACTIVE,
        close_reason="",
        closed_at=None,
        last_activity_at=timezone.now(),
    )
    if moved:
        conversation.state, conversation.close_reason = Conversation.State.OPEN, ""
        conversation.status, conversation.closed_at = Conversation.Status.ACTIVE, None
    return moved > 0


def language_of(conversation: Conversation) -> str:
    """What the person reads: not the language of the staff, or the program, that acts in the talk."""
    return str(conversation.brief.get("language") or settings.LANGUAGE_CODE)


def take_over(conversation: Conversation, staff: Any) -> bool:
    """A member of staff speaks from now on; the persona is silent, and the person is told.

    If nobody had the conversation, it is assigned to them.
    """
    with transaction.atomic():
        rows = Conversation.objects.filter(
            pk=conversation.pk, taken_over_by=None, state=Conversation.State.OPEN
        )
        if not rows.update(taken_over_by=staff):
            return False
        conversation.taken_over_by = staff
        Conversation.objects.filter(pk=conversation.pk, assigned_to=None).update(assigned_to=staff)
        with translation.override(language_of(conversation)):
            words = _("A member of our team has joined and answers from now on.")
        say(conversation, words, author=Message.Author.SYSTEM, act=TAKEN_OVER)
    return True


def hand_back(conversation: Conversation) -> bool:
    """The persona speaks again; the person is told."""
    with transaction.atomic():
        rows = Conversation.objects.filter(pk=conversation.pk, taken_over_by__isnull=False)
        if not rows.update(taken_over_by=None):
            return False
        conversation.taken_over_by = None
        with translation.override(language_of(conversation)):
            words = _("The automatic interviewer continues from here.")
            if speaking.has_model(conversation.persona):
                words = _("The AI interviewer continues from here.")
        say(conversation, words, author=Message.Author.SYSTEM, act=HANDED_BACK)
    return True


def staff_says(conversation: Conversation, text: str, *, staff: Any) -> Message:
    """A message of staff, in a talk they have taken over."""
    if conversation.taken_over_by_id != staff.pk:
        raise TurnTaken(_("Take the conversation over before you write in it."))
    words = checked_text(text)
    return record_message(conversation, words, author=Message.Author.STAFF, staff=staff)[0]
