"""An interview over the socket: the written talk's own replies, spoken as they are worded (crm/replies.py).

Whoever takes the call is asked first. What they say then are messages of the talk; what is not heard of a
reply is taken back from it; and what breaks ends the call, never the interview.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils import timezone

from config.api.threads import in_database
from crm import interrupting, replies, talk, watching
from crm.replies import Failed, Finished, Nothing, Piece, ReplyEvent, Running
from crm.turns import Turn
from voice import relay_work
from voice.interview_words import opening_intent, opening_key, wants_a_human, wants_no_calls, words_of
from voice.relay_scheduling import Line
from voice.relay_work import Relayed
from voice.talk_values import Intent

FILLER_SECONDS = 5.0  # without a word of the reply; then the person is told that one comes
MOST_FILLERS = 5  # then the call ends: nobody waits longer on the phone
HALTING_SECONDS = 5.0  # that a reply which is stopped may take to be stored
MOST_ATTEMPTS = 2  # of one reply
MOST_SILENCES = 2
MOST_REPROMPTS = 2  # of the opening


@dataclass(slots=True)
class Utterance:
    """What is being spoken. From `begins` on it is the reply to a message; before, words of ours."""

    text: str = ""
    begins: int = 0
    message_id: int | None = None
    is_whole: bool = False
    is_hushed: bool = False  # interrupted: no more of it is sent


class InterviewTalk:
    silence_seconds = 20.0

    def __init__(self, relayed: Relayed, line: Line) -> None:
        self.relayed, self.line = relayed, line
        self.words = words_of(relayed.language)
        self.agreed, self.is_over = relayed.agreed, False
        self.reprompts = self.silences = 0
        self.choices: tuple[str, ...] = ()
        self.utterance = Utterance()
        self.running: Running | None = None
        self.speaking: asyncio.Task[None] | None = None

    # --- what happens on the line ---------------------------------------------------------------

    async def begin(self) -> None:
        if self.agreed:
            await self._take_up(self.words["back"])
        else:
            await self._say(self.words["opening"].format(organisation=self.relayed.company))

    async def heard(self, words: str) -> None:
        self.silences = 0
        if self.is_over:
            return
        if settings.VOICE_STAFF_NUMBER and wants_a_human(words):
            await self._end("handed_over")
        elif not self.agreed:
            today, name = timezone.localdate(), self.relayed.candidate
            await self._open(opening_intent(words, language=self.relayed.language, name=name, today=today))
        elif wants_no_calls(words):
            await self._never_again("stop_calling")
        else:
            await self._answered(words)

    async def pressed(self, digit: str) -> None:
        self.silences = 0
        if self.is_over:
            return
        if not self.agreed:
            await self._open(opening_key(digit))
        elif digit in self.choices:
            await self._answered(digit)
        elif digit == "9":
            await self._never_again("stop_calling")
        elif digit == "0" and settings.VOICE_STAFF_NUMBER:
            await self._end("handed_over")
        elif digit == "*":
            await self._hush("")
            await self._take_up("")

    async def silence(self) -> None:
        if self._is_wording():  # it is we who are silent
            return
        self.silences += 1
        if self.silences > MOST_SILENCES:
            await self._end("left_open")
        elif self.agreed:
            await self._say(self.words["still_there"])
        else:
            await self._say(self.words["ask_again"])

    async def interrupted(self, heard: str) -> None:
        if not self.is_over:
            await self._hush(heard)

    async def leave(self) -> None:
        """The line is gone. A reply is still worded to its end and stored; nobody speaks it."""
        if self.speaking is not None:
            self.speaking.cancel()
            await asyncio.wait({self.speaking}, timeout=2)

    # --- the opening ----------------------------------------------------------------------------

    async def _open(self, intent: Intent) -> None:
        if intent == "confirm":
            self.agreed = True
            note = await in_database(relay_work.agree, self.relayed)
            if note is not None:
                await self._tell(note)
            await self._take_up(self.words["begin"])
        elif intent in ("stop_calling", "wrong_person"):
            await self._never_again(intent)
        elif intent in ("reject", "other_time", "voicemail"):
            await self._end("left_open")
        elif intent == "repeat":
            await self.begin()
        else:
            await self._ask_again()

    async def _ask_again(self) -> None:
        self.reprompts += 1
        if self.reprompts > MOST_REPROMPTS:
            await self._end("left_open")
        else:
            await self._say(self.words["ask_again"])

    async def _take_up(self, before: str) -> None:
        """Where the written talk stands: its last question again, or the reply that is still owed."""
        now = await in_database(relay_work.standing, self.relayed.conversation_id)
        self.choices = now.choices
        if not now.is_open:
            await self._ended_elsewhere()
        elif now.unanswered is not None:
            self._speak(now.unanswered, before=before)
        else:
            await self._say(f"{before} {now.words}".strip())

    # --- turns ----------------------------------------------------------------------------------

    async def _answered(self, words: str) -> None:
        # Words without an interruption before them: nothing was being spoken, so nothing of it was heard.
        if self._is_wording():
            await self._hush("")
        if self.is_over:
            return
        try:
            message, turn = await in_database(relay_work.take, self.relayed.conversation_id, words)
        except talk.TalkClosed:
            await self._ended_elsewhere()
            return
        except talk.TalkError:  # the page is being answered at this moment
            await self._say(self.words["say_again"])
            return
        self._speak(message.pk, turn)
        await self._tell(message.seq)

    def _is_wording(self) -> bool:
        is_at_work = self.speaking is not None and not self.speaking.done()
        return is_at_work and not self.utterance.is_whole

    def _speak(self, message_id: int, turn: Turn | None = None, *, before: str = "") -> None:
        self.line.hold()
        self.utterance = Utterance(message_id=message_id)
        self.running = replies.ensure_reply(message_id, turn)
        work = self._spoken(message_id, self.running, self.utterance, before=before)
        self.speaking = asyncio.create_task(work, name=f"spoken-{message_id}")

    async def _spoken(
        self, message_id: int, running: Running, utterance: Utterance, *, before: str, attempt: int = 1
    ) -> None:
        if before:
            await self._aside(utterance, before)
        async for event in self._patiently(replies.stream_reply(message_id, running), running, utterance):
            match event:
                case Piece(text=text):
                    await self._send(utterance, text)
                case Finished():
                    await self._finished(utterance, event)
                case Failed(retryable=again, code=code):
                    if utterance.is_hushed:  # the person went on speaking before its first word
                        return
                    if again and attempt < MOST_ATTEMPTS and not running.stopping:
                        self.running = replies.ensure_reply(message_id)
                        await self._spoken(
                            message_id, self.running, utterance, before="", attempt=attempt + 1
                        )
                    elif code == "content_filter":  # what was said, or the answer, is not fit
                        await self._say(self.words["say_again"])
                    else:
                        await self._end("trouble")
                case Nothing(why=why):
                    await self._unspoken(why)

    async def _patiently(
        self, events: AsyncIterator[ReplyEvent], running: Running, utterance: Utterance
    ) -> AsyncIterator[ReplyEvent]:
        """The same events; while the first words are long in coming, the person is told so."""
        waits, upcoming = 0, asyncio.ensure_future(_next(events))
        try:
            while True:
                is_silent = len(utterance.text) == utterance.begins and not utterance.is_hushed
                done, _pending = await asyncio.wait({upcoming}, timeout=FILLER_SECONDS if is_silent else None)
                if not done:
                    waits += 1
                    await self._wait_longer(waits, running, utterance)
                    continue
                event = upcoming.result()
                if event is None:
                    return
                yield event
                upcoming = asyncio.ensure_future(_next(events))
        finally:
            upcoming.cancel()

    async def _wait_longer(self, waits: int, running: Running, utterance: Utterance) -> None:
        if waits > MOST_FILLERS:
            replies.halt(running)  # it fails now, and the call ends with it
        elif waits % 2:
            await self._aside(utterance, self.words["moment"])

    async def _aside(self, utterance: Utterance, words: str) -> None:
        """Words of ours before a reply, spoken at once."""
        utterance.text += f"{words} "
        utterance.begins = len(utterance.text)
        await self.line.say(f"{words} ")
        self.line.hold()

    async def _send(self, utterance: Utterance, text: str) -> None:
        if not utterance.is_hushed:
            utterance.text += text
            await self.line.say(text, last=False)

    async def _finished(self, utterance: Utterance, end: Finished) -> None:
        utterance.is_whole = True
        self.choices = tuple(map(str, end.message["choices"]))
        if len(utterance.text) == utterance.begins:  # worded elsewhere
            await self._send(utterance, end.message["text"])
        if not utterance.is_hushed:
            await self.line.say("")
        if end.closed:
            await self._close()

    async def _close(self) -> None:
        self.is_over = True
        await in_database(relay_work.settle, self.relayed.call_id, "interviewed")
        self.line.finish("interviewed")

    async def _ended_elsewhere(self) -> None:
        """On its page; nobody has said goodbye on the phone."""
        await self._say(self.words["after_dial"])
        await self._close()

    async def _unspoken(self, why: str) -> None:
        """No reply is due: the talk has ended, or staff answer, in writing."""
        if why == "closed":
            await self._ended_elsewhere()
        elif why == "silent":
            await self._end("left_open")

    # --- interruptions --------------------------------------------------------------------------

    async def _hush(self, heard: str) -> None:
        """Nothing more of this utterance is sent, and of a reply only what was heard stays."""
        utterance, self.utterance = self.utterance, Utterance()
        was_whole, utterance.is_hushed = utterance.is_whole, True
        if self.speaking is not None and not self.speaking.done():
            if self.running is not None:
                replies.halt(self.running)
            await asyncio.wait({self.speaking}, timeout=HALTING_SECONDS)
        if not was_whole and len(utterance.text) > utterance.begins:
            await self.line.say("")  # ends what was begun; what comes next is another utterance
        if utterance.message_id is None:
            return
        length = interrupting.heard_length(utterance.text, heard)
        if length is None:
            if was_whole:
                return
            length = len(utterance.text)  # no more than that was sent
        seq = await in_database(
            interrupting.cut_reply,
            utterance.message_id,
            characters=max(0, length - utterance.begins),
            is_whole=was_whole,
        )
        if seq is not None:
            await self._tell(seq)

    # --- small things ---------------------------------------------------------------------------

    async def _say(self, words: str) -> None:
        self.utterance = Utterance(words, begins=len(words))
        await self.line.say(words)

    async def _tell(self, seq: int) -> None:
        """The page shows what is new."""
        await watching.tell(_known(self.relayed.conversation_id), "message", seq=seq)

    async def _never_again(self, why: str) -> None:
        self.is_over = True
        await in_database(relay_work.never_call, self.relayed.call_id, why)
        await self.line.end(why)

    async def _end(self, outcome: str) -> None:
        self.is_over = True
        await in_database(relay_work.settle, self.relayed.call_id, outcome)
        await self.line.end(outcome)


async def _next(events: AsyncIterator[ReplyEvent]) -> ReplyEvent | None:
    return await anext(events, None)


def _known(conversation_id: Any) -> Any:
    assert conversation_id is not None
    return conversation_id
