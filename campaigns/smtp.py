"""Connections to SMTP servers: one exchange at a time, every wait bounded, every failure told apart.

The one importer of smtplib. `sendmail()` is not used: where in the exchange a connection breaks decides
whether an email may be sent again.
"""

import re
import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from campaigns.models import SmtpServer

T = TypeVar("T")

MESSAGES_PER_CONNECTION = 100
IDLE_SECONDS = 20
REPLY_BYTES = 16_384  # a reply longer than this is no SMTP server
ENHANCED = re.compile(r"(?:^|\s)([245]\.\d{1,3}\.\d{1,3})(?:\s|$)")
NO_SUCH_USER = re.compile(
    r"user unknown|unknown user|no such (user|recipient|mailbox|address)|does not exist|unknown recipient"
    r"|recipient not found|mailbox (not found|unavailable)|invalid recipient",
    re.I,
)


class Stage(StrEnum):
    """How far an exchange had come."""

    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    AFTER_DOT = "after_dot"


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds each part of an exchange may take altogether, however slowly bytes drip in."""

    connect: float = 8
    envelope: float = 8
    final_reply: float = 24


@dataclass(frozen=True, slots=True)
class Address:
    """All that a connection needs of an SMTP server; two equal ones may share a connection."""

    server_id: int
    host: str
    port: int
    security: str
    username: str
    password: str
    own_name: str

    def __repr__(self) -> str:
        return f"Address({self.host}:{self.port})"


def address_of(server: SmtpServer) -> Address:
    return Address(
        server_id=server.pk,
        host=server.host,
        port=server.port,
        security=server.security,
        username=server.username,
        password=server.password,
        own_name=server.from_email.rpartition("@")[2] or "localhost",
    )


class SmtpError(Exception):
    """An exchange failed at `stage`. `code` is 0 when the server said nothing."""

    def __init__(self, stage: Stage, words: str, *, code: int = 0) -> None:
        super().__init__(words)
        self.stage = stage
        self.code = code
        self.words = f"{code} {words}".strip() if code else words

    @property
    def enhanced(self) -> str:
        found = ENHANCED.search(self.words)
        return found[1] if found else ""

    @property
    def is_permanent(self) -> bool:
        return 500 <= self.code <= 599 and self.stage in (Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.AFTER_DOT)

    @property
    def is_unknown(self) -> bool:
        """The server may have taken the email: it broke off, or spoke nonsense, after the final dot."""
        return self.stage == Stage.AFTER_DOT and not 400 <= self.code <= 599

    @property
    def is_login_refused(self) -> bool:
        """The account at the server is the trouble, not the recipient."""
        refused_at_login = self.stage == Stage.AUTH and 500 <= self.code <= 599
        return refused_at_login or self.code in (530, 534, 535, 538)

    @property
    def is_about_recipient(self) -> bool:
        """Only this address is the trouble, so it says nothing about the campaign or the server."""
        if self.stage != Stage.RCPT:
            return False
        policy = self.enhanced.startswith(("5.7.", "4.7.0"))
        return (self.code in (450, 451, 452) and not policy) or self.is_dead_address

    @property
    def is_dead_address(self) -> bool:
        """A hard bounce: nobody has this address (RFC 3463 5.1.1, 5.1.2, 5.1.10; or in words alone)."""
        if not self.is_permanent or self.stage == Stage.MAIL:
            return False
        if self.enhanced:
            return self.enhanced in ("5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10")
        return self.code in (550, 551, 553) and bool(NO_SUCH_USER.search(self.words))


class _Reply(Exception):  # noqa: N818
    """The server's reply was not the one hoped for."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(words)
        self.code = code
        self.words = words


class _Deadlines:
    """What smtplib lacks: a limit for a whole reply. Its own limit starts anew with every byte."""

    sock: Any
    deadline: float

    def start(self, seconds: float) -> None:
        self.deadline = time.monotonic() + seconds

    def left(self) -> float:
        seconds = self.deadline - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("The server took too long.")
        return seconds

    def send(self, s: bytes | str) -> None:
        if self.sock is None:
            raise smtplib.SMTPServerDisconnected("Not connected.")
        self.sock.settimeout(self.left())
        self.sock.sendall(s.encode("ascii") if isinstance(s, str) else s)

    def getreply(self) -> tuple[int, bytes]:
        buffer, lines = b"", []
        while True:
            line, newline, rest = buffer.partition(b"\n")
            if not newline:
                buffer += self._more(len(buffer))
                continue
            lines.append(line[4:].strip())
            code, buffer = line[:3], rest
            if line[3:4] != b"-" or not code.isdigit():
                break
        # Words beyond the reply would be read as the answer to what we say next, also past STARTTLS.
        if buffer or not code.isdigit():
            raise smtplib.SMTPServerDisconnected("The server's reply is not SMTP.")
        return int(code), b"\n".join(lines)

    def _more(self, have: int) -> bytes:
        if self.sock is None:
            raise smtplib.SMTPServerDisconnected("Not connected.")
        if have > REPLY_BYTES:
            raise smtplib.SMTPServerDisconnected("The server's reply has no end.")
        self.sock.settimeout(self.left())
        more: bytes = self.sock.recv(4096)
        if not more:
            raise smtplib.SMTPServerDisconnected("The server closed the connection.")
        return more


class _Plain(_Deadlines, smtplib.SMTP):  # type: ignore[misc]  # send() takes only what SMTP sends
    pass


class _Tls(_Deadlines, smtplib.SMTP_SSL):  # type: ignore[misc]  # the same
    pass


class Connection:
    """One open connection, for one email at a time: `offer`, then `hand_over`."""

    def __init__(self, address: Address, *, limits: Limits | None = None) -> None:
        self.address = address
        self.limits = limits or Limits()
        self.is_usable = False
        self.sent = 0
        self.used_at = time.monotonic()
        self._client = self._made()

    def _made(self) -> Any:
        name, wait = self.address.own_name, self.limits.connect
        if self.address.security == SmtpServer.Security.TLS:
            client: Any = _Tls(local_hostname=name, timeout=wait, context=ssl.create_default_context())
        else:
            client = _Plain(local_hostname=name, timeout=wait)
        # What certificates are checked against; smtplib sets it only when it connects in its constructor.
        client._host = self.address.host
        return client

    def open(self) -> None:
        """Connects, encrypts, signs in. Raises SmtpError with the stage it failed at."""
        self._client.start(self.limits.connect)
        self._at(Stage.DNS, self._resolve)
        encrypted = self.address.security == SmtpServer.Security.TLS
        self._at(Stage.TLS if encrypted else Stage.CONNECT, self._greet)
        if self.address.security == SmtpServer.Security.STARTTLS:
            self._at(Stage.TLS, self._encrypt)
        if self.address.username:
            self._at(Stage.AUTH, self._sign_in)
        self.is_usable = True

    def _resolve(self) -> None:
        socket.getaddrinfo(self.address.host, self.address.port, type=socket.SOCK_STREAM)

    def _greet(self) -> None:
        self._expect(self._client.connect(self.address.host, self.address.port), 220)
        self._client.ehlo_or_helo_if_needed()

    def _encrypt(self) -> None:
        self._expect(self._client.starttls(context=ssl.create_default_context()), 220)
        self._client.ehlo_or_helo_if_needed()

    def _sign_in(self) -> None:
        self._client.login(self.address.username, self.address.password)

    def offer(self, sender: str, recipient: str) -> None:
        """MAIL and RCPT. Nothing is sent yet."""
        self._client.start(self.limits.envelope)
        self._at(Stage.MAIL, lambda: self._expect(self._client.mail(sender), 250))
        self._at(Stage.RCPT, lambda: self._expect(self._client.rcpt(recipient), 250, 251, 252))

    def hand_over(self, message: bytes) -> str:
        """DATA, the email, the final dot. What the server said. Raises SmtpError; see `is_unknown`."""
        self._client.start(self.limits.envelope)
        self._at(Stage.DATA, lambda: self._expect(self._client.docmd("DATA"), 354))
        # When this fails some of it never left, the final dot among it: the server cannot have taken it.
        self._at(Stage.DATA, lambda: self._client.send(_dotted(message)), closes=True)
        self._client.start(self.limits.final_reply)
        said: str = self._at(Stage.AFTER_DOT, lambda: self._expect(self._client.getreply(), 250))
        self.sent += 1
        self.used_at = time.monotonic()
        if self.sent >= MESSAGES_PER_CONNECTION:
            self.close()
        return said

    def withdraw(self) -> None:
        """Takes an offered email back."""
        self._client.start(self.limits.envelope)
        try:
            self._expect(self._client.docmd("RSET"), 250)
        except (_Reply, smtplib.SMTPException, OSError):
            self.close()

    def close(self) -> None:
        self.is_usable = False
        try:
            self._client.start(0.5)
            self._client.send("QUIT\r\n")
        except (OSError, smtplib.SMTPException):
            pass
        finally:
            self._client.close()

    def _expect(self, reply: tuple[int, bytes], *codes: int) -> str:
        code, words = reply[0], reply[1].decode("utf-8", "replace")
        if code not in codes:
            raise _Reply(code, words)
        return f"{code} {words}"[:500]

    def _at(self, stage: Stage, work: Callable[[], T], *, closes: bool = False) -> T:
        try:
            return work()
        except _Reply as reply:
            error = SmtpError(stage, reply.words[:500], code=reply.code)
        except smtplib.SMTPResponseException as reply:
            error = SmtpError(stage, _words(reply.smtp_error), code=reply.smtp_code)
        except smtplib.SMTPNotSupportedError as problem:
            error = SmtpError(stage, str(problem)[:300], code=504)
        except (smtplib.SMTPException, OSError, ValueError) as problem:
            error, closes = SmtpError(stage, _told(problem)), True
        self._after(error, closes=closes)
        raise error from None

    def _after(self, error: SmtpError, *, closes: bool) -> None:
        is_early = error.stage in (Stage.DNS, Stage.CONNECT, Stage.TLS, Stage.AUTH)
        if closes or is_early or error.code in (0, 421) or error.is_unknown:
            self.close()
        elif self.is_usable:
            self.withdraw()


def _words(said: Any) -> str:
    return (said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said))[:500]


def _told(problem: Exception) -> str:
    if isinstance(problem, TimeoutError):
        return "The server did not answer in time."
    if isinstance(problem, socket.gaierror):
        return "This host name leads nowhere."
    if isinstance(problem, ssl.SSLCertVerificationError):
        return f"The server's certificate is not trusted: {problem.verify_message}."
    if isinstance(problem, ConnectionRefusedError):
        return "The connection was refused."
    return str(problem)[:300] or type(problem).__name__


def _dotted(message: bytes) -> bytes:
    """The email as DATA wants it: leading dots doubled, ended by a line with a dot (RFC 5321 4.5.2)."""
    lines = re.sub(rb"(?m)^\.", b"..", message)
    return lines + (b"" if lines.endswith(b"\r\n") else b"\r\n") + b".\r\n"


class Pool:
    """Open connections nobody uses at the moment, kept from one task of a worker process to the next."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[Connection] = []

    def take(self, address: Address, *, limits: Limits | None = None) -> Connection:
        """An open connection. Raises SmtpError."""
        for kept in self._kept(address):
            if time.monotonic() - kept.used_at < IDLE_SECONDS:
                return kept
            kept.close()
        connection = Connection(address, limits=limits)
        connection.open()
        return connection

    def _kept(self, address: Address) -> "list[Connection]":
        """At most one fresh connection to this address, and before it the stale ones, all taken out."""
        taken: list[Connection] = []
        with self._lock:
            for connection in [one for one in self._idle if one.address == address]:
                self._idle.remove(connection)
                taken.append(connection)
                if time.monotonic() - connection.used_at < IDLE_SECONDS:
                    break
        return taken

    def give_back(self, connection: Connection) -> None:
        if not connection.is_usable:
            return
        connection.used_at = time.monotonic()
        with self._lock:
            self._idle.append(connection)

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def __len__(self) -> int:
        with self._lock:
            return len(self._idle)


POOL = Pool()
