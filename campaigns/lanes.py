"""Lanes: connections to one server, side by side on one event loop. They touch no row; the sender does.

So that the step into DATA is committed for many lanes at once, a lane stops before DATA, says it is
ready, and waits for the word. The loop runs only inside `listen`, and for a moment after each statement to
the database (`go_on`), on the sender's own thread: no two threads fight for the interpreter.
"""

import asyncio
import logging
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from campaigns.models import Delivery
from campaigns.smtp import Address, Limits, SmtpError, Stage
from campaigns.smtp_connection import Connection, Resolved, leave

log = logging.getLogger(__name__)

MESSAGES_PER_CONNECTION = 100
KEEP_SECONDS = 10.0  # an idle connection waits this long for the next task
GATHER_SECONDS = 0.005  # what lanes say within this is one transaction, unless a fifth of them have spoken
GATHERED = 5
DNS_SECONDS = 60.0  # a host's addresses are looked up again after this


@dataclass(frozen=True, slots=True)
class Job:
    """One claimed email, ready to go."""

    delivery: Delivery
    sender: str
    message: bytes


@dataclass(frozen=True, slots=True)
class Ready:
    """The server takes the recipient; the lane waits before DATA for a word."""

    job: Job
    word: "asyncio.Future[bool]"

    def proceed(self, *, go: bool) -> None:
        if not self.word.done():
            self.word.set_result(go)


@dataclass(frozen=True, slots=True)
class Ended:
    """The attempt is over. Neither reply nor error: it was withdrawn."""

    job: Job
    reply: str = ""
    error: SmtpError | None = None
    # The connection could not even be opened.
    never_connected: bool = False


class Lanes:
    """At most `most` connections to one server. Used by one thread at a time."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.most = 1
        self.limits = Limits()
        self.loop = asyncio.new_event_loop()
        self.jobs: deque[Job] = deque()
        self._said: list[Ready | Ended] = []
        self._news: asyncio.Future[None] | None = None
        self.idle: list[Connection] = []
        # All that may hold a socket, those that are closing too: they need the loop to end.
        self._open: set[Connection] = set()
        self.busy = 0  # lanes at work; a task itself is only forgotten in the loop's next round
        self._tasks: set[asyncio.Task[None]] = set()
        self._context: ssl.SSLContext | None = None
        self._found: Resolved = ()
        self._found_until = 0.0

    # --- what the sender calls ----------------------------------------------------------------------

    def put(self, jobs: Iterable[Job]) -> None:
        self.jobs.extend(jobs)
        for _number in range(min(self.most - self.busy, len(self.jobs))):
            self.busy += 1
            task = self.loop.create_task(_Lane(self).work())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def recall(self) -> list[Job]:
        """Takes back what no lane has begun."""
        back = list(self.jobs)
        self.jobs.clear()
        return back

    def listen(self, seconds: float) -> list[Ready | Ended]:
        """All that lanes have said, as soon as one has said something."""
        self.loop.run_until_complete(self._heard(seconds))
        said, self._said = self._said, []
        return said

    def go_on(self) -> None:
        """Lets the lanes take what their servers have said meanwhile, without waiting for more."""
        if self.busy:
            self.loop.run_until_complete(_two_rounds())

    @property
    def open_connections(self) -> int:
        return self.busy + len(self.idle)

    def rest(self) -> int:
        """Between two tasks: dead connections are dropped. How many are kept."""
        self.loop.run_until_complete(asyncio.sleep(0))
        self.idle = [one for one in self.idle if one.is_usable]
        self.loop.run_until_complete(self._only(self.idle))
        return len(self.idle)

    def close(self) -> None:
        """Leaves every connection, whatever it is at."""
        self.loop.run_until_complete(self._ended())
        self.loop.close()

    # --- inside the loop ----------------------------------------------------------------------------

    async def _heard(self, seconds: float) -> None:
        if not self._said:
            self._news = self.loop.create_future()
            timer = self.loop.call_later(seconds, self._wake)
            await self._news
            timer.cancel()
        if self._said and len(self._said) * GATHERED < self.busy:
            await asyncio.sleep(GATHER_SECONDS)

    def say(self, what: Ready | Ended) -> None:
        self._said.append(what)
        self._wake()

    def _wake(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    async def opened(self) -> Connection:
        if self._context is None:  # it reads every authority the machine trusts: once, not per connection
            self._context = ssl.create_default_context()
        connection = Connection(
            self.address, limits=self.limits, context=self._context, resolve=self._addresses
        )
        self._open = {one for one in self._open if not one.has_ended} | {connection}
        try:
            await connection.open()
        except SmtpError as error:
            raise _NeverConnectedError(error) from None
        return connection

    async def _addresses(self) -> Resolved:
        now = time.monotonic()
        if not self._found or now > self._found_until:
            host, port = self.address.host, self.address.port
            self._found = await self.loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            self._found_until = now + DNS_SECONDS
        return self._found

    async def _ended(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.idle.clear()
        await self._only([])

    async def _only(self, kept: list[Connection]) -> None:
        left = self._open.difference(kept)
        await leave(left)
        self._open -= left


async def _two_rounds() -> None:
    """In the first round of the loop a reply is read, in the second its lane says the next thing."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)


class _Lane:
    """One email after another, over a connection that stays."""

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes
        self._connection: Connection | None = None
        self._may_have_sent = False

    async def work(self) -> None:
        try:
            while self._lanes.jobs:
                await self._attempt(self._lanes.jobs.popleft())
        except BaseException:
            self._leave()
            raise
        finally:
            self._lanes.busy -= 1
        if self._connection is not None and self._connection.is_usable:
            self._lanes.idle.append(self._connection)

    def _leave(self) -> None:
        if self._connection is not None:
            self._connection.abort()
            self._connection = None

    async def _attempt(self, job: Job) -> None:
        """Says when it is ready, and what came of it."""
        self._may_have_sent = False
        try:
            self._lanes.say(await self._ended(job))
        except _NeverConnectedError as error:
            self._lanes.say(Ended(job, error=error.why, never_connected=True))
        except SmtpError as error:
            self._lanes.say(Ended(job, error=error))
        except Exception as bug:
            log.exception("A lane failed.")
            self._leave()
            stage = Stage.AFTER_DOT if self._may_have_sent else Stage.DATA
            self._lanes.say(Ended(job, error=SmtpError(stage, f"{type(bug).__name__} in our own code.")))

    async def _ended(self, job: Job) -> Ended:
        connection = await self._offered(job)
        ready = Ready(job, self._lanes.loop.create_future())
        self._lanes.say(ready)
        if await ready.word:
            self._may_have_sent = True
            return Ended(job, reply=await connection.hand_over(job.message))
        await connection.withdraw()
        return Ended(job)

    async def _offered(self, job: Job) -> Connection:
        """The connection that took the recipient. One that was kept and has gone meanwhile says nothing
        about the email: it is offered once more, on a new one.
        """
        while True:
            connection = await self._connected()
            is_used = connection.sent > 0
            try:
                await connection.offer(job.sender, job.delivery.to_email, size=len(job.message))
                return connection
            except SmtpError as error:
                if not (is_used and error.stage == Stage.MAIL and error.is_closed):
                    raise

    async def _connected(self) -> Connection:
        idle = self._lanes.idle
        while self._connection is not None or idle:
            connection = self._connection or idle.pop()
            if connection.is_usable and connection.sent < MESSAGES_PER_CONNECTION:
                self._connection = connection
                return connection
            connection.close()
            self._connection = None
        self._connection = await self._lanes.opened()
        return self._connection


class _NeverConnectedError(Exception):
    def __init__(self, why: SmtpError) -> None:
        super().__init__(str(why))
        self.why = why


class Pool:
    """Lanes nobody uses at the moment, kept with their connections from one task of a process to the next."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._resting: dict[Address, Lanes] = {}

    def take(self, address: Address) -> Lanes:
        with self._lock:
            lanes = self._resting.pop(address, None)
        return lanes or Lanes(address)

    def give_back(self, lanes: Lanes, *, seconds: float) -> int:
        """Keeps its idle connections for so long. How many there are; without any it is closed."""
        if seconds <= 0 or not lanes.rest():
            lanes.close()
            return 0
        kept = lanes.open_connections
        with self._lock:
            other, self._resting[lanes.address] = self._resting.get(lanes.address), lanes
        if other is not None:
            other.close()
        timer = threading.Timer(seconds, self._forget, [lanes])
        timer.daemon = True
        timer.start()
        return kept

    def _forget(self, lanes: Lanes) -> None:
        with self._lock:
            if self._resting.get(lanes.address) is not lanes:
                return
            del self._resting[lanes.address]
        lanes.close()

    def close(self) -> None:
        with self._lock:
            resting, self._resting = list(self._resting.values()), {}
        for lanes in resting:
            lanes.close()

    def __len__(self) -> int:
        with self._lock:
            return sum(lanes.open_connections for lanes in self._resting.values())


POOL = Pool()
