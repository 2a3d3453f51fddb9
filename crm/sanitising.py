"""A model's output is untrusted: no HTML, no images, no links but to hosts we allow."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

# A construct left open this long is not one.
LONGEST_OPEN = 600  # characters
_IMAGE = re.compile(r"!\[([^\]]{0,300})\]\([^)]{0,500}\)")
_LINK = re.compile(r"\[([^\]]{1,300})\]\(\s*([^)\s]{1,500})[^)]{0,200}\)")
_TAG = re.compile(r"<(?:/?[a-zA-Z][^<>]{0,500}|!--.{0,500}?--)>", re.DOTALL)
_URL = re.compile(r"\b(?:https?://|www\.|data:|javascript:)[^\s<>\")\]]+", re.IGNORECASE)
# What may still become one of these, at the end of a text.
_OPEN_TAIL = re.compile(
    r"(?:<[a-zA-Z/!][^<>]*|<|!?\[[^\]]*\](?:\([^)]*)?|!?\[[^\]]*|!|\b(?:https?|www|data|javascript)[^\s<>\")\]]*|\b[hwdj][a-z]{0,9})$",
    re.IGNORECASE,
)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069]")


def sanitised(text: str) -> str:
    """Plain text. Link texts stay, addresses go unless their host is ours or in settings.REPLY_LINK_HOSTS."""
    without = _TAG.sub("", _IMAGE.sub(r"\1", _CONTROL.sub("", text)))
    return _URL.sub(_allowed_url, _LINK.sub(_allowed_link, without))


def _allowed_link(match: re.Match[str]) -> str:
    label, address = match.group(1), match.group(2)
    return f"{label} ({address})" if _is_allowed(address) else label


def _allowed_url(match: re.Match[str]) -> str:
    return match.group(0) if _is_allowed(match.group(0)) else "[link removed]"


def _is_allowed(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    hosts = {settings.PUBLIC_HOST, *getattr(settings, "REPLY_LINK_HOSTS", ())}
    return parts.scheme in ("http", "https") and parts.hostname in hosts


@dataclass(slots=True)
class Sieve:
    """The same over a stream: gives out what is certain, and holds back what may become a tag or a link."""

    held: str = ""

    def feed(self, text: str) -> str:
        self.held += text
        tail = _OPEN_TAIL.search(self.held)
        if tail is None or len(tail.group(0)) > LONGEST_OPEN:
            return self.flush()
        ready, self.held = self.held[: tail.start()], self.held[tail.start() :]
        return sanitised(ready)

    def flush(self) -> str:
        ready, self.held = self.held, ""
        return sanitised(ready)
