"""Emails that are kept, made readable again: the outbox of an installation without an SMTP server."""

import re
from dataclasses import dataclass
from email import message_from_string, policy
from email.message import EmailMessage

from campaigns.models import Delivery

HREF = re.compile(r'href="(https?://[^"]+)"')


@dataclass(frozen=True, slots=True)
class Readable:
    """The parts of a kept email. All empty when it was cleared after it had been sent."""

    headers: tuple[tuple[str, str], ...] = ()
    text: str = ""
    html: str = ""
    attachments: tuple[str, ...] = ()

    @property
    def links(self) -> list[str]:
        found = re.findall(r"https?://[^\s<>\"]+", self.text) or HREF.findall(self.html)
        return list(dict.fromkeys(found))


def read(delivery: Delivery) -> Readable:
    if not delivery.rendered:
        return Readable()
    message = message_from_string(delivery.rendered, policy=policy.default)
    assert isinstance(message, EmailMessage)
    headers = tuple(
        (name, str(value)) for name, value in message.items() if not name.startswith(("Content", "MIME"))
    )
    attachments = tuple(part.get_filename() or "" for part in message.iter_attachments())
    return Readable(headers, _part(message, "plain"), _part(message, "html"), attachments)


def _part(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    return str(part.get_content()).replace("\r\n", "\n") if part is not None else ""
