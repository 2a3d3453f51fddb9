"""The heart: a stored message gets its one reply. Claimed, decided, worded as it streams, stored whole.

A reply runs in a task of its own: whoever asked may leave, and it is still finished. Readers share its
text; each gets what is new at most 10 times a second. Between database writes nothing is held.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias, cast
from uuid import UUID
from weakref import WeakKeyDictionary

from config.api.threads import in_database
from crm import moderation, persona_news, turns, watching
from crm.deciding import Decision, decide
from crm.failure_words import words_for
from crm.heartbeats import Heartbeats
from crm.recognising import Recognition
from crm.sanitising import Sieve
from crm.turns import Ending, Standstill, Turn
from knowledge.citing import CitationFilter
from personas import speaking
from personas.providers.base import Delta, Done, ProviderError

logger = logging.getLogger(__name__)

FRAME_SECONDS = 0.1  # at most 10 frames a second: text flows, and each frame costs the process a write
LONGEST_REPLY_SECONDS = 150
POLL_SECONDS = 0.4  # a reply that another process writes is read from its row
RETRYABLE_CODES = frozenset({"interrupted", "stopped", "internal", "empty", "truncated"})


@dataclass(frozen=True, slots=True)
class Started:
    seq: int
    reply_to: int


@dataclass(frozen=True, slots=True)
class Piece:
    """`offset` is in UTF-16 code units, as JavaScript counts."""

    seq: int
    offset: int
    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The whole reply; `closed` is the reason when the talk ended with it."""

    message: dict[str, Any]
    progress: dict[str, Any] | None
    closed: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    seq: int
    reply_to: int
    code: str
    message: str
    retryable: bool


@dataclass(frozen=True, slots=True)
class Nothing:
    """No reply is due: silent (staff speak), closed, late (a newer message was sent), missing."""

    why: str


ReplyEvent: TypeAlias = Started | Piece | Finished | Failed | Nothing
End: TypeAlias = Finished | Failed | Nothing | None


@dataclass(slots=True, eq=False)
class Running:
    """A reply being written in this process."""

    message_id: int
    conversation_id: UUID | None = None
    started: Started | None = None
    text: str = ""
    end: End = None
    stopping: bool = False
    elsewhere: bool = False
    readers: set[asyncio.Event] = field(default_factory=set)
    task: asyncio.Task[None] | None = None
    # Its end is known. The task goes on a little: it tells watchers, and waits for the count of tokens.
    over: asyncio.Event = field(default_factory=asyncio.Event)
    words: asyncio.Task[Done] | None = None
    # The provider's stream, closed when the reply is stored: its count of tokens need not be waited for.
    close_words: Callable[[], Awaitable[None]] | None = None

    def wake(self) -> None:
        for reader in self.readers:
            reader.set()
        if self.end is not None or self.elsewhere:
            self.over.set()


# By message, per event loop: tests and the worker have loops that come and go.
_running: dict[tuple[int, int], Running] = {}
_heartbeats: WeakKeyDictionary[asyncio.AbstractEventLoop, Heartbeats] = WeakKeyDictionary()


def _key(message_id: int) -> tuple[int, int]:
    return id(asyncio.get_running_loop()), message_id


def ensure_reply(message_id: int, turn: Turn | None = None) -> Running:
    """The running reply of a message; begun when it is not running here. Needs a running event loop.

    `turn` is the turn that storing the message has claimed already.
    """
    key = _key(message_id)
    running = _running.get(key)
    if running is None or running.end is not None or turn is not None:
        running = _running[key] = Running(message_id)
        running.task = asyncio.create_task(_write(running, turn), name=f"reply-{message_id}")
        running.task.add_done_callback(partial(_forget, key, running))
    return running


def _forget(key: tuple[int, int], running: Running, _task: "asyncio.Task[None]") -> None:
    running.over.set()  # also of a task that was cancelled before it began
    if _running.get(key) is running:
        del _running[key]


async def stream_reply(message_id: int, running: Running | None = None) -> AsyncIterator[ReplyEvent]:
    """What happens to the reply of a stored message, to its end. Leaving early does not stop the reply.

    Ends with Finished, Failed or Nothing. A reply that was complete before is just Finished; of `running`,
    which the caller began, all words are told, also when it has ended meanwhile.
    """
    running = running or ensure_reply(message_id)
    async for event in follow(running):
        yield event
    if not running.elsewhere:
        return
    end = await _ended_elsewhere(message_id)
    if isinstance(end, Failed) and end.code == "interrupted":
        # Its process died. Whoever waits for it goes on here, without waiting for the sweep.
        async for event in follow(ensure_reply(message_id)):
            yield event
        return
    yield end


async def follow(running: Running, *, begin_at: int = 0) -> AsyncIterator[ReplyEvent]:
    """The events of a running reply from character `begin_at` on, paced for one reader."""
    news = asyncio.Event()
    running.readers.add(news)
    sent, offset = begin_at, utf16_length(running.text[:begin_at])
    said_started = False
    try:
        while True:
            news.clear()
            if running.started is not None and not said_started:
                said_started = True
                yield running.started
            piece = running.text[sent:]
            if piece and running.started is not None:
                yield Piece(running.started.seq, offset, piece)
                sent, offset = sent + len(piece), offset + utf16_length(piece)
            if running.end is not None or running.elsewhere:
                break
            await news.wait()
            if sent:  # the first words go out at once
                await asyncio.sleep(FRAME_SECONDS)
    finally:
        running.readers.discard(news)
    if running.end is not None:
        yield running.end


def utf16_length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def stop(conversation_id: UUID | str) -> bool:
    """Ends the reply being written in a talk; what was said stays. False when none is written here."""
    running = running_in(conversation_id)
    if running is None or running.end is not None:  # it is whole; its tokens are still being counted
        return False
    halt(running)
    return True


def halt(running: Running) -> None:
    """The same for a reply that one holds: it ends with what was said, or fails when that is nothing."""
    running.stopping = True
    if running.words is not None:
        running.words.cancel()


def running_in(conversation_id: UUID | str) -> Running | None:
    loop = id(asyncio.get_running_loop())
    found = (
        r
        for (of, _id), r in _running.items()
        if of == loop and str(r.conversation_id) == str(conversation_id)
    )
    return next(found, None)


# --- writing ------------------------------------------------------------------------------------


async def _write(running: Running, claimed: Turn | None) -> None:
    try:
        turn: Turn | Standstill | None = claimed
        if turn is None:
            turn = await in_database(turns.begin_turn, running.message_id)
        if isinstance(turn, Standstill):
            running.elsewhere = turn.why == "elsewhere"
            running.end = None if running.elsewhere else _end_of(turn)
            return
        running.conversation_id = turn.conversation.pk
        running.started = Started(turn.reply_seq, turn.message.seq)
        running.wake()
        persona_news.tell_soon(turn.conversation, persona_news.TYPING, is_typing=True)
        running.end = await _take_turn(running, turn)
        running.wake()  # the reader does not wait for Redis
        await _tell_watchers(running, turn)
    except Exception:
        logger.exception("the reply to message %s could not be written", running.message_id)
        running.end = running.end or Failed(0, 0, "internal", words_for("internal"), True)
    finally:
        if running.end is None and not running.elsewhere:
            running.end = Failed(0, 0, "interrupted", words_for("interrupted"), True)
        running.wake()
        if running.close_words is not None:
            await running.close_words()


def _end_of(still: Standstill) -> End:
    if still.why == "done" and still.reply is not None:
        return Finished(still.reply, still.progress, still.close_reason)
    return Nothing(still.why)


async def _take_turn(running: Running, turn: Turn) -> End:
    """One claimed turn to its end. However it ends, the row is complete or failed after it."""
    code, ended, read = "interrupted", False, None
    heartbeats = _heartbeats.setdefault(asyncio.get_running_loop(), Heartbeats())
    alive = heartbeats.keep(turn, lambda: running.text, partial(halt, running))
    try:
        async with asyncio.timeout(LONGEST_REPLY_SECONDS):
            decision = await decide(turn)
            read = decision.read
            alive.decided(read)
            done = await _spoken(running, turn, decision)
        end, code = await _finish(running, turn, decision=decision, done=done)
        ended = end is not None
        return end or _failed(turn, code)
    except ProviderError as error:
        code = error.code
        return _failed(turn, code, retryable=error.retryable)
    except TimeoutError:
        code = "timeout"
        return _failed(turn, code)
    except Exception:
        logger.exception("turn %s failed", turn.reply_id)
        code = "internal"
        return _failed(turn, code)
    finally:
        heartbeats.let_go(alive)
        if not ended:
            await _store_failure(running, turn, code, read=read)


async def _store_failure(running: Running, turn: Turn, code: str, *, read: Recognition | None) -> None:
    """Shielded: a cancelled task, and a server that stops, still write the row.

    The sweep has the last word.
    """
    write = asyncio.ensure_future(in_database(turns.fail_turn, turn, code, running.text, read=read))
    try:
        await asyncio.shield(write)
    except asyncio.CancelledError:
        with suppress(Exception):
            await write
        raise
    except Exception:
        logger.exception("reply %s could not be marked failed; the sweep will", turn.reply_id)


async def _spoken(running: Running, turn: Turn, decision: Decision) -> Done | None:
    """None when the reader stopped it."""
    if running.stopping:
        return None
    running.words = asyncio.create_task(_speak(running, turn, decision))
    try:
        return await running.words
    except asyncio.CancelledError:
        if not running.stopping or not running.words.cancelled():
            raise
        return None


async def _speak(running: Running, turn: Turn, decision: Decision) -> Done:
    """Gathers the words as they come. Raises ProviderError."""
    sieve, watch = Sieve(), await moderation.watch_of(turn)

    async def show(text: str, *, is_rest: bool = False) -> None:
        if watch is not None:
            text = await (watch.finish(text) if is_rest else watch.feed(text))
        _add(running, text)

    # Where passages were looked for, a number in brackets is a citation: one that leads nowhere is taken out.
    cited = (
        CitationFilter([source["number"] for source in decision.sources]) if decision.plan.search else None
    )
    events = cast(Any, speaking.speak(turn.persona, decision.prompt, account=turn.conversation.account))
    running.close_words = getattr(events, "aclose", None)
    try:
        async for event in events:
            if isinstance(event, Done):
                return event
            if isinstance(event, Delta):
                text = sieve.feed(event.text)
                await show(cited.feed(text) if cited else text)
    finally:
        rest = sieve.flush()
        await show(cited.feed(rest) + cited.finish() if cited else rest, is_rest=True)
    raise ProviderError("truncated", words_for("truncated"), retryable=True)


def _add(running: Running, text: str) -> None:
    words = text if running.text else text.lstrip()
    if words:
        running.text += words
        running.wake()


async def _finish(running: Running, turn: Turn, *, decision: Decision, done: Done | None) -> tuple[End, str]:
    if not running.text.strip():
        return None, "stopped" if running.stopping else "empty"
    ending: Ending | None = await in_database(
        turns.finish_turn,
        turn,
        running.text.rstrip(),
        plan=decision.plan,
        read=decision.read,
        done=done,
        sources=decision.sources,
    )
    if ending is None:
        return None, "interrupted"
    return Finished(ending.reply, ending.progress, ending.closed), ""


async def _tell_watchers(running: Running, turn: Turn) -> None:
    await watching.tell(turn.conversation.pk, "message", seq=turn.reply_seq)
    await persona_news.tell(turn.conversation, persona_news.TYPING, is_typing=False)
    if isinstance(running.end, Finished):
        await persona_news.tell(turn.conversation, persona_news.MESSAGE, seq=turn.reply_seq)
    if isinstance(running.end, Finished) and running.end.closed:
        await watching.tell(turn.conversation.pk, "closed")


# --- ends ---------------------------------------------------------------------------------------


def _failed(turn: Turn, code: str, *, retryable: bool | None = None) -> Failed:
    again = code in RETRYABLE_CODES or code == "timeout" if retryable is None else retryable
    return Failed(turn.reply_seq, turn.message.seq, code, words_for(code), again)


async def _ended_elsewhere(message_id: int) -> ReplyEvent:
    """Waits for a reply that another process, or another turn of this talk, is writing."""
    deadline = time.monotonic() + LONGEST_REPLY_SECONDS
    while time.monotonic() < deadline:
        now = await in_database(turns.reply_now, message_id)
        if now is None:
            return Nothing("late")
        message, progress, closed = now
        if message["state"] == "complete":
            return Finished(message, progress, closed)
        if message["state"] == "failed":
            code = message["error_code"]
            return Failed(message["seq"], message["reply_to"] or 0, code, words_for(code), True)
        await asyncio.sleep(POLL_SECONDS)
    return Failed(0, 0, "timeout", words_for("timeout"), True)
