"""One turn of a phone talk at work: what is open, and the moves that can be made. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, tzinfo
from typing import Any

from voice.intents import Reading
from voice.offering import name_words, open_slots, slot_words, spread, zone_of, zone_words
from voice.phrases import phrases_of
from voice.talk_values import Invitation, Move, Outcome, Slot, Talk


class Room:
    """A talk with the slots of this moment. Nothing in it changes; a move holds the talk that follows."""

    def __init__(self, invitation: Invitation, talk: Talk, slots: Sequence[Slot], now: datetime) -> None:
        self.invitation, self.talk, self.now = invitation, talk, now
        self._slots = slots
        self.phrases = phrases_of(talk.language)
        self.say = self.phrases.say
        self.zone: tzinfo = zone_of(invitation.zone)
        self.open = open_slots(slots, now=now)

    @property
    def today(self) -> date:
        return self.now.astimezone(self.zone).date()

    @property
    def fresh(self) -> list[Slot]:
        """Open and not refused."""
        return [slot for slot in self.open if slot.id not in self.talk.refused]

    @property
    def offered(self) -> list[Slot]:
        """What was read out last and is still open, in its order."""
        return [slot for each in self.talk.offered if (slot := self.slot(each))]

    @property
    def current(self) -> list[Slot]:
        """What was asked about last: what was read back, or all that was offered."""
        chosen = self.slot(self.talk.chosen)
        return [chosen] if chosen and self.talk.stage == "confirming" else self.offered

    def slot(self, slot_id: str) -> Slot | None:
        return next((slot for slot in self.open if slot.id == slot_id), None)

    def spread(self) -> list[Slot]:
        return spread(self.fresh, self.zone)

    def having(self, **changes: Any) -> "Room":
        return Room(self.invitation, replace(self.talk, **changes), self._slots, self.now)

    # --- moves ----------------------------------------------------------------------------------

    def listen(self, words: str, reading: Reading, **changes: Any) -> Move:
        """Says and listens, unless the person has had all turns."""
        if self.talk.turns >= self.invitation.max_turns:
            return self.end("given_up", reading)
        talk = replace(self.talk, **changes)
        return Move(
            say=words, talk=talk, intent=reading.intent, confidence=reading.confidence, why=reading.why,
            is_unsure=reading.is_unsure,
        )  # fmt: skip

    def end(self, outcome: Outcome, reading: Reading, *, say: str = "", book: str = "") -> Move:
        words = say or self.say[outcome].format(company=self._company)
        talk = replace(self.talk, stage="ended")
        return Move(
            say=words, talk=talk, intent=reading.intent, confidence=reading.confidence, why=reading.why,
            listens=False, book=book, outcome=outcome, is_unsure=reading.is_unsure,
        )  # fmt: skip

    def over(self, reading: Reading) -> Move:
        """Ended before: nothing new comes of it."""
        return replace(self.end("given_up", reading, say=self.say["over"]), outcome="")

    def offer(self, slots: Sequence[Slot], reading: Reading, *, before: str = "") -> Move:
        if not slots:
            return self.end("no_slot_suits", reading)
        words = f"{before} {self._offer_words(slots)}".strip()
        offered = tuple(slot.id for slot in slots)
        return self.listen(words, reading, stage="offering", offered=offered, chosen="", reprompts=0)

    def read_back(self, slot: Slot, reading: Reading, *, before: str = "") -> Move:
        offered = self.talk.offered if slot.id in self.talk.offered else (slot.id,)
        words = f"{before} {self._slot_sentence('read_back', slot)}".strip()
        return self.listen(
            words, reading, stage="confirming", offered=offered, chosen=slot.id, reprompts=0,
            refused=tuple(each for each in self.talk.refused if each != slot.id),
        )  # fmt: skip

    def book(self, reading: Reading) -> Move:
        """The slot that was read back, if it is still open."""
        slot = self.slot(self.talk.chosen)
        if slot is None or slot.id not in self.talk.offered:
            room = self.having(refused=(*self.talk.refused, self.talk.chosen), chosen="")
            return room.offer(room.spread(), reading, before=self.say["taken"])
        form = "booked_in_writing" if self.invitation.writes else "booked"
        return self.end("booked", reading, say=self._slot_sentence(form, slot), book=slot.id)

    def repeat(self, reading: Reading) -> Move:
        return self.listen(self._question(is_repeat=True), reading, reprompts=0)

    def ask_again(self, reading: Reading) -> Move:
        """A reprompt: what went wrong, and the question again. After the last of them the talk ends."""
        reprompts = self.talk.reprompts + 1
        if reprompts > self.invitation.max_reprompts:
            return self.end("given_up", reading)
        apology = self.say["not_heard" if reading.intent == "silence" else "not_understood"]
        return self.listen(f"{apology} {self._question()}", reading, reprompts=reprompts)

    # --- words ----------------------------------------------------------------------------------

    def greeting(self) -> str:
        candidate, position = name_words(self.invitation.candidate), name_words(self.invitation.position)
        hello = self.say["hello" if candidate else "hello_nobody"].format(candidate=candidate)
        intro = self.say["intro"].format(company=self._company)
        about = self.say["about" if position else "about_nothing"].format(position=position)
        recorded = f"{self.say['recorded']} " if self.invitation.is_recorded else ""
        return f"{hello} {intro} {recorded}{about} {self.say['ask_moment']}"

    def _question(self, *, is_repeat: bool = False) -> str:
        """What was asked last, in the same words."""
        chosen = self.slot(self.talk.chosen)
        if self.talk.stage == "confirming" and chosen:
            return self._slot_sentence("read_back", chosen)
        if self.talk.stage == "greeting" or not self.offered:
            return self.greeting() if is_repeat else self.say["ask_moment"]
        return self._offer_words(self.offered)

    def _offer_words(self, slots: Sequence[Slot]) -> str:
        names = ("first", "second", "third")
        words = {
            name: slot_words(slot, self.phrases, self.zone) for name, slot in zip(names, slots, strict=False)
        }
        form = ("one_offer", "two_offers", "three_offers")[len(slots) - 1]
        ask = self.say["ask_one" if len(slots) == 1 else "ask_which"]
        return f"{self.say[form].format(zone=zone_words(self.zone, self.phrases), **words)} {ask}"

    def _slot_sentence(self, form: str, slot: Slot) -> str:
        first = slot_words(slot, self.phrases, self.zone)
        return self.say[form].format(first=first, zone=zone_words(self.zone, self.phrases))

    @property
    def _company(self) -> str:
        return name_words(self.invitation.company) or self.say["somebody"]
