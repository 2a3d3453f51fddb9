"""The heartbeats of all replies this event loop writes, gathered into one write a second.

What the person meant and the partial text are written every second while there is news, and a sign of
life at least every five; the sweep gives a reply up that was silent for thirty (crm/turns.py).
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from config.api.threads import in_database
from crm import turns
from crm.recognising import Recognition
from crm.turns import Beat, Turn

logger = logging.getLogger(__name__)

PARTIAL_SECONDS = 1.0  # how often the text so far is written
HEARTBEAT_SECONDS = 5.0  # how often at least, when there is no new text


@dataclass(slots=True, eq=False)
class Kept:
    """One reply that is kept alive."""

    turn: Turn
    text_so_far: Callable[[], str]
    lost: Callable[[], object]  # called once it turns out to be another's, or nobody's
    read: Recognition | None = None  # known once the turn is decided
    written: str = ""
    wrote_at: float = 0.0
    has_news: bool = False

    def decided(self, read: Recognition) -> None:
        self.read, self.has_news = read, True


class Heartbeats:
    """Beats while there is something to keep alive, and ends by itself."""

    def __init__(self) -> None:
        self._kept: set[Kept] = set()
        self._beating: asyncio.Task[None] | None = None

    def keep(self, turn: Turn, text_so_far: Callable[[], str], lost: Callable[[], object]) -> Kept:
        kept = Kept(turn, text_so_far, lost, wrote_at=time.monotonic())
        self._kept.add(kept)
        if self._beating is None or self._beating.done():
            self._beating = asyncio.create_task(self._beat(), name="heartbeats")
        return kept

    def let_go(self, kept: Kept) -> None:
        self._kept.discard(kept)
        if not self._kept and self._beating is not None:
            self._beating.cancel()

    async def _beat(self) -> None:
        while self._kept:
            await asyncio.sleep(PARTIAL_SECONDS)
            try:
                await self._write(time.monotonic())
            except Exception:
                # The next second tries again; the sweep waits for thirty.
                logger.exception("the heartbeats of %d replies failed", len(self._kept))

    async def _write(self, now: float) -> None:
        due = [(kept, kept.text_so_far()) for kept in self._kept]
        due = [
            (kept, text)
            for kept, text in due
            if text != kept.written or kept.has_news or now - kept.wrote_at >= HEARTBEAT_SECONDS
        ]
        if not due:
            return
        beats = [Beat(kept.turn, text if text != kept.written else None, kept.read) for kept, text in due]
        for kept, _text in due:
            kept.has_news = False
        lost = await in_database(turns.keep_alive, beats)
        for kept, text in due:
            kept.written, kept.wrote_at = text, now
            if kept.turn.reply_id in lost:
                self._kept.discard(kept)
                kept.lost()
