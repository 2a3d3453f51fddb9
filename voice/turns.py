"""One turn of a call: what was heard goes to the talk's rules, what they decide is done and said, once.

Each turn is one short transaction under the call's row, with no outside call in it: a model that is asked
what was meant is asked before it. Twilio asks again when it got no answer: the turn's number is in the
address, and its answer is kept.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from config.api.models import Account
from config.api.prepared import PreparedInsert, PreparedRows, PreparedUpdate, given
from crm import consent
from crm.models import Suppression
from crm.models.consent import Purpose
from crm.models.contacts import Channel
from personas.models import Persona
from voice import booking, calls, news, retry_rules, scheduling, twilio
from voice.interview_words import words_of
from voice.model_intents import asks_a_model
from voice.models import CallTurn, PhoneCall
from voice.phrases import phrases_of
from voice.scheduling import Heard, Invitation, Move, Talk

Status = PhoneCall.Status
# Words that Twilio's recognition should expect.
HINTS = (
    *("yes", "no", "that works", "the first", "the second", "the third", "none of these", "another time"),
    *("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "morning", "afternoon", "repeat"),
)
NOT_AGAIN = {"stop_calling", "wrong_person"}


@dataclass(frozen=True, slots=True)
class Unsure:
    """A turn that the rules are unsure of, and nothing is kept of yet: whom to ask, and about what talk."""

    call_id: Any
    number: int
    talk: Talk
    account: Account
    persona: Persona | None
    language: str


def greet(call_id: Any, *, answered_by: str = "", now: datetime | None = None) -> str:
    """TwiML for the beginning of a call; empty where a written talk goes on by it. Asked again, the same."""
    at = now or timezone.now()
    with transaction.atomic():
        call = _locked(call_id)
        if (kept := _kept(call, 0)) is not None:
            return kept
        if not is_on(call):
            return farewell(call)
        if answered_by.startswith(("machine", "fax")):
            return _at_a_machine(call, at=at)
        if call.continues_id is not None:
            return ""  # what is said is the written talk's (voice/relay_interview.py)
        move = scheduling.greet(_invitation(call), booking.slots_of(call.account, at=at), now=at)
        return _take(call, 0, Heard(), move, at=at)


def hear(
    call_id: Any,
    number: int | None,
    heard: Heard,
    *,
    intent: str = "",
    model_micro_usd: int = 0,
    now: datetime | None = None,
) -> str:
    """TwiML after what was said or pressed in turn `number` (None: the next). Asked again, the same.

    `intent` is a model's, and counts only where the rules are unsure; `model_micro_usd` is what it cost.
    """
    at = now or timezone.now()
    told = cast(str, _hear(call_id, number, heard, intent=intent, at=at, may_ask=False))
    if model_micro_usd and number is not None:
        CallTurn.objects.filter(call=call_id, number=number).update(model_micro_usd=model_micro_usd)
    return told


def hear_or_ask(call_id: Any, number: int | None, heard: Heard) -> str | Unsure:
    """The same by the rules; where they are unsure, what to ask a model first. `hear` then takes the turn.

    Once for a turn: a webhook that is repeated meanwhile is answered by the rules at once.
    """
    return _hear(call_id, number, heard, intent="", at=timezone.now(), may_ask=True)


def _hear(
    call_id: Any, number: int | None, heard: Heard, *, intent: str, at: datetime, may_ask: bool
) -> str | Unsure:
    with transaction.atomic():
        call = _locked(call_id)
        following = call.turn_count + 1
        asked = following if number is None else number
        if asked < following and call.talk:  # Twilio repeats itself
            return _kept(call, asked) or farewell(call)
        if not is_on(call) or call.continues_id is not None:
            return farewell(call)
        if asked > following:  # a number that we have not given out
            return _kept(call, call.turn_count) or farewell(call)
        slots = booking.slots_of(call.account, at=at)
        if not call.talk:
            return _take(call, 0, Heard(), scheduling.greet(_invitation(call), slots, now=at), at=at)
        talk = Talk.from_json(call.talk)
        move = scheduling.answer(_invitation(call), talk, heard, slots, now=at, intent=intent)
        if may_ask and (question := _question(call, asked, talk, move)) is not None:
            return question
        return _take(call, asked, heard, move, at=at)


def _question(call: PhoneCall, number: int, talk: Talk, move: Move) -> Unsure | None:
    if not move.is_unsure or call.asked_turn == number:
        return None
    callers = Persona.objects.for_account(call.account).filter(
        kind=Persona.Kind.CALLER, status=Persona.Status.ACTIVE
    )
    persona = callers.order_by("pk").first()
    if not asks_a_model(move, persona):
        return None
    PhoneCall.objects.filter(pk=call.pk).update(asked_turn=number)
    return Unsure(call.pk, number, talk, call.account, persona, _language(call))


def hold(unsure: Unsure) -> str:
    """TwiML for the time in which a model thinks: a word, and then the way to `answer_to`."""
    return twilio.hold(
        phrases_of(unsure.language).say["one_moment"],
        then=calls.webhook("twilio-process", call=unsure.call_id, turn=unsure.number, waited=1),
        language=unsure.language,
    )


def answer_to(call_id: Any, number: int) -> str | None:
    """The TwiML of a turn that was taken; None as long as it was not. Raises PhoneCall.DoesNotExist."""
    call = PhoneCall.objects.get(pk=call_id)
    if (kept := _kept(call, number)) is not None:
        return kept
    return None if is_on(call) else farewell(call)


def farewell(call: PhoneCall | None = None) -> str:
    """For a call that is over, or that is none of ours."""
    words = _("Thank you for your time. Goodbye.")
    if call is not None and call.continues_id is not None:
        words = words_of(_language(call))["after_dial"]
    return twilio.hang_up(words, language=_language(call))


def apology() -> str:
    """For whatever broke: the person is told, and the line is not left open."""
    return twilio.hang_up(_("I am sorry, something went wrong on our side. We will contact you. Goodbye."))


def _language(call: PhoneCall | None) -> str:
    return str(call.invitation.get("language", "en")) if call else "en"


_held = PreparedRows(
    lambda: (
        PhoneCall.objects.filter(pk=given(PhoneCall, "id"))
        .select_related("account")
        .select_for_update(of=("self",))
        .order_by()
    )
)


def _locked(call_id: Any) -> PhoneCall:
    """In a transaction. Raises PhoneCall.DoesNotExist."""
    call = _held.first(id=call_id)
    if call is None:
        raise PhoneCall.DoesNotExist
    return call


def is_on(call: PhoneCall) -> bool:
    return call.status == Status.ACTIVE and not call.has_ended


def _kept(call: PhoneCall, number: int) -> str | None:
    return call.turns.filter(number=number).values_list("twiml", flat=True).first()


def _invitation(call: PhoneCall) -> Invitation:
    given = {name: str(call.invitation.get(name, "")) for name in ("candidate", "company", "position")}
    return Invitation(
        **given,
        zone=str(call.invitation.get("zone") or "UTC"),
        language=_language(call),
        max_turns=settings.CALL_TURNS,
        max_reprompts=settings.CALL_REPROMPTS,
        writes=bool(call.invitation.get("writes")),
        is_recorded=bool(call.invitation.get("is_recorded")),
    )


MOVED = ("talk", "turn_count", "outcome", "status", "confirmed_slot")
_keep_turn = PreparedInsert(CallTurn)
_move_on = PreparedUpdate(
    lambda: (
        PhoneCall.objects.filter(pk=given(PhoneCall, "id")),
        {name: given(PhoneCall, name) for name in MOVED},
    )
)


def _take(call: PhoneCall, number: int, heard: Heard, move: Move, *, at: datetime) -> str:
    """Does what the move asks for, and keeps the turn."""
    move = _booked(call, move, at=at) if move.book else move
    if move.outcome in NOT_AGAIN:
        never_call(call, move.outcome)
    twiml = _twiml(call, number, move)
    turn = CallTurn(
        call=call,
        number=number,
        words=heard.words,
        digits=heard.digits,
        said=move.say,
        twiml=twiml,
        intent=move.intent[:20],
        confidence=move.confidence,
        why=move.why[:300],
        at=at,
    )
    _keep_turn(turn)
    call.talk, call.turn_count = move.talk.to_json(), number
    if not move.listens:
        call.outcome = move.outcome or "given_up"
        call.status = Status.COMPLETED if call.confirmed_slot else Status.FAILED
        if call.outcome == "voicemail":
            retry_rules.plan(call, call.outcome, now=at)
    _move_on(id=call.pk, **{name: getattr(call, name) for name in MOVED})
    news.tell(call.pk)
    return twiml


def _booked(call: PhoneCall, move: Move, *, at: datetime) -> Move:
    """The move, once its slot is the person's; another one when somebody else was faster."""
    try:
        slot = booking.agree(call, move.book)
    except booking.SlotTaken:
        left = booking.slots_of(call.account, at=at)
        return scheduling.slot_taken(_invitation(call), move.talk, left, now=at)
    words = booking.words_for(slot, zone=str(call.invitation.get("zone", "")))
    call.confirmed_slot = words[:80]
    return move


def never_call(call: PhoneCall, why: str) -> None:
    """In the same transaction as the turn: nobody can be called again who has been told so."""
    if call.is_test:
        return
    retry_rules.stop(call)
    source = {"phone_call": str(call.pk), "why": why}
    consent.suppress(
        call.account, Channel.PHONE, call.to_number, Suppression.Reason.UNSUBSCRIBE, source=source
    )
    if why == "stop_calling":
        consent.record(
            call.person, Channel.PHONE, Purpose.INVITATION, given=False, source="phone call", evidence=source
        )


def _twiml(call: PhoneCall, number: int, move: Move) -> str:
    if not move.listens:
        return twilio.hang_up(move.say, language=_language(call))
    return twilio.listen(
        move.say,
        action=calls.webhook("twilio-process", call=call.pk, turn=number + 1),
        language=_language(call),
        hints=HINTS,
        farewell=_("I did not hear anything. We will contact you. Goodbye."),
    )


def _at_a_machine(call: PhoneCall, *, at: datetime) -> str:
    """A short message that names who calls; nothing is asked of a machine, and nothing private is said."""
    said = _for_a_machine(call)
    twiml = twilio.hang_up(said, language=_language(call))
    CallTurn.objects.create(
        call=call, number=0, said=said, twiml=twiml, intent="voicemail", confidence=1.0, why="AnsweredBy"
    )
    call.outcome, call.status = "voicemail", Status.FAILED
    call.save(update_fields=["outcome", "status"])
    news.tell(call.pk)
    retry_rules.plan(call, "voicemail", now=at)
    return twiml


def _for_a_machine(call: PhoneCall) -> str:
    company = str(call.invitation.get("company", ""))
    if call.continues_id is not None:
        return words_of(_language(call))["machine"].format(organisation=company)
    tried_again = retry_rules.gap_after(call, "voicemail") is not None
    words = _("Hello. This is an automated call from %(company)s.")
    words += " " + (_("We will try again another time. Goodbye.") if tried_again else _("Goodbye."))
    return words % {"company": company}
