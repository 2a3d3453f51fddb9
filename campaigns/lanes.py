"""Lanes: threads that each speak SMTP on one connection. They touch no row; the sender's own thread does.

So that the step into DATA is committed for many lanes at once, a lane stops before DATA, says it is
ready, and waits for the word.
"""

import queue
import threading
from dataclasses import dataclass
from uuid import UUID

from campaigns.models import Delivery
from campaigns.smtp import POOL, Address, Connection, Limits, SmtpError

WORD_SECONDS = 30  # the sender answers in milliseconds, or is dead


@dataclass(frozen=True, slots=True)
class Job:
    """One claimed email, ready to go."""

    delivery: Delivery
    sender: str
    message: bytes


@dataclass(frozen=True, slots=True)
class Ready:
    """The server takes the recipient; the lane waits before DATA."""

    lane: "Lane"
    job: Job


@dataclass(frozen=True, slots=True)
class Ended:
    """The attempt is over. Neither reply nor error: it was withdrawn."""

    job: Job
    reply: str = ""
    error: SmtpError | None = None
    # The connection could not even be opened.
    never_connected: bool = False


class Lane(threading.Thread):
    def __init__(
        self,
        address: Address,
        *,
        jobs: "queue.Queue[Job | None]",
        events: "queue.Queue[Ready | Ended]",
        limits: Limits | None = None,
    ) -> None:
        super().__init__(name=f"smtp-{address.server_id}", daemon=True)
        self._address = address
        self._jobs = jobs
        self._events = events
        self._limits = limits
        self._words: queue.Queue[tuple[UUID, bool]] = queue.Queue()
        self._connection: Connection | None = None

    def proceed(self, job: Job, *, go: bool) -> None:
        """The word a ready lane waits for: hand over, or withdraw."""
        self._words.put((job.delivery.pk, go))

    def _may_hand_over(self, job: Job) -> bool:
        try:
            about, go = self._words.get(timeout=WORD_SECONDS)
            while about != job.delivery.pk:  # a word that came too late for the email before
                about, go = self._words.get(timeout=WORD_SECONDS)
        except queue.Empty:
            return False
        return go

    def run(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._events.put(self._attempt(job))
        if self._connection is not None:
            POOL.give_back(self._connection)

    def _attempt(self, job: Job) -> Ended:
        try:
            connection = self._connected()
        except SmtpError as error:
            return Ended(job, error=error, never_connected=True)
        try:
            connection.offer(job.sender, job.delivery.to_email)
            self._events.put(Ready(self, job))
            if not self._may_hand_over(job):
                connection.withdraw()
                return Ended(job)
            return Ended(job, reply=connection.hand_over(job.message))
        except SmtpError as error:
            return Ended(job, error=error)

    def _connected(self) -> Connection:
        if self._connection is None or not self._connection.is_usable:
            self._connection = None
            self._connection = POOL.take(self._address, limits=self._limits)
        return self._connection
