"""Sending what is due: by SMTP from rows, or into the embedded outbox. At most once, or shown as unknown."""

import logging
import queue
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID

from django.db import IntegrityError, OperationalError, close_old_connections, connection, transaction

from campaigns import claiming, leaving, outcomes, rendering, stopping
from campaigns.lanes import Ended, Job, Lane, Ready
from campaigns.models import Delivery, EmailEvent, SentText, SmtpServer
from campaigns.outcomes import Outcome
from campaigns.smtp import Limits, address_of
from config.api.ids import uuid7
from crm import consent
from crm.channels import Attachment, Content
from crm.contacts import email_of
from crm.models import Contact
from crm.models.contacts import Channel

log = logging.getLogger(__name__)
T = TypeVar("T")

RUN_SECONDS = 20  # new emails begin this long; with every limit of smtp.Limits spent it ends before 60
RENEW_SECONDS = 5
REFUSED_CONNECTIONS = 3  # in a row, after which a run stops trying
OUTBOX_BATCH = 100
DATABASE_TRIES = 5


@dataclass(slots=True)
class Report:
    """What a run did. `is_more`: something is still due."""

    sent: int = 0
    is_more: bool = False


class Run:
    """One sender's turn at one server: its lanes, its claims, and the one thread that writes rows."""

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
        self._renew_at = time.monotonic() + RENEW_SECONDS
        self._jobs: queue.Queue[Job | None] = queue.Queue()
        self._events: queue.Queue[Ready | Ended] = queue.Queue()
        self._in_hand: dict[UUID, Job] = {}
        self._waiting: list[Ready] = []
        self._refused = 0
        self._look_again_at = 0.0
        self._is_closed = False
        self._report = Report()
        address = address_of(server)
        self._lanes = [
            Lane(address, jobs=self._jobs, events=self._events, limits=limits)
            for _number in range(server.max_connections)
        ]
        self._started = 0

    def work(self) -> Report:
        try:
            self._feed()
            while self._in_hand:
                self._absorb(self._drained())
                self._renew()
                self._feed()
        finally:
            self._end()
        self._report.is_more = Delivery.objects.due().filter(smtp_server=self._server).exists()
        return self._report

    # --- feeding -----------------------------------------------------------------------------------

    def _feed(self) -> None:
        if self._must_stop():
            self._recall()
            return
        room = 2 * len(self._lanes) - len(self._in_hand)
        # Asking the database for each single email would cost more than sending it.
        if room < len(self._lanes) or time.monotonic() < self._look_again_at:
            return
        found = claiming.claim_due(self._server.pk, claim=self._claim, limit=room)
        if len(found) < room:
            self._look_again_at = time.monotonic() + 0.5
        held = leaving.held_back(found)
        for delivery in found:
            self._dispatch(delivery, held.get(delivery.pk))

    def _must_stop(self) -> bool:
        return self._is_closed or time.monotonic() > self._ends_at or stopping.is_stopping()

    def _dispatch(self, delivery: Delivery, held: leaving.Held | None) -> None:
        if held is not None:
            with transaction.atomic():
                outcomes.hold_back(delivery, held, claim=self._claim)
            return
        job = Job(delivery, self._server.from_email, delivery.rendered.encode("ascii"))
        self._in_hand[delivery.pk] = job
        self._jobs.put(job)
        if self._started < min(len(self._in_hand), len(self._lanes)):
            self._lanes[self._started].start()
            self._started += 1

    def _recall(self) -> None:
        """Takes back what no lane has begun."""
        back = []
        while not self._jobs.empty():
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is not None:
                back.append(job.delivery.pk)
                self._in_hand.pop(job.delivery.pk)
        self._commit(lambda: claiming.release(back, claim=self._claim))

    # --- what lanes say ------------------------------------------------------------------------------

    def _drained(self) -> list[Ready | Ended]:
        """All that lanes have said, so that one commit serves them all."""
        try:
            said = [self._events.get(timeout=0.5)]
        except queue.Empty:
            return []
        while not self._events.empty():
            said.append(self._events.get_nowait())
        return said

    def _absorb(self, said: list[Ready | Ended]) -> None:
        if not said:
            return
        self._waiting = [one for one in said if isinstance(one, Ready)]
        ended = [one for one in said if isinstance(one, Ended)]
        for one in ended:
            self._in_hand.pop(one.job.delivery.pk, None)
        granted = self._commit(lambda: self._write(ended))
        waiting, self._waiting = self._waiting, []
        for ready in waiting:
            ready.lane.proceed(ready.job, go=ready.job.delivery.pk in granted)
        self._notice(ended)

    def _write(self, ended: list[Ended]) -> set[UUID]:
        withdrawn = [one.job.delivery.pk for one in ended if not one.reply and one.error is None]
        finished = [
            Outcome(one.job.delivery, one.reply, one.error) for one in ended if one.reply or one.error
        ]
        claiming.release(withdrawn, claim=self._claim)
        outcomes.settle(finished, claim=self._claim)
        return claiming.begin_data([one.job.delivery.pk for one in self._waiting], claim=self._claim)

    def _notice(self, ended: list[Ended]) -> None:
        for one in ended:
            self._report.sent += bool(one.reply)
            if one.error is not None and one.error.is_login_refused:
                outcomes.pause_server(self._server.pk, one.error)
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
        self._renew_at = time.monotonic() + RENEW_SECONDS
        if not claiming.hold_server(self._server.pk, claim=self._claim):
            self._is_closed = True  # paused by staff, or taken over while this process slept

    def _end(self) -> None:
        """Whatever happened, no lane is left waiting for a job or a word."""
        while not self._jobs.empty():
            self._jobs.get_nowait()
        for left in self._waiting:
            left.lane.proceed(left.job, go=False)
        for _lane in self._lanes[: self._started]:
            self._jobs.put(None)
        for lane in self._lanes[: self._started]:
            lane.join(timeout=1 if self._in_hand else 5)


def send_due(server_id: int | None, *, seconds: float = RUN_SECONDS, limits: Limits | None = None) -> Report:
    """Sends what is due at one server (None: into the outbox) for at most a minute."""
    if server_id is None:
        return fill_outbox(seconds=seconds)
    claim = claiming.new_claim()
    if not claiming.hold_server(server_id, claim=claim):
        return Report()
    try:
        server = SmtpServer.objects.get(pk=server_id)
        return Run(server, claim=claim, limits=limits, seconds=seconds).work()
    finally:
        claiming.free_server(server_id, claim=claim)


def fill_outbox(*, seconds: float = RUN_SECONDS) -> Report:
    """The outbox takes every email at once, and keeps it readable."""
    report, ends_at = Report(), time.monotonic() + seconds
    while time.monotonic() < ends_at and not stopping.is_stopping():
        claim = claiming.new_claim()
        found = claiming.claim_due(None, claim=claim, limit=OUTBOX_BATCH)
        if not found:
            return report
        with transaction.atomic():
            held = leaving.held_back(found)
            for delivery in found:
                report.sent += _into_outbox(delivery, held.get(delivery.pk), claim=claim)
    report.is_more = True
    return report


def _into_outbox(delivery: Delivery, held: leaving.Held | None, *, claim: str) -> bool:
    if held is not None:
        outcomes.hold_back(delivery, held, claim=claim)
        return False
    # A campaign paused since the claim gets its email back.
    if delivery.pk not in claiming.begin_data([delivery.pk], claim=claim):
        claiming.release([delivery.pk], claim=claim)
        return False
    return outcomes.mark_sent(delivery, reply="Kept in the outbox.", claim=claim, keep=True)


# --- Single emails, for other apps ----------------------------------------------------------------------


class CannotSendError(Exception):
    """There is no address, or the person must not be written to. `reason` is crm.consent's."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"This person cannot be emailed: {reason}.")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class _Addressed:
    contact: Contact
    email: str
    server: SmtpServer | None
    purpose: str
    key: str
    id: UUID = field(default_factory=uuid7)


class EmailChannel:
    """settings.CHANNELS["email"]: one email to one person, at most once per `key`."""

    def send(
        self,
        contact: Contact,
        *,
        purpose: str,
        content: Content,
        attachments: Sequence[Attachment] = (),
        key: str,
    ) -> Delivery:
        """Queues the email, or puts it into the outbox at once. Raises CannotSendError."""
        kept = Delivery.objects.for_account(contact.account).filter(key=key).first()
        if kept is not None:
            return kept
        email = email_of(contact)
        verdict = consent.may_contact(contact, Channel.EMAIL, purpose, address=email)
        if not verdict.allowed:
            raise CannotSendError(verdict.reason)
        addressed = _Addressed(contact, email, server_of(contact), purpose, key)
        filled = self._filled(addressed, content, attachments)
        try:
            with transaction.atomic():
                return self._kept(addressed, filled)
        except IntegrityError:  # the same key at the same time
            return Delivery.objects.for_account(contact.account).get(key=key)

    def _filled(self, to: _Addressed, content: Content, attachments: Sequence[Attachment]) -> rendering.Email:
        skeleton = rendering.lay_out_content(content, contact=to.contact, server=to.server)
        name = " ".join(to.contact.name.split())
        person = rendering.Person(email=to.email, name=name, link=content.button_url)
        files = [(one.filename, one.mime, one.data) for one in attachments]
        return rendering.fill(skeleton, person, delivery_id=to.id, attachments=files)

    def _kept(self, to: _Addressed, filled: rendering.Email) -> Delivery:
        from campaigns import tasks

        delivery = Delivery.objects.create(
            id=to.id,
            account=to.contact.account,
            contact=to.contact,
            smtp_server=to.server,
            purpose=to.purpose,
            key=to.key,
            to_email=to.email,
            subject=filled.subject,
            message_id=filled.message_id,
            rendered=filled.wire,
            claim="outbox" if to.server is None else "",
            state=Delivery.State.CLAIMED if to.server is None else Delivery.State.QUEUED,
        )
        EmailEvent.objects.create(delivery=delivery, kind=EmailEvent.Kind.QUEUED)
        SentText.objects.create(delivery=delivery, text=filled.kept)
        if to.server is None:
            outcomes.mark_sent(delivery, reply="Kept in the outbox.", claim="outbox", keep=True)
            delivery.refresh_from_db()
        else:
            tasks.send_due.delay_on_commit(to.server.pk)  # type: ignore[attr-defined]
        return delivery


def server_of(contact: Contact) -> SmtpServer | None:
    """The account's server for single emails: the first that is switched on."""
    servers = SmtpServer.objects.for_account(contact.account).filter(is_active=True)
    server: SmtpServer | None = servers.order_by("pk").first()
    return server
