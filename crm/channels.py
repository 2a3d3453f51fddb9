"""How crm and its neighbours act through a higher app: an email, a phone call (settings.CHANNELS)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

from django.conf import settings
from django.utils.module_loading import import_string

from crm.models import Contact


@dataclass(frozen=True, slots=True)
class Content:
    """What to say. A channel takes the parts it can use; `text` alone must be enough."""

    subject: str
    text: str
    html: str = ""
    button_url: str = ""
    button_label: str = ""


@dataclass(frozen=True, slots=True)
class Attachment:
    filename: str
    mime: str
    data: bytes


class UnknownChannel(LookupError):  # noqa: N818
    """No app offers this channel."""


class SendingChannel(Protocol):
    def send(
        self,
        contact: Contact,
        *,
        purpose: str,
        content: Content,
        attachments: Sequence[Attachment] = (),
        key: str,
    ) -> Any:
        """Sends, or queues, at most once per `key`."""
        ...


@lru_cache(maxsize=8)
def _made(path: str) -> SendingChannel:
    sender: SendingChannel = import_string(path)()
    return sender


def channel(name: str) -> SendingChannel:
    path = settings.CHANNELS.get(name)
    if path is None:
        raise UnknownChannel(f"No app offers the channel {name!r}; settings.CHANNELS names them.")
    return _made(path)
