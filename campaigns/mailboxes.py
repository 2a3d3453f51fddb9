"""Reading a mailbox by IMAP: every message once, its row before anything is made of it.

Messages are found by UID since the last one stored, and the folder is opened for reading only: nothing
there is marked, moved or deleted. A message and the note that it is stored are one transaction.
"""

import imaplib
import logging
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from campaigns import inbound
from campaigns.models import Mailbox
from config.logs import redact

log = logging.getLogger(__name__)

SOCKET_TIMEOUT = 10  # seconds without a byte
RUN_SECONDS = 40  # new messages begin this long
LONGEST_RUN = 55  # seconds after which the connection is cut, whatever it does
LEASE = timedelta(seconds=90)
LONGEST_REST = timedelta(minutes=30)
# A mailbox that is new here is read from this long before; one numbered anew from before its last reading.
BACK = timedelta(days=2)
SIZE = re.compile(rb"RFC822\.SIZE (\d+)")


class MailboxError(Exception):
    """The mailbox cannot be read now. `str()` is for staff and holds no secret."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reading did. `is_more`: messages were left for the next."""

    stored: int = 0
    is_more: bool = False


def read_new(mailbox_id: int, *, seconds: float = RUN_SECONDS) -> Reading:
    """Stores what is new in a mailbox that is due. Two readers at once: the second does nothing."""
    claim = uuid4().hex
    mailbox = _hold(mailbox_id, claim=claim)
    if mailbox is None:
        return Reading()
    try:
        reading = _Reader(mailbox, claim=claim).read(until=time.monotonic() + seconds)
    except MailboxError as error:
        _rest(mailbox, error, claim=claim)
        return Reading()
    next_at = timezone.now() + timedelta(seconds=0 if reading.is_more else settings.MAILBOX_SECONDS)
    _mine(mailbox, claim).update(
        last_read_at=timezone.now(), last_error="", error_streak=0, not_before=next_at, reading_until=None
    )
    return reading


def _hold(mailbox_id: int, *, claim: str) -> Mailbox | None:
    due = Mailbox.objects.due().filter(pk=mailbox_id)
    if not due.update(reading_until=timezone.now() + LEASE, reading_by=claim):
        return None
    mailbox: Mailbox = Mailbox.objects.select_related("account").get(pk=mailbox_id)
    return mailbox


def _mine(mailbox: Mailbox, claim: str) -> "QuerySet[Mailbox]":
    return Mailbox.objects.filter(pk=mailbox.pk, reading_by=claim)


def _rest(mailbox: Mailbox, error: MailboxError, *, claim: str) -> None:
    """The mailbox rests, longer with each failure in a row; staff read why."""
    streak = mailbox.error_streak + 1
    rest = min(timedelta(minutes=2 ** min(streak - 1, 10)), LONGEST_REST)
    log.warning("Mailbox %s cannot be read: %s", mailbox.pk, error)
    _mine(mailbox, claim).update(
        last_error=str(error), error_streak=streak, not_before=timezone.now() + rest, reading_until=None
    )


class _Reader:
    def __init__(self, mailbox: Mailbox, *, claim: str) -> None:
        self.mailbox = mailbox
        self.claim = claim

    def read(self, *, until: float) -> Reading:
        try:
            with _connected(self.mailbox) as server:
                return self._store_new(server, until=until)
        except (imaplib.IMAP4.error, OSError, UnicodeError) as error:
            raise MailboxError(words_of(error)) from error

    def _store_new(self, server: imaplib.IMAP4, *, until: float) -> Reading:
        validity = _examine(server, self.mailbox.folder)
        stored = 0
        for uid in self._new_uids(server, validity):
            if time.monotonic() > until:
                return Reading(stored, is_more=True)
            fetched = _fetch(server, uid)
            if not self._store(fetched, validity=validity, uid=uid):
                return Reading(stored)  # held by another reader now
            stored += fetched is not None
        return Reading(stored)

    def _new_uids(self, server: imaplib.IMAP4, validity: int) -> list[int]:
        """In order. "n:*" always names the last message, also when it is older than n (RFC 3501 6.4.8)."""
        if validity == self.mailbox.uid_validity:
            last = self.mailbox.last_uid
            found = _search(server, f"UID {last + 1}:*")
        else:
            last, since = 0, (self.mailbox.last_read_at or self.mailbox.created_at) - BACK
            found = _search(server, f"SINCE {_day(since)}")
        return sorted(uid for uid in found if uid > last)

    def _store(self, fetched: "_Fetched | None", *, validity: int, uid: int) -> bool:
        """The email, and how far we have read, in one transaction. None: it vanished meanwhile."""
        with transaction.atomic():
            kept = _mine(self.mailbox, self.claim).update(
                uid_validity=validity, last_uid=uid, reading_until=timezone.now() + LEASE
            )
            if kept and fetched is not None:
                inbound.keep(
                    self.mailbox.account,
                    fetched.raw,
                    source="imap",
                    mailbox=self.mailbox,
                    uid_validity=validity,
                    uid=uid,
                    is_cut=fetched.size_bytes > len(fetched.raw),
                )
        return bool(kept)


# --- IMAP ---------------------------------------------------------------------------------------------


class _CutOff:
    """Ends the connection after LONGEST_RUN, whatever it waits for: a server may send a byte a second."""

    sock: socket.socket

    def open(self, *args: Any, **kwargs: Any) -> None:
        self.cut = threading.Timer(LONGEST_RUN, self._end)
        self.cut.daemon = True
        self.cut.start()
        try:
            super().open(*args, **kwargs)  # type: ignore[misc]
        except BaseException:
            self.cut.cancel()
            raise

    def shutdown(self) -> None:
        self.cut.cancel()
        super().shutdown()  # type: ignore[misc]

    def _end(self) -> None:
        # imaplib's own shutdown would wait for the read; that of TLS would let the rest through undecrypted.
        with suppress(OSError, AttributeError):
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)


class _Imap(_CutOff, imaplib.IMAP4):
    pass


class _ImapTls(_CutOff, imaplib.IMAP4_SSL):
    pass


@contextmanager
def _connected(mailbox: Mailbox) -> Iterator[imaplib.IMAP4]:
    """A connection that is logged in."""
    server = _connect(mailbox)
    try:
        _log_in(server, mailbox)
        yield server
    finally:
        with suppress(imaplib.IMAP4.error, OSError):
            server.logout()
        with suppress(OSError):
            server.shutdown()  # logout alone leaves the socket open when the server is gone


def _connect(mailbox: Mailbox) -> _Imap | _ImapTls:
    context = ssl.create_default_context()
    if mailbox.security == Mailbox.Security.TLS:
        return _ImapTls(mailbox.host, mailbox.port, ssl_context=context, timeout=SOCKET_TIMEOUT)
    server = _Imap(mailbox.host, mailbox.port, timeout=SOCKET_TIMEOUT)
    if mailbox.security == Mailbox.Security.STARTTLS:
        try:
            _start_tls(server, context)
        except (imaplib.IMAP4.error, OSError, MailboxError):
            with suppress(OSError):
                server.shutdown()
            raise
    return server


def _start_tls(server: imaplib.IMAP4, context: ssl.SSLContext) -> None:
    """Never goes on without it: somebody between us and the server could leave the offer out (RFC 8314)."""
    if "STARTTLS" not in server.capabilities:
        raise MailboxError(
            "The server does not offer STARTTLS, so nothing was said to it. Try TLS, port 993."
        )
    server.starttls(ssl_context=context)


def _log_in(server: imaplib.IMAP4, mailbox: Mailbox) -> None:
    if "AUTH=PLAIN" in server.capabilities:
        secret = f"\0{mailbox.username}\0{mailbox.password}".encode()
        server.authenticate("PLAIN", lambda _challenge: secret)
    else:
        server.login(_quoted(mailbox.username), mailbox.password)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _examine(server: imaplib.IMAP4, folder: str) -> int:
    """Opens the folder for reading only; its UIDVALIDITY."""
    status, _told = server.select(_quoted(folder), readonly=True)
    _name, told = server.response("UIDVALIDITY")
    if status != "OK" or not told or not told[0]:
        raise MailboxError(f"There is no folder {folder}, or the server does not number its messages.")
    return int(told[0])


def _search(server: imaplib.IMAP4, what: str) -> list[int]:
    status, told = server.uid("SEARCH", what)
    if status != "OK":
        raise MailboxError("The server does not search.")
    return [int(one) for line in told if line for one in line.split() if one.isdigit()]


@dataclass(frozen=True, slots=True)
class _Fetched:
    raw: bytes
    size_bytes: int


def _fetch(server: imaplib.IMAP4, uid: int) -> _Fetched | None:
    """One message, at most INBOUND_MAX_BYTES of it; None when it is gone. PEEK leaves it unread."""
    most = settings.INBOUND_MAX_BYTES
    status, told = server.uid("FETCH", str(uid), f"(RFC822.SIZE BODY.PEEK[]<0.{most}>)")
    if status != "OK":
        raise MailboxError("The server does not give out a message it has named.")
    literals = [one for one in told if isinstance(one, tuple)]
    if not literals:
        return None
    around = b" ".join(piece if isinstance(piece, bytes) else piece[0] for piece in told if piece)
    size = SIZE.search(around)
    raw = literals[0][1][:most]  # some servers give all of it
    return _Fetched(raw, int(size[1]) if size else len(raw))


def _day(at: datetime) -> str:
    """As IMAP writes it, whatever the language of this machine."""
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    return f"{at.day:02}-{months[at.month - 1]}-{at.year}"


def words_of(error: Exception) -> str:
    """What staff read: which part failed, and what the server said."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"The server's certificate is not trusted: {error.verify_message}."
    if isinstance(error, TimeoutError):
        return f"The server did not answer within {SOCKET_TIMEOUT} seconds."
    said = " ".join(str(error).split())
    return redact(said)[:500] or type(error).__name__
