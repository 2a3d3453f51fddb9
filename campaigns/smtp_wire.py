"""One connection as whole SMTP replies: bytes go out, replies come in, and every wait has an end."""

import asyncio
from collections import deque
from dataclasses import dataclass

REPLY_BYTES = 16_384  # a reply longer than this is no SMTP server


@dataclass(frozen=True, slots=True)
class Reply:
    code: int
    words: str

    def __str__(self) -> str:
        return f"{self.code} {self.words}"[:500]


class WireLost(Exception):  # noqa: N818
    """Nothing more can be said or heard on this connection. `reply` is what the server said unasked."""

    def __init__(self, words: str, *, reply: Reply | None = None, is_closed: bool = False) -> None:
        super().__init__(words)
        self.reply = reply
        # It ended, and is not only slow or speaking nonsense.
        self.is_closed = is_closed or (reply is not None and reply.code == 421)


class Wire(asyncio.Protocol):
    """Used by one coroutine at a time. `allow` sets when all waiting ends, however slowly bytes drip in."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._lines: list[bytes] = []
        self._replies: deque[Reply] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._lost: WireLost | None = None
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._is_full = False
        self._ended = asyncio.Event()

    # --- what its user says and hears ---------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        return self._lost is None and self._transport is not None

    @property
    def is_quiet(self) -> bool:
        """Nothing was heard that nobody asked for."""
        return not (self._replies or self._buffer or self._lines)

    def allow(self, seconds: float) -> None:
        self._deadline = self._loop.time() + seconds

    def send(self, data: bytes) -> None:
        """Raises WireLost, also when the server said something unasked: it would be read as our answer."""
        if self._lost is not None and not self._replies:
            raise self._lost
        if not self.is_quiet:
            said = self._replies[0] if self._replies else None
            raise WireLost(str(said) if said else "The server spoke out of turn.", reply=said)
        assert self._transport is not None
        self._transport.write(data)

    async def flushed(self) -> bool:
        """True when all that was sent has left; False when the server answered before."""
        while self._is_full and not self._replies:
            if self._lost is not None:
                raise self._lost
            await self._wait()
        return not self._is_full

    async def reply(self) -> Reply:
        while not self._replies:
            if self._lost is not None:
                raise self._lost
            await self._wait()
        return self._replies.popleft()

    def close(self, *, last_words: bytes = b"") -> None:
        """Ends it, politely where the other side still listens."""
        if self._transport is None or self._transport.is_closing():
            return
        if self._lost is not None or self._is_full:
            self.abort()
            return
        self._lost = WireLost("The connection was closed by us.")
        if self._timer is not None:
            self._timer.cancel()
        self._transport.write(last_words)
        self._transport.close()

    @property
    def has_ended(self) -> bool:
        return self._ended.is_set()

    async def ended(self) -> None:
        """Until the socket is closed: a farewell that is encrypted waits for the other side's."""
        if self._transport is not None:
            await self._ended.wait()

    def abort(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._transport.abort()

    async def encrypt(self, context: object, host: str, *, seconds: float) -> None:
        """STARTTLS: what the server said before the handshake must not count after it (CVE-2011-0411)."""
        if not self.is_quiet:
            raise WireLost("The server spoke before it was encrypted.")
        upgraded = await self._loop.start_tls(
            self._transport,  # type: ignore[arg-type]
            self,
            context,  # type: ignore[arg-type]
            server_hostname=host,
            ssl_handshake_timeout=seconds,
        )
        if upgraded is None:
            raise WireLost("The server closed the connection.", is_closed=True)
        self._over(upgraded)

    # --- what the event loop calls ------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._over(transport)

    def _over(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        # So that pause_writing() says as soon as something has not left.
        transport.set_write_buffer_limits(high=0)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        why = str(exc)[:300] if exc and str(exc) else "The server closed the connection."
        self._lose(WireLost(why, is_closed=True))
        self._ended.set()

    def pause_writing(self) -> None:
        self._is_full = True

    def resume_writing(self) -> None:
        self._is_full = False
        self._wake()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\n")) >= 0:
            line, self._buffer = self._buffer[:end], self._buffer[end + 1 :]
            if not self._take(line):
                return
        if len(self._buffer) + sum(map(len, self._lines)) > REPLY_BYTES:
            self._refuse("The server's reply has no end.")
        self._wake()

    def _take(self, line: bytes) -> bool:
        code = line[:3]
        if not (len(code) == 3 and code.isdigit()):
            self._refuse("The server's reply is not SMTP.")
            return False
        self._lines.append(line[4:].strip())
        if line[3:4] != b"-":
            # A reply is kept in a row, and PostgreSQL stores no NUL.
            words = b"\n".join(self._lines).decode("utf-8", "replace").replace("\0", "")
            self._lines = []
            self._replies.append(Reply(int(code), words))
        return True

    def _refuse(self, why: str) -> None:
        self._lose(WireLost(why))
        self.abort()

    def _lose(self, error: WireLost) -> None:
        if self._lost is None:
            self._lost = error
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _wait(self) -> None:
        """Until something happens. The event loop reads sockets before it looks at timers, so what has
        arrived in time is never called late.
        """
        self._waiter = self._loop.create_future()
        self._watch()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _watch(self) -> None:
        """One timer stands for many waits: it is set anew only when it would ring too late."""
        if self._timer is None or self._timer.when() > self._deadline:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(self._deadline, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._waiter is None or self._waiter.done():
            return
        if self._deadline > self._loop.time():
            self._watch()
            return
        self._lose(WireLost("The server did not answer in time."))
