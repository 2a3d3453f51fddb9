"""One open connection to an SMTP server, for one email at a time: `offer`, then `hand_over`.

A client of our own, not aiosmtplib: an email stops between RCPT and DATA until its row says so, a limit
holds for a whole exchange and not for each byte, and MAIL and RCPT travel together where the server
offers PIPELINING (RFC 2920).
"""

import asyncio
import base64
import hmac
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

from campaigns.models import SmtpServer
from campaigns.smtp import NEEDS_SMTPUTF8, Address, Limits, SmtpError, Stage
from campaigns.smtp_wire import Reply, Wire, WireLost

T = TypeVar("T")
BARE_LINE_FEED = re.compile(rb"(?<!\r)\n")
EARLY = (Stage.DNS, Stage.CONNECT, Stage.TLS, Stage.AUTH)
LEAVE_SECONDS = 1.0  # a server that does not say farewell is not waited for longer
Resolved = Sequence[tuple[Any, ...]]
Resolver = Callable[[], Awaitable[Resolved]]


class _Refused(Exception):  # noqa: N818
    def __init__(self, reply: Reply) -> None:
        super().__init__(str(reply))
        self.reply = reply


class Connection:
    def __init__(
        self, address: Address, *, limits: Limits, context: ssl.SSLContext, resolve: Resolver | None = None
    ) -> None:
        self.address = address
        self.limits = limits
        self.sent = 0
        self._context = context
        self._resolve = resolve or self._look_up
        self._loop = asyncio.get_running_loop()
        self._wire = Wire(self._loop)
        self._features: dict[str, str] = {}
        self._is_ready = False

    @property
    def is_usable(self) -> bool:
        return self._is_ready and self._wire.is_open and self._wire.is_quiet

    # --- opening ------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Connects, encrypts, signs in. Raises SmtpError with the stage it failed at."""
        ends_at = self._loop.time() + self.limits.connect
        found = await self._at(Stage.DNS, self._within(ends_at, self._resolve()))
        sock = await self._at(Stage.CONNECT, self._within(ends_at, self._connected(found)))
        self._wire.allow(ends_at - self._loop.time())
        is_tls = self.address.security == SmtpServer.Security.TLS
        await self._at(Stage.TLS if is_tls else Stage.CONNECT, self._within(ends_at, self._begun(sock)))
        await self._at(Stage.CONNECT, self._greeted())
        if self.address.security == SmtpServer.Security.STARTTLS:
            await self._at(Stage.TLS, self._within(ends_at, self._encrypted(ends_at)))
        if self.address.username:
            await self._at(Stage.AUTH, self._signed_in())
        self._is_ready = True

    async def _within(self, ends_at: float, work: Awaitable[T]) -> T:
        async with asyncio.timeout_at(ends_at):
            return await work

    async def _look_up(self) -> Resolved:
        return await self._loop.getaddrinfo(self.address.host, self.address.port, type=socket.SOCK_STREAM)

    async def _connected(self, found: Resolved) -> socket.socket:
        """A socket to the first of its addresses that answers."""
        trouble: OSError | None = None
        for family, kind, protocol, _name, where in found:
            sock = socket.socket(family, kind, protocol)
            try:
                sock.setblocking(False)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                await self._loop.sock_connect(sock, where)
                return sock
            except OSError as error:
                sock.close()
                trouble = error
            except BaseException:
                sock.close()
                raise
        raise trouble or OSError("This host name has no address.")

    async def _begun(self, sock: socket.socket) -> None:
        encrypted: dict[str, Any] = {}
        if self.address.security == SmtpServer.Security.TLS:
            encrypted = {"ssl": self._context, "server_hostname": self.address.host}
        await self._loop.create_connection(lambda: self._wire, sock=sock, **encrypted)

    async def _greeted(self) -> None:
        self._expect(await self._wire.reply(), 220)
        await self._introduce()

    async def _introduce(self) -> None:
        name = self.address.own_name.encode("idna" if not self.address.own_name.isascii() else "ascii")
        reply = await self._ask(b"EHLO " + name)
        if 500 <= reply.code <= 504:
            self._expect(await self._ask(b"HELO " + name), 250)
            self._features = {}
            return
        self._expect(reply, 250)
        words = (line.partition(" ") for line in reply.words.replace("=", " ").split("\n")[1:])
        self._features = {}
        for name_of, _space, rest in words:
            known = self._features.get(name_of.upper(), "")
            self._features[name_of.upper()] = f"{known} {rest.strip().upper()}".strip()

    async def _encrypted(self, ends_at: float) -> None:
        if "STARTTLS" not in self._features:
            raise _Refused(Reply(504, "The server offers no STARTTLS."))
        self._expect(await self._ask(b"STARTTLS"), 220)
        await self._wire.encrypt(
            self._context, self.address.host, seconds=max(0.01, ends_at - self._loop.time())
        )
        await self._introduce()

    async def _signed_in(self) -> None:
        offered = self._features.get("AUTH", "").split()
        ways = {"PLAIN": self._plain, "LOGIN": self._login, "CRAM-MD5": self._cram_md5}
        # In the clear, the way that does not show the password comes first.
        is_clear = self.address.security == SmtpServer.Security.NONE
        order = ["CRAM-MD5", "PLAIN", "LOGIN"] if is_clear else ["PLAIN", "LOGIN", "CRAM-MD5"]
        way = next((ways[name] for name in order if name in offered), None)
        if way is None:
            raise _Refused(Reply(504, "The server offers no way to sign in that we know."))
        self._expect(await way(), 235, 503)

    async def _plain(self) -> Reply:
        words = f"\0{self.address.username}\0{self.address.password}".encode()
        return await self._ask(b"AUTH PLAIN " + base64.b64encode(words))

    async def _login(self) -> Reply:
        self._expect(await self._ask(b"AUTH LOGIN"), 334)
        self._expect(await self._ask(base64.b64encode(self.address.username.encode())), 334)
        return await self._ask(base64.b64encode(self.address.password.encode()))

    async def _cram_md5(self) -> Reply:
        challenge = await self._ask(b"AUTH CRAM-MD5")
        self._expect(challenge, 334)
        asked = base64.b64decode(challenge.words)
        proof = hmac.new(self.address.password.encode(), asked, "md5").hexdigest()
        return await self._ask(base64.b64encode(f"{self.address.username} {proof}".encode()))

    # --- one email ----------------------------------------------------------------------------------

    async def offer(self, sender: str, recipient: str, *, size: int = 0) -> None:
        """MAIL and RCPT. Nothing is sent yet. Raises SmtpError."""
        options = self._options(sender + recipient, size=size)
        mail = f"MAIL FROM:<{sender}>{options}".encode()
        rcpt = f"RCPT TO:<{recipient}>".encode()
        self._wire.allow(self.limits.envelope)
        if "PIPELINING" in self._features:
            await self._at(Stage.MAIL, self._say(mail + b"\r\n" + rcpt))
            await self._at(Stage.MAIL, self._heard(250))
            await self._at(Stage.RCPT, self._heard(250, 251, 252))
        else:
            await self._at(Stage.MAIL, self._told(mail, 250))
            await self._at(Stage.RCPT, self._told(rcpt, 250, 251, 252))

    def _options(self, addresses: str, *, size: int) -> str:
        options = f" SIZE={size}" if size and "SIZE" in self._features else ""
        if addresses.isascii():
            return options
        if "SMTPUTF8" not in self._features:
            words = f"{NEEDS_SMTPUTF8} This server takes no addresses with letters beyond ASCII (SMTPUTF8)."
            raise SmtpError(Stage.RCPT, words, code=553)
        return f"{options} SMTPUTF8 BODY=8BITMIME"

    async def hand_over(self, message: bytes) -> str:
        """DATA, the email, the final dot. What the server said. Raises SmtpError; see `is_unknown`."""
        self._wire.allow(self.limits.envelope)
        await self._at(Stage.DATA, self._told(b"DATA", 354))
        # When this fails some of it never left, the final dot among it: the server cannot have taken it.
        await self._at(Stage.DATA, self._poured(_dotted(message)), closes=True)
        self._wire.allow(self.limits.final_reply)
        said = await self._at(Stage.AFTER_DOT, self._heard(250))
        self.sent += 1
        return str(said)

    async def _poured(self, content: bytes) -> None:
        self._wire.send(content)
        if not await self._wire.flushed():
            raise _Refused(await self._wire.reply())

    async def try_sender(self, sender: str) -> None:
        """Whether the server takes email from this address. Raises SmtpError."""
        self._wire.allow(self.limits.envelope)
        await self._at(Stage.MAIL, self._told(f"MAIL FROM:<{sender}>".encode(), 250))
        await self.withdraw()

    async def withdraw(self) -> None:
        """Takes an offered email back."""
        self._wire.allow(self.limits.envelope)
        try:
            self._expect(await self._ask(b"RSET"), 250)
        except (_Refused, WireLost):
            self.close()

    def close(self) -> None:
        self._is_ready = False
        self._wire.close(last_words=b"QUIT\r\n")

    def abort(self) -> None:
        self._is_ready = False
        self._wire.abort()

    @property
    def has_ended(self) -> bool:
        return self._wire.has_ended

    async def ended(self) -> None:
        await self._wire.ended()

    # --- replies and errors -------------------------------------------------------------------------

    async def _say(self, words: bytes) -> None:
        self._wire.send(words + b"\r\n")

    async def _ask(self, words: bytes) -> Reply:
        self._wire.send(words + b"\r\n")
        return await self._wire.reply()

    async def _told(self, words: bytes, *codes: int) -> Reply:
        self._wire.send(words + b"\r\n")
        return self._expect(await self._wire.reply(), *codes)

    async def _heard(self, *codes: int) -> Reply:
        return self._expect(await self._wire.reply(), *codes)

    def _expect(self, reply: Reply, *codes: int) -> Reply:
        if reply.code not in codes:
            raise _Refused(reply)
        return reply

    async def _at(self, stage: Stage, work: Awaitable[T], *, closes: bool = False) -> T:
        try:
            return await work
        except _Refused as refused:
            error = SmtpError(stage, refused.reply.words[:500], code=refused.reply.code)
        except WireLost as lost:
            code = lost.reply.code if lost.reply else 0
            words = lost.reply.words if lost.reply else str(lost)
            error, closes = SmtpError(stage, words[:500], code=code, is_closed=lost.is_closed), True
        except (OSError, TimeoutError, ValueError) as problem:
            error, closes = SmtpError(stage, _in_words(problem)), True
        await self._after(error, closes=closes)
        raise error from None

    async def _after(self, error: SmtpError, *, closes: bool) -> None:
        if closes or error.stage in EARLY or error.code in (0, 421) or error.is_unknown:
            self.close()
        elif self._is_ready:
            await self._clear(error)

    async def _clear(self, error: SmtpError) -> None:
        """The connection after a refusal: the reply to RCPT is read, and the exchange is begun anew."""
        if error.stage == Stage.MAIL and "PIPELINING" in self._features:
            try:
                await self._wire.reply()
            except WireLost:
                self.close()
                return
        await self.withdraw()


async def leave(connections: Iterable[Connection], *, seconds: float = LEAVE_SECONDS) -> None:
    """Closes them all, politely for so long, and returns when no socket is left open."""
    leaving = list(connections)
    for connection in leaving:
        connection.close()
    everybody = asyncio.gather(*(one.ended() for one in leaving))
    try:
        await asyncio.wait_for(everybody, seconds)
    except TimeoutError:
        for connection in leaving:
            connection.abort()
        await asyncio.gather(*(one.ended() for one in leaving))


def _in_words(problem: Exception) -> str:
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
    if message.count(b"\n") != message.count(b"\r\n"):
        # A bare line feed ends a line for some servers only: a dot after it could end the email.
        message = BARE_LINE_FEED.sub(b"\r\n", message)
    lines = message.replace(b"\r\n.", b"\r\n..")
    start = b"." if lines.startswith(b".") else b""
    return start + lines + (b"" if lines.endswith(b"\r\n") else b"\r\n") + b".\r\n"
