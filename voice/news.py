"""Tells staff who watch the calls in progress that something in one of them is new. Ids only.

Turns are taken in threads that have no event loop, and Twilio waits for them: what is to be told is handed
to one thread of the process that has a loop, and keeps its connection to Redis.
"""

import asyncio
import os
import threading
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from crm import watching

GROUP = "calls"


@dataclass
class _Teller:
    """The thread, begun when there is something to tell first."""

    loop: asyncio.AbstractEventLoop | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def tell(self, event: watching.Event) -> None:
        with self.lock:
            if self.loop is None:
                self.loop = asyncio.new_event_loop()
                threading.Thread(target=self.loop.run_forever, name="call-news", daemon=True).start()
        asyncio.run_coroutine_threadsafe(watching.send(GROUP, event), self.loop)


_teller = _Teller()


def _begin_anew() -> None:
    """A forked process has no threads of its parent's."""
    global _teller
    _teller = _Teller()


os.register_at_fork(after_in_child=_begin_anew)


def tell(call_id: Any) -> None:
    """After commit, and nobody waits for it. Never an error: the page looks by itself now and then."""
    event = {"type": "call.news", "call": str(call_id)}
    transaction.on_commit(lambda: _teller.tell(event), robust=True)
