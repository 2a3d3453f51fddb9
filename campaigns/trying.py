"""Trying an SMTP server outside any queue: for staff who set one up."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from campaigns.models import SmtpServer
from campaigns.smtp import Limits, SmtpError, Stage, address_of
from campaigns.smtp_connection import Connection, leave
from crm.contacts import with_ascii_domain

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of trying a server: the stage that failed, or "ok", and words for staff."""

    stage: str
    words: str

    @property
    def is_ok(self) -> bool:
        return self.stage == "ok"


ADVICE = {
    Stage.DNS: "The host name was not found. Check its spelling.",
    Stage.CONNECT: "The server was not reached. Check host, port and firewall.",
    Stage.TLS: "The connection could not be encrypted. Check the port and the security setting.",
    Stage.AUTH: "The server refused the user name or password.",
    Stage.MAIL: "The server does not take email from this sender's address.",
}


def trial(server: SmtpServer, *, limits: Limits | None = None) -> Trial:
    """Connects, signs in, and asks whether the sender is welcome; sends nothing."""

    async def ask(connection: Connection) -> None:
        await connection.try_sender(with_ascii_domain(server.from_email))

    try:
        _with_connection(server, ask, limits=limits)
    except SmtpError as error:
        return Trial(error.stage.value, f"{ADVICE.get(error.stage, '')} ({error.words})")
    return Trial("ok", "Connected and signed in." if server.username else "Connected.")


def send_now(server: SmtpServer, *, recipient: str, message: bytes, limits: Limits | None = None) -> str:
    """Sends one email outside any queue, for tests by staff. What the server said. Raises SmtpError."""

    async def send(connection: Connection) -> str:
        await connection.offer(with_ascii_domain(server.from_email), recipient, size=len(message))
        return await connection.hand_over(message)

    return _with_connection(server, send, limits=limits)


def _with_connection(
    server: SmtpServer, work: Callable[[Connection], Awaitable[T]], *, limits: Limits | None
) -> T:
    async def run() -> T:
        context = ssl.create_default_context()
        connection = Connection(address_of(server), limits=limits or Limits(), context=context)
        try:
            await connection.open()
            return await work(connection)
        finally:
            await leave([connection])

    return asyncio.run(run())
