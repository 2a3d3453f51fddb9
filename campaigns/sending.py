"""Sending what is due: by SMTP from rows, or into the embedded outbox. At most once, or shown as unknown."""

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from django.db import OperationalError, close_old_connections, connection, transaction

from campaigns import claiming, leaving, outcomes, pacing, stopping
from campaigns.lanes import KEEP_SECONDS, POOL, Ended, Job, Ready
from campaigns.models import Delivery, SmtpServer
from campaigns.outcomes import Outcome
from campaigns.pacing import Grant
from campaigns.smtp import Limits, address_of
from config.api.encryption import decrypt
from crm.contacts import with_ascii_domain

log = logging.getLogger(__name__)
T = TypeVar("T")

RUN_SECONDS = 20  # new emails begin this long; with every limit of smtp.Limits spent it ends before 60
REFUSED_CONNECTIONS = 3  # in a row, after which a run stops trying
HOLD_SECONDS = 2  # a lane waits this long before DATA for the server's pace
PACED_SECONDS = 60  # a limit that opens within this is waited for
OUTBOX_BATCH = 100
KEPT_IN_OUTBOX = "Kept in the outbox."
DATABASE_TRIES = 5


@dataclass(slots=True)
class Report:
    """What a run did. `is_more`: something is still due, and may leave within a minute (`is_paced`)."""

    sent: int = 0
    is_more: bool = False
    is_paced: bool = False
    # Another process keeps connections open, and gives them up after so long.
    wait_seconds: float = 0.0


class Run:
    """One sender's turn at one server: its lanes, its claims, and the one writer of rows."""

    def __init__(
        self,
        server: SmtpServer,
        *,
        claim: str = "",
        limits: Limits | None = None,
        seconds: float = RUN_SECONDS,
    ) -> None:
        self._server = server
        self._claim = claim or claiming.new_claim()
        self._ends_at = time.monotonic() + seconds
        self._renew_at = time.monotonic() + claiming.RENEW_SECONDS
        self._in_hand: dict[UUID, Job] = {}
        # Claimed, but their domain has as many connections as it may.
        self._parked: deque[Job] = deque()
        self._waiting: list[tuple[Ready, float]] = []  # before DATA, since when
        self._in_data: set[UUID] = set()
        self._domains: Counter[str] = Counter()
        self._resting: set[str] = set()  # domains that had enough for this run
        self._refused = 0
        self._look_again_at = self._paced_until = 0.0
        self._is_closed = False
        self._report = Report()
        self.kept = 0  # idle connections that stay open for the next task
        self._lanes = POOL.take(address_of(server))
        self._lanes.most = server.max_connections
        self._lanes.limits = limits or Limits()

    def work(self) -> Report:
        with connection.execute_wrapper(self._then_go_on):
            return self._work()

    def _then_go_on(self, execute: Callable[..., T], sql: str, params: Any, many: bool, context: Any) -> T:
        """A transaction takes longer than a server to answer: lanes need not wait for the end of it."""
        try:
            return execute(sql, params, many, context)
        finally:
            self._lanes.go_on()

    def _work(self) -> Report:
        is_whole = False
        try:
            self._feed()
            while self._in_hand or time.monotonic() < self._paced_until:
                self._absorb(self._lanes.listen(0.1 if self._waiting or not self._in_hand else 0.5))
                self._renew()
                self._feed()
            is_whole = True
        finally:
            self._end(is_whole=is_whole)
        self._report.is_more = Delivery.objects.due().filter(smtp_server=self._server).exists()
        return self._report

    def _end(self, *, is_whole: bool) -> None:
        """Whatever happened, nothing is left waiting for a word."""
        for ready, _since in self._waiting:
            ready.proceed(go=False)
        # Not by one that lost the server: another opens its own beside these.
        is_kept = is_whole and not self._is_closed and not stopping.is_stopping()
        self.kept = POOL.give_back(self._lanes, seconds=KEEP_SECONDS if is_kept else 0)

    # --- feeding -----------------------------------------------------------------------------------

    def _feed(self) -> None:
        if self._must_stop():
            self._paced_until = 0.0
            self._recall()
            return
        room = self._room()
        if room <= 0:
            return
        claim = partial(claiming.claim_due, self._server.pk, claim=self._claim, without=self._full_domains())
        found = self._commit(partial(claim, limit=room))
        if len(found) < room:
            self._look_again_at = time.monotonic() + 0.5
        self._dispatch(found)

    def _must_stop(self) -> bool:
        return self._is_closed or time.monotonic() > self._ends_at or stopping.is_stopping()

    def _room(self) -> int:
        """How many emails to claim now. Asking for each single one would cost more than sending it."""
        now, lanes = time.monotonic(), self._lanes.most
        room = 2 * lanes - len(self._in_hand)
        if room < lanes or now < self._look_again_at:
            return 0
        pace, wait = pacing.room_at(self._server)
        still_to_count = len(self._in_hand) - len(self._in_data)
        self._report.is_paced = pace <= 0 and wait <= PACED_SECONDS
        self._paced_until = min(now + wait, self._ends_at) if self._report.is_paced else 0.0
        if pace <= 0:
            self._look_again_at = now + min(wait, 0.5)
        return int(min(room, pace - still_to_count))

    def _full_domains(self) -> set[str]:
        most = self._server.domain_connections
        full = {domain for domain, number in self._domains.items() if most and number >= most}
        return full | self._resting

    def _dispatch(self, found: Sequence[Delivery]) -> None:
        held = self._commit(partial(leaving.held_back, found))
        for delivery in found:
            if delivery.pk in held:
                self._commit(partial(outcomes.hold_back, delivery, held[delivery.pk], claim=self._claim))
                continue
            message = self._opened(delivery)
            if message is not None:
                job = Job(delivery, with_ascii_domain(self._server.from_email), message)
                self._in_hand[delivery.pk] = job
                self._parked.append(job)
        self._begin()

    def _opened(self, delivery: Delivery) -> bytes | None:
        """The email itself. One that cannot be read any more fails alone."""
        try:
            # Annotated by claim_due.
            if message := decrypt(delivery.sealed).encode():  # type: ignore[attr-defined]
                return message
        except ValueError:
            pass
        reason = "The stored email cannot be read: no key of this installation opens it."
        self._commit(lambda: outcomes.give_up(delivery, reason=reason, claim=self._claim))
        return None

    def _begin(self) -> None:
        """Gives lanes what they may begin; emails to a domain that is busy wait."""
        most, begun, left = self._server.domain_connections, [], deque[Job]()
        for job in self._parked:
            domain = _domain(job)
            if most and self._domains[domain] >= most:
                left.append(job)
                continue
            self._domains[domain] += 1
            begun.append(job)
        self._parked = left
        self._lanes.put(begun)

    def _recall(self) -> None:
        """Takes back what no lane has begun."""
        begun = self._lanes.recall()
        self._domains.subtract(map(_domain, begun))
        back = [job.delivery.pk for job in (*begun, *self._parked)]
        self._parked.clear()
        for pk in back:
            self._in_hand.pop(pk)
        if back:
            self._commit(lambda: claiming.release(back, claim=self._claim))

    # --- what lanes say ------------------------------------------------------------------------------

    def _absorb(self, said: list[Ready | Ended]) -> None:
        now = time.monotonic()
        self._waiting += [(one, now) for one in said if isinstance(one, Ready)]
        ended = [one for one in said if isinstance(one, Ended)]
        if not (self._waiting or ended):
            return
        for one in ended:
            self._in_hand.pop(one.job.delivery.pk, None)
            self._in_data.discard(one.job.delivery.pk)
            self._domains[_domain(one.job)] -= 1
        granted, grants = self._commit(lambda: self._write(ended))
        self._answer(granted, grants, now=now)
        self._notice(ended)
        self._begin()

    def _write(self, ended: list[Ended]) -> tuple[set[UUID], list[Grant]]:
        withdrawn = [one.job.delivery.pk for one in ended if not one.reply and one.error is None]
        finished = [
            Outcome(one.job.delivery, one.reply, one.error) for one in ended if one.reply or one.error
        ]
        claiming.release(withdrawn, claim=self._claim)
        outcomes.settle(finished, claim=self._claim)
        ready = [one for one, _since in self._waiting]
        grants = pacing.take(self._server, [_domain(one.job) for one in ready]) if ready else []
        may = [one.job.delivery.pk for one, grant in zip(ready, grants, strict=True) if grant == Grant.GO]
        return claiming.begin_data(may, claim=self._claim), grants

    def _answer(self, granted: set[UUID], grants: list[Grant], *, now: float) -> None:
        """The word each lane waits for; those for whom the server has no room yet wait a little longer."""
        waiting, self._waiting = self._waiting, []
        self._in_data |= granted
        for (ready, since), grant in zip(waiting, grants, strict=True):
            pk = ready.job.delivery.pk
            may_wait = grant == Grant.SERVER_FULL and now - since < HOLD_SECONDS
            if may_wait and not self._must_stop():
                self._waiting.append((ready, since))
                continue
            if grant == Grant.DOMAIN_FULL:
                self._resting.add(_domain(ready.job))
            ready.proceed(go=pk in granted)

    def _notice(self, ended: list[Ended]) -> None:
        for one in ended:
            self._report.sent += bool(one.reply)
            if one.error is not None and one.error.is_login_refused and not self._is_closed:
                error = one.error
                self._commit(partial(outcomes.pause_server, self._server.pk, error))
                self._is_closed = True
            self._refused = self._refused + 1 if one.never_connected else 0
        self._is_closed = self._is_closed or self._refused >= REFUSED_CONNECTIONS

    def _commit(self, write: Callable[[], T]) -> T:
        """A transaction, tried again when the database is away for a moment: the lanes know what happened."""
        for tries_left in reversed(range(DATABASE_TRIES)):
            try:
                with transaction.atomic():
                    return write()
            except OperationalError:
                if not tries_left or connection.in_atomic_block:
                    raise
                log.warning("The database did not take what was sent; trying again.")
                close_old_connections()
                time.sleep(1)
        raise AssertionError("unreachable")

    def _renew(self) -> None:
        if time.monotonic() < self._renew_at:
            return
        self._renew_at = time.monotonic() + claiming.RENEW_SECONDS
        if not self._commit(partial(claiming.renew, self._server.pk, claim=self._claim)):
            self._is_closed = True  # paused by staff, or taken over while this process slept


def _domain(job: Job) -> str:
    return job.delivery.to_email.rpartition("@")[2].lower()


def send_due(server_id: int | None, *, seconds: float = RUN_SECONDS, limits: Limits | None = None) -> Report:
    """Sends what is due at one server (None: into the outbox) for at most a minute."""
    if server_id is None:
        return fill_outbox(seconds=seconds)
    claim = claiming.new_claim()
    if not claiming.hold_server(server_id, claim=claim):
        return Report(wait_seconds=claiming.seconds_kept(server_id))
    kept = 0
    try:
        claiming.recover_from_others(server_id, claim=claim)
        run = Run(SmtpServer.objects.get(pk=server_id), claim=claim, limits=limits, seconds=seconds)
        try:
            return run.work()
        finally:
            kept = run.kept
    finally:
        claiming.free_server(server_id, claim=claim, kept_seconds=KEEP_SECONDS + 1 if kept else 0)


def fill_outbox(*, seconds: float = RUN_SECONDS) -> Report:
    """The outbox takes every email at once, and keeps it readable."""
    report, ends_at = Report(), time.monotonic() + seconds
    while time.monotonic() < ends_at and not stopping.is_stopping():
        claim = claiming.new_claim()
        found = claiming.claim_due(None, claim=claim, limit=OUTBOX_BATCH)
        if not found:
            return report
        with transaction.atomic():
            report.sent += _into_outbox(found, claim=claim)
    report.is_more = True
    return report


def _into_outbox(found: Sequence[Delivery], *, claim: str) -> int:
    allowed, held = [], leaving.held_back(found)
    for delivery in found:
        if delivery.pk in held:
            outcomes.hold_back(delivery, held[delivery.pk], claim=claim)
        else:
            allowed.append(delivery)
    # A campaign paused since the claim gets its emails back.
    begun = claiming.begin_data([one.pk for one in allowed], claim=claim)
    claiming.release([one.pk for one in allowed if one.pk not in begun], claim=claim)
    return outcomes.mark_all_sent(
        [one for one in allowed if one.pk in begun], reply=KEPT_IN_OUTBOX, claim=claim
    )
