"""What sending knows of SMTP servers: where they are, how long they may take, how an exchange fails.

Where in the exchange a connection breaks decides whether an email may be sent again, so every failure
carries its stage.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum

from django.conf import settings

from campaigns.models import SmtpServer

ENHANCED = re.compile(r"(?:^|\s)([245]\.\d{1,3}\.\d{1,3})(?:\s|$)")
NEEDS_SMTPUTF8 = "5.6.7"  # RFC 6531 3.5: a non-ASCII address that the server does not take
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

    connect: float = field(default_factory=lambda: settings.SMTP_CONNECT_SECONDS)
    envelope: float = field(default_factory=lambda: settings.SMTP_REPLY_SECONDS)
    final_reply: float = field(default_factory=lambda: settings.SMTP_FINAL_SECONDS)


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

    def __init__(self, stage: Stage, words: str, *, code: int = 0, is_closed: bool = False) -> None:
        super().__init__(words)
        self.stage = stage
        self.code = code
        # The server, or the network, ended the connection.
        self.is_closed = is_closed or code == 421
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
        if self.enhanced == NEEDS_SMTPUTF8:
            return True
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
