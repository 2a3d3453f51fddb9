"""What the socket of a call does in the database: each function is one whole piece of work."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from crm import talk
from crm import turns as written
from crm.interrupting import cut, heard_length
from crm.models import Conversation, Message
from crm.phone_talks import ON_PHONE
from voice import turns
from voice.models import CallTurn, PhoneCall

Status = PhoneCall.Status


@dataclass(frozen=True, slots=True)
class Relayed:
    """A call whose talk is held over a socket. `conversation_id`: of the written talk that goes on by it."""

    call_id: UUID
    sid: str
    language: str
    company: str
    candidate: str
    conversation_id: UUID | None = None
    agreed: bool = False  # to go on by phone; a line that broke is taken up where it was


@dataclass(frozen=True, slots=True)
class Said:
    """The last turn of a talk that settles on a time."""

    number: int
    words: str
    is_over: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a written talk is taken up: the persona's last words, or a message that has no reply yet."""

    words: str
    choices: tuple[str, ...] = ()
    unanswered: int | None = None
    is_open: bool = True


def admit(call_id: UUID) -> Relayed | None:
    """None for a call that there is none of, that is over, or whose talk has not begun."""
    call = PhoneCall.objects.filter(pk=call_id).first()
    if call is None or not turns.is_on(call) or not (call.talk or call.continues_id):
        return None
    given = call.invitation
    return Relayed(
        call_id=call.pk,
        sid=call.sid or "",
        language=str(given.get("language", "en")),
        company=str(given.get("company", "")),
        candidate=str(given.get("candidate", "")),
        conversation_id=call.continues_id,
        agreed=bool(call.continues_id and call.talk.get("agreed")),
    )


def settle(call_id: UUID, outcome: str) -> bool:
    """What the talk came to, once: the first word stays."""
    status = Status.COMPLETED if outcome == "interviewed" else Status.FAILED
    rows = PhoneCall.objects.filter(pk=call_id, status=Status.ACTIVE)
    return rows.update(outcome=outcome, status=status) > 0


def never_call(call_id: UUID, why: str) -> None:
    """`stop_calling` or `wrong_person`: nobody rings this number again."""
    with transaction.atomic():
        turns.never_call(PhoneCall.objects.select_related("account", "contact").get(pk=call_id), why)
        settle(call_id, why)


# --- a talk that settles on a time --------------------------------------------------------------


def last_said(call_id: UUID) -> Said:
    call = PhoneCall.objects.get(pk=call_id)
    turn = call.turns.order_by("-number").first()
    is_over = not turns.is_on(call) or turn is None
    return Said(turn.number if turn else 0, turn.said if turn else "", is_over)


def cut_turn(call_id: UUID, number: int, heard: str) -> bool:
    """Keeps of what was said in a turn what was heard. Its TwiML stays whole: it may be asked again."""
    with transaction.atomic():
        rows = CallTurn.objects.filter(call_id=call_id, number=number, is_cut=False)
        turn = rows.select_for_update().first()
        length = heard_length(turn.said, heard) if turn is not None else None
        if turn is None or length is None or (said := cut(turn.said, length)) == turn.said:
            return False
        return rows.update(said=said, is_cut=True) > 0


# --- a written talk -----------------------------------------------------------------------------


def agree(relayed: Relayed) -> int | None:
    """The person wants to go on by phone. Noted in the call, and in the talk for its page: the note's seq.

    None where the talk has ended meanwhile.
    """
    with transaction.atomic():
        call = PhoneCall.objects.select_for_update().get(pk=relayed.call_id)
        call.talk = {**call.talk, "agreed": timezone.now().isoformat()}
        call.save(update_fields=["talk"])
        conversation = _conversation(relayed.conversation_id)
        if not conversation.is_open:
            return None
        with translation.override(relayed.language):
            words = _("This interview goes on by phone.")
        return int(talk.say(conversation, words, author=Message.Author.SYSTEM, act=ON_PHONE).seq)


def _conversation(conversation_id: Any) -> Conversation:
    found: Conversation = Conversation.objects.select_related("persona", "account").get(pk=conversation_id)
    return found


def standing(conversation_id: UUID | None) -> Standing:
    conversation = _conversation(conversation_id)
    spoken = Message.objects.filter(conversation=conversation).exclude(author=Message.Author.SYSTEM)
    last = spoken.order_by("-seq").first()
    whole = spoken.filter(state=Message.State.COMPLETE).exclude(author=Message.Author.PERSON)
    words = whole.order_by("-seq").first()
    plan: dict[str, Any] = (words.plan if words is not None else {}) or {}
    return Standing(
        words=words.text if words is not None else "",
        choices=tuple(map(str, plan.get("choices", ()))),
        unanswered=_unanswered(last),
        is_open=conversation.is_open,
    )


def _unanswered(last: Message | None) -> int | None:
    if last is None or (last.author != Message.Author.PERSON and last.state == Message.State.COMPLETE):
        return None
    found: int | None = last.pk if last.author == Message.Author.PERSON else last.reply_to_id
    return found


def take(conversation_id: UUID | None, words: str) -> tuple[Message, written.Turn | None]:
    """What the person said, stored, and the turn it begins. Raises what talk.record_message raises."""
    return written.take(_conversation(conversation_id), words, None)
