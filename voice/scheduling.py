"""The talk on the phone that settles on a time: greeting, offer, choice, read-back, yes.

Pure: no clock, no database, no vendor. `greet` begins, `answer` takes one turn of the person, `slot_taken`
goes on when the booking lost a race. All that must be kept between turns is in `Talk`.

What is booked was offered in this talk, read back and confirmed, whoever read the words: a model can only
name an intent (model_intents.py), never a slot. How each outcome comes about: docs/phone-talk.md.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from voice.intents import ANY, Reading, read, read_digits
from voice.offering import AT_ONCE, beside, fitting, nearest
from voice.talk_room import Room
from voice.talk_values import INTENTS, Heard, Intent, Invitation, Move, Outcome, Slot, Stage, Talk
from voice.wishes import Wish

__all__ = [
    "Heard", "Intent", "Invitation", "Move", "Outcome", "Slot", "Stage", "Talk",
    "answer", "greet", "slot_taken",
]  # fmt: skip

_BY_MODEL = 0.6  # how sure we are of an intent that a model named
_GOODBYES: Mapping[Intent, Outcome] = {
    "stop_calling": "stop_calling", "voicemail": "voicemail", "wrong_person": "wrong_person",
}  # fmt: skip


def greet(invitation: Invitation, slots: Sequence[Slot], *, now: datetime) -> Move:
    """The first words: that an AI calls, for whom, and why."""
    room = Room(invitation, Talk(language=invitation.language), slots, now)
    greeting = Reading("silence", 1.0, "The call began.")
    if not room.open:
        return room.end("no_slot_suits", greeting)
    return room.listen(room.greeting(), greeting, stage="greeting")


def answer(
    invitation: Invitation,
    talk: Talk,
    heard: Heard,
    slots: Sequence[Slot],
    *,
    now: datetime,
    intent: str = "",
) -> Move:
    """What to say to one turn of the person.

    `intent` is what a model made of the same turn, and counts only where the rules are unsure (the move
    said so). A talk that ended stays ended. The same input gives the same move.
    """
    room = Room(invitation, talk, slots, now)
    if talk.stage == "ended":
        return room.over(Reading("unclear", 1.0, "The talk had ended."))
    if not heard.words.strip() and not heard.digits.strip():
        return room.ask_again(Reading("silence", 1.0, "Nothing was heard."))
    reading = _with_model(_read(room, heard), intent)
    room = Room(invitation, replace(talk, turns=talk.turns + 1), slots, now)
    return _STEPS[reading.intent](room, reading)


def slot_taken(invitation: Invitation, talk: Talk, slots: Sequence[Slot], *, now: datetime) -> Move:
    """Says that the slot went to somebody else, and offers others. `talk` is that of the move that booked."""
    # Not the person's doing: there are turns left to choose another and say yes.
    turns = max(0, min(talk.turns, invitation.max_turns - 2))
    refused = _merged(talk.refused, (talk.chosen,))
    talk = replace(talk, stage="offering", turns=turns, reprompts=0, refused=refused, chosen="")
    room = Room(invitation, talk, slots, now)
    reading = Reading("other_time", 1.0, "The slot was taken by somebody else.")
    return room.offer(room.spread(), reading, before=room.say["taken"])


def _merged(*groups: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(slot for group in groups for slot in group if slot))


def _read(room: Room, heard: Heard) -> Reading:
    if heard.digits.strip():
        return read_digits(heard.digits, room.talk.stage)
    name = room.invitation.candidate
    return read(
        heard.words, heard.confidence, room.talk.stage, phrases=room.phrases, today=room.today, name=name
    )


def _with_model(reading: Reading, intent: str) -> Reading:
    known: Intent | None = next((each for each in INTENTS if each == intent), None)
    # A model that says "choose" or "silence" says nothing we could act on.
    if not reading.is_unsure or known is None or known in ("choose", "silence", "unclear"):
        return reading
    return Reading(known, _BY_MODEL, f"{reading.why} A model takes it for {known}.")


# --- one step for each intent -------------------------------------------------------------------


def _goodbye(room: Room, reading: Reading) -> Move:
    return room.end(_GOODBYES[reading.intent], reading)


def _unclear(room: Room, reading: Reading) -> Move:
    return room.ask_again(reading)


def _repeat(room: Room, reading: Reading) -> Move:
    return room.repeat(reading)


def _confirm(room: Room, reading: Reading) -> Move:
    stage = room.talk.stage
    if stage == "greeting":
        return room.offer(room.spread(), reading)
    if stage == "confirming":
        return room.book(reading)
    offered = room.offered
    if not offered:
        return room.offer(room.spread(), reading)
    return room.read_back(offered[0], reading, before=room.say["take_first"] if len(offered) > 1 else "")


def _reject(room: Room, reading: Reading) -> Move:
    if reading.closes == "call_back":
        return room.end("given_up", reading, say=room.say["call_back"])
    if reading.closes or room.talk.stage == "greeting":
        return room.end("declined", reading)
    return _others(room, reading)


def _others(room: Room, reading: Reading) -> Move:
    """What was offered, or read back, is refused; others are offered."""
    talk = room.talk
    refused = [slot.id for slot in room.current]
    room = room.having(refused=_merged(talk.refused, refused), chosen="")
    return room.offer(room.spread(), reading, before=room.say["understood"])


def _wish(room: Room, reading: Reading) -> Move:
    """Days and times, or which of those offered."""
    wish, stage = reading.wish, room.talk.stage
    chosen = room.slot(room.talk.chosen)
    if not wish and not reading.choice:
        return _others(room, reading) if stage != "greeting" else room.offer(room.spread(), reading)
    if stage == "confirming" and chosen and reading.agrees and _is_meant(room, reading, chosen):
        return room.book(replace(reading, intent="confirm"))
    if reading.choice and (slot := _by_choice(room, reading)):
        return room.read_back(slot, replace(reading, intent="choose"))
    if not wish:
        return room.ask_again(reading) if stage != "greeting" else room.offer(room.spread(), reading)
    return _by_wish(room, reading)


def _is_meant(room: Room, reading: Reading, chosen: Slot) -> bool:
    """Whether "yes, Thursday at ten" or "yes, the second" is the one that was read back."""
    if reading.wish.relative:
        return False
    if reading.choice and _by_choice(room, reading) != chosen:
        return False
    return chosen in fitting([chosen], reading.wish, room.zone)


def _by_choice(room: Room, reading: Reading) -> Slot | None:
    offered, wish = room.offered, reading.wish
    if wish.has_limits:
        fits = fitting(offered, wish, room.zone)
        if len(fits) == 1:  # "two", when 2 PM was offered
            return fits[0]
        offered = fits or (offered if reading.is_number else fitting(room.open, wish, room.zone))
    if reading.choice == ANY:
        return room.slot(room.talk.chosen) or (offered[0] if offered else None)
    position = reading.choice - 1 if reading.choice > 0 else len(offered) - 1
    return offered[position] if 0 <= position < len(offered) else None


def _by_wish(room: Room, reading: Reading) -> Move:
    wish, offered = reading.wish, room.offered
    fits = fitting(beside(room.open, room.current, wish, room.zone), wish, room.zone)
    # What was refused comes back only when it alone was asked for.
    fresh = set(room.fresh)
    fits = [slot for slot in fits if slot in fresh] or (fits if wish.has_limits else [])
    at_hand = [slot for slot in fits if slot in offered]
    if len(at_hand) == 1 or len(fits) == 1:
        return room.read_back((at_hand if len(at_hand) == 1 else fits)[0], replace(reading, intent="choose"))
    room = room.having(refused=_merged(room.talk.refused, _refused_by(room, wish, fits)), chosen="")
    if fits:
        return room.offer(at_hand or fits[:AT_ONCE], reading, before=room.say["those_fit"])
    return room.offer(nearest(room.fresh, wish, room.zone), reading, before=room.say["nothing_then"])


def _refused_by(room: Room, wish: Wish, fits: Sequence[Slot]) -> list[str]:
    """Asking for another refuses what was asked about; a wish that something meets, what does not meet it."""
    if wish.relative in ("other", "other_day"):
        return [slot.id for slot in room.current]
    unfit = [slot for slot in room.offered if slot not in fitting([slot], wish, room.zone)]
    return [slot.id for slot in unfit] if fits else []


_STEPS: Mapping[Intent, Callable[[Room, Reading], Move]] = {
    "confirm": _confirm,
    "reject": _reject,
    "other_time": _wish,
    "choose": _wish,
    "repeat": _repeat,
    "unclear": _unclear,
    "silence": _unclear,
    "stop_calling": _goodbye,
    "voicemail": _goodbye,
    "wrong_person": _goodbye,
}
