"""The talk that settles on a time, over the socket: the same turns as by webhooks (voice/turns.py)."""

from typing import Protocol

from django.conf import settings

from config.api.threads import in_database
from voice import relay_work, turns, understanding
from voice.interview_words import wants_a_human
from voice.relay_work import Relayed, Said
from voice.scheduling import Heard


class Line(Protocol):
    """What a talk may do with its line."""

    async def say(self, words: str, *, last: bool = True) -> None:
        """To be spoken now; without `last`, more of it follows."""
        ...

    async def end(self, reason: str) -> None:
        """At once, whatever is being spoken; last words are for voice/relay_ends.py."""
        ...

    def finish(self, reason: str) -> None:
        """As soon as what was said has been spoken."""
        ...

    def hold(self) -> None:
        """Silence is not counted until something is said."""
        ...


class SchedulingTalk:
    silence_seconds = 10.0

    def __init__(self, relayed: Relayed, line: Line) -> None:
        self.call_id, self.line = relayed.call_id, line
        self.said = Said(0, "", False)

    async def begin(self) -> None:
        await self._go_on()

    async def heard(self, words: str) -> None:
        if settings.VOICE_STAFF_NUMBER and wants_a_human(words):
            await in_database(relay_work.settle, self.call_id, "handed_over")
            await self.line.end("handed_over")
            return
        await self._turn(Heard(words))

    async def pressed(self, digit: str) -> None:
        await self._turn(Heard(digits=digit))

    async def silence(self) -> None:
        await self._turn(Heard())

    async def interrupted(self, heard: str) -> None:
        await in_database(relay_work.cut_turn, self.call_id, self.said.number, heard)

    async def leave(self) -> None:
        """Nothing is under way between two turns."""

    async def _turn(self, heard: Heard) -> None:
        self.line.hold()
        answer = await in_database(turns.hear_or_ask, self.call_id, None, heard)
        await understanding.settled(answer, heard)
        await self._go_on()

    async def _go_on(self) -> None:
        self.said = await in_database(relay_work.last_said, self.call_id)
        if self.said.is_over:
            await self.line.end("ended")
        else:
            await self.line.say(self.said.words)
