"""Twilio's ConversationRelay socket (docs/phone-relay.md): words in, words out, during a call.

An ASGI application of its own, as crm/consumers.py is. Frames are read beside the talk, so that a slow
model keeps none from coming in; they are taken one after another. Twilio's signature proves the handshake.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from config.api.threads import in_database
from crm.incoming import Pace
from voice import relay_frames, relay_work, twilio
from voice.relay_clock import SilenceClock
from voice.relay_frames import BadFrame, Event, Interrupt, Key, Prompt, Setup, Speaking, Trouble
from voice.relay_interview import InterviewTalk
from voice.relay_scheduling import SchedulingTalk
from voice.relay_work import Relayed

logger = logging.getLogger("rapport.voice")

Frame = dict[str, Any]
Send = Callable[[Frame], Awaitable[None]]
TOO_LARGE, REFUSED, BROKEN = 1009, 1008, 1011
BAD_FRAMES_ALLOWED = 20  # of one session
MOST_WAITING = 200  # frames
LEAVING_SECONDS = 30.0  # after the end; Twilio closes the socket itself
LATE_SECONDS = 1.0  # that speech may take longer than its length tells


class RelaySocket:
    """One session of a call: its talk's line to the person."""

    def __init__(self, relayed: Relayed, send: Send) -> None:
        self.relayed, self.put = relayed, send
        self.talk = (SchedulingTalk if relayed.conversation_id is None else InterviewTalk)(relayed, self)
        self.clock = SilenceClock(self.talk.silence_seconds)
        self.pace, self.bad_frames = Pace(most=relay_frames.FRAMES_A_SECOND), 0
        self.inbox: asyncio.Queue[Frame | None] = asyncio.Queue(MOST_WAITING)
        self.characters = 0  # sent of what is being said
        self.reason = ""  # for which the session ends once all is spoken
        self.has_begun = self.has_ended = self.is_closed = False

    @classmethod
    def as_asgi(cls) -> Callable[..., Awaitable[None]]:
        async def application(scope: Frame, receive: Callable[[], Awaitable[Frame]], send: Send) -> None:
            await receive()  # websocket.connect
            relayed = None
            if is_proved(scope):
                relayed = await in_database(relay_work.admit, scope["url_route"]["kwargs"]["call_id"])
            if relayed is None:
                await send({"type": "websocket.close", "code": REFUSED})  # the handshake is answered with 403
                return
            await send({"type": "websocket.accept"})
            await cls(relayed, send).serve(receive)

        return application

    async def serve(self, receive: Callable[[], Awaitable[Frame]]) -> None:
        reading = asyncio.create_task(self._read(receive))
        try:
            while not self.is_closed:
                try:
                    async with asyncio.timeout(self.clock.left(now=time.monotonic())):
                        frame = await self.inbox.get()
                except TimeoutError:
                    await self._guarded(self._was_silent())
                    continue
                if frame is not None:
                    await self._taken(frame)
        finally:
            reading.cancel()
            await asyncio.wait({reading}, timeout=2)
            await self.talk.leave()

    async def _read(self, receive: Callable[[], Awaitable[Frame]]) -> None:
        while True:
            frame = await receive()
            await self.inbox.put(frame)
            if frame["type"] == "websocket.disconnect":
                return

    # --- from Twilio ----------------------------------------------------------------------------

    async def _taken(self, frame: Frame) -> None:
        if frame["type"] == "websocket.disconnect":
            self.is_closed = True
            return
        text = frame.get("text")
        if len(text if text is not None else frame.get("bytes") or b"") > relay_frames.LARGEST_FRAME:
            await self._close(TOO_LARGE)
        elif self.pace.is_too_fast(time.monotonic()):
            await self._close(REFUSED)
        else:
            await self._heard(text)

    async def _heard(self, text: str | None) -> None:
        try:
            if text is None:
                raise BadFrame("no text")
            event = relay_frames.read(text)
        except BadFrame as error:
            await self._not_read(error)
            return
        if event is not None and not self.has_ended:
            await self._guarded(self._happened(event))

    async def _not_read(self, error: BadFrame) -> None:
        """Twilio knows no answer to a frame that is none: it is passed over, but not for ever."""
        logger.warning("A frame of a relayed call was passed over: %s.", error)
        self.bad_frames += 1
        if self.bad_frames > BAD_FRAMES_ALLOWED:
            await self._close(REFUSED)

    async def _guarded(self, work: Awaitable[None]) -> None:
        """Whatever breaks, the session ends: Twilio then asks how the call goes on (voice/relay_ends.py)."""
        try:
            await work
        except Exception:
            logger.exception("A relayed call failed.")
            await self._close(BROKEN)

    async def _happened(self, event: Event) -> None:
        match event:
            case Setup(call_sid=sid):
                await self._set_up(sid)
            case Speaking(is_person=is_person, is_on=is_on):
                await self._speaking(is_person=is_person, is_on=is_on)
            case Trouble(words=words):
                logger.warning("Twilio on a relayed call: %s", words)
            case _ if not self.has_begun or self.reason:
                return  # before the beginning, or while the last words are spoken
            case Prompt(words=words):
                await self.talk.heard(words)
            case Key(digit=digit):
                await self.talk.pressed(digit)
            case Interrupt(heard=heard):
                await self.talk.interrupted(heard)

    async def _set_up(self, sid: str) -> None:
        if self.relayed.sid and sid != self.relayed.sid:
            await self._close(REFUSED)
        elif not self.has_begun:
            self.has_begun = True
            await self._put(relay_frames.language(twilio.language_of(self.relayed.language)))
            await self.talk.begin()

    async def _speaking(self, *, is_person: bool, is_on: bool) -> None:
        now = time.monotonic()
        if self.reason:
            if not is_person and not is_on:
                await self.end(self.reason)
        elif is_person and is_on:
            self.clock.hold()
        elif is_person:
            self.clock.paused(now=now)
        elif not is_on:
            self.clock.ended(now=now)

    async def _was_silent(self) -> None:
        if self.has_ended:
            await self._close(1000)
        elif self.reason:
            await self.end(self.reason)
        else:
            self.clock.hold()
            await self.talk.silence()

    # --- the line of the talk -------------------------------------------------------------------

    async def say(self, words: str, *, last: bool = True) -> None:
        await self._put(relay_frames.text(words, last=last))
        self.characters += len(words)
        if last:
            self.clock.spoken(self.characters, now=time.monotonic())
            self.characters = 0
            self._wake()

    def hold(self) -> None:
        self.clock.hold()

    def finish(self, reason: str) -> None:
        self.reason = reason
        self.clock.last_words(now=time.monotonic(), seconds=LATE_SECONDS)
        self._wake()

    async def end(self, reason: str) -> None:
        if self.has_ended:
            return
        self.has_ended = True
        await self._put(relay_frames.end(reason=reason, call=str(self.relayed.call_id)))
        self.clock.wait(LEAVING_SECONDS, now=time.monotonic())
        self._wake()

    def _wake(self) -> None:
        """The wait for a frame begins anew, with what the clock says now."""
        if not self.inbox.full():
            self.inbox.put_nowait(None)

    async def _put(self, text: str) -> None:
        if not self.is_closed:
            await self.put({"type": "websocket.send", "text": text})

    async def _close(self, code: int) -> None:
        if not self.is_closed:
            self.is_closed = True
            await self.put({"type": "websocket.close", "code": code})


def is_proved(scope: Frame) -> bool:
    signatures = [value for name, value in scope.get("headers", ()) if name == b"x-twilio-signature"]
    query = scope.get("query_string", b"").decode("latin1")
    return len(signatures) == 1 and twilio.is_signed_socket(
        scope["path"], query, signatures[0].decode("latin1")
    )
