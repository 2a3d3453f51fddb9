"""Trying an SMTP server outside any queue: for staff who set one up."""

from dataclasses import dataclass

from campaigns.models import SmtpServer
from campaigns.smtp import Connection, Limits, SmtpError, Stage, address_of


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
}


def trial(server: SmtpServer, *, limits: Limits | None = None) -> Trial:
    """Connects and signs in, and sends nothing."""
    connection = Connection(address_of(server), limits=limits)
    try:
        connection.open()
    except SmtpError as error:
        return Trial(error.stage.value, f"{ADVICE.get(error.stage, '')} ({error.words})")
    connection.close()
    return Trial("ok", "Connected and signed in." if server.username else "Connected.")


def send_now(server: SmtpServer, *, recipient: str, message: bytes, limits: Limits | None = None) -> str:
    """Sends one email outside any queue, for tests by staff. Raises SmtpError."""
    connection = Connection(address_of(server), limits=limits)
    connection.open()
    try:
        connection.offer(server.from_email, recipient)
        return connection.hand_over(message)
    finally:
        connection.close()
