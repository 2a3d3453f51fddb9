"""An SMTP server that does what a test scripts: takes email, or breaks off wherever it is told to.

    with SmtpSink(Script(at_rcpt=["450 4.2.0 later"])) as sink:
        ...
        sink.received  # the emails it said 250 to, or took before it broke off

Each list holds replies for the first, second … time its moment comes; then the ordinary reply. A reply
may also be DROP (close the connection) or HANG (say nothing).
"""

import asyncio
import contextlib
import threading
import time
from dataclasses import dataclass, field
from email import message_from_bytes, policy

DROP = "drop"
HANG = "hang"


@dataclass
class Script:
    greeting: list = field(default_factory=list)
    at_auth: list = field(default_factory=list)
    at_mail: list = field(default_factory=list)
    at_rcpt: list = field(default_factory=list)
    at_data: list = field(default_factory=list)
    after_dot: list = field(default_factory=list)
    # 421 in the place of MAIL's reply once a connection has taken so many emails.
    close_after: int = 0
    # Every reply, one byte at a time with this many seconds between.
    seconds_per_byte: float = 0
    # Seconds before each reply: a round trip.
    delay: float = 0
    offers_auth: bool = False
    # What EHLO offers: "PIPELINING", "SIZE 1000" …
    offers: list = field(default_factory=list)
    # DROP or HANG while the email is being sent, before its final dot is read.
    in_body: list = field(default_factory=list)


@dataclass
class Received:
    sender: str
    recipient: str
    content: bytes
    at: float = field(default_factory=time.monotonic)

    @property
    def message(self):
        return message_from_bytes(self.content, policy=policy.default)


class SmtpSink:
    def __init__(self, script=None, *, port=0):
        self.script = script or Script()
        self.received = []
        self.connections = 0
        self.most_at_once = 0
        self.commands = []
        self.port = port
        self._open = 0
        self._tasks = set()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        assert self._started.wait(5)
        return self

    def __exit__(self, *exc):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(5)

    def _run(self):
        asyncio.run(self._serve())

    async def _serve(self):
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, backlog=500)
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._stop.wait()
        server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader, writer):
        task = asyncio.current_task()
        self._tasks.add(task)
        self.connections += 1
        self._open += 1
        self.most_at_once = max(self.most_at_once, self._open)
        try:
            with contextlib.suppress(
                ConnectionError, asyncio.IncompleteReadError, _DroppedError, asyncio.CancelledError
            ):
                await _Session(self, reader, writer).talk()
        finally:
            self._open -= 1
            writer.transport.abort()
            self._tasks.discard(task)


class _DroppedError(Exception):
    pass


class _Session:
    def __init__(self, sink, reader, writer):
        self.sink, self.script = sink, sink.script
        self.reader, self.writer = reader, writer
        self.sender = self.recipient = ""
        self.taken = 0

    async def talk(self):
        await self.say("greeting", "220 sink ready")
        while line := await self.reader.readline():
            text = line.decode("latin1").strip()
            self.sink.commands.append(text)
            verb, _, rest = text.partition(" ")
            command = getattr(self, f"do_{verb.lower()}", None)
            await (command(rest) if command else self.reply("502 5.5.1 what?"))

    async def say(self, moment, ordinary):
        """The scripted reply of this moment, else the ordinary one; what was said."""
        planned = getattr(self.script, moment)
        reply = planned.pop(0) if planned else ordinary
        if reply == HANG:
            await asyncio.sleep(3600)
        if reply == DROP:
            raise _DroppedError
        await self.reply(reply)
        return reply

    async def reply(self, text):
        if self.script.delay:
            await asyncio.sleep(self.script.delay)
        wire = (text.replace("\n", "\r\n") + "\r\n").encode()
        for piece in [wire] if not self.script.seconds_per_byte else [bytes([one]) for one in wire]:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(self.script.seconds_per_byte)

    async def do_ehlo(self, rest):
        offers = [*self.script.offers, *(["AUTH PLAIN LOGIN"] if self.script.offers_auth else [])]
        lines = ["sink", *offers]
        await self.reply("\n".join(f"250{' ' if line is lines[-1] else '-'}{line}" for line in lines))

    do_helo = do_ehlo

    async def do_auth(self, rest):
        await self.say("at_auth", "235 2.7.0 welcome")

    async def do_mail(self, rest):
        if self.script.close_after and self.taken >= self.script.close_after:
            await self.reply("421 4.3.2 enough for this connection")
            raise _DroppedError
        self.sender = rest.partition(":")[2].split()[0].strip("<>")
        await self.say("at_mail", "250 2.1.0 ok")

    async def do_rcpt(self, rest):
        self.recipient = rest.partition(":")[2].split()[0].strip("<>")
        await self.say("at_rcpt", "250 2.1.5 ok")

    async def do_data(self, rest):
        if not (await self.say("at_data", "354 go on")).startswith("354"):
            return
        if self.script.in_body:
            await self.say("in_body", "")
        lines = []
        while (line := await self.reader.readline()) != b".\r\n":
            if not line:
                return
            lines.append(line[1:] if line.startswith(b".") else line)
        email = Received(self.sender, self.recipient, b"".join(lines))
        planned = self.script.after_dot[0] if self.script.after_dot else "250"
        # A server that breaks off after the dot may have taken the email; one that says no has not.
        if planned in (DROP, HANG) or planned.startswith("250"):
            self.sink.received.append(email)
            self.taken += 1
        await self.say("after_dot", "250 2.0.0 taken")

    async def do_rset(self, rest):
        await self.reply("250 2.0.0 ok")

    async def do_noop(self, rest):
        await self.reply("250 2.0.0 ok")

    async def do_quit(self, rest):
        await self.reply("221 2.0.0 bye")
        raise _DroppedError
