"""Lyzr's streams: from bytes to tokens, and from its escapes to plain text, wherever a piece was cut."""

import html
import json
import re
from collections.abc import Iterator
from typing import Any

DONE = "[DONE]"
ERROR = "[ERROR]"
LONGEST_LINE = 1_000_000  # bytes; a line that does not end is no token

# An object in place of plain text holds the words under one of these …
_WORDS = ("content", "delta", "response", "chunk")
# … or is only about the reply. Any other object is what the agent said: it may speak JSON.
_ABOUT = frozenset({"metadata", "trace_id", "message_id", "module_outputs", "session_id", "event", "type"})
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}
_ESCAPED = re.compile(r"""\\([ntr"\\])|(&(?:quot|amp|lt|gt|apos|nbsp|#39|#x27);)""")
# The start of an escape whose rest may come with the next piece.
_MAY_GO_ON = re.compile(r"(?:\\|&[a-z#][a-z0-9]{0,4}|&)\Z")


class ErrorInStream(Exception):  # noqa: N818
    """The vendor says inside its 200 answer that it failed."""


class Lines:
    """Bytes to the values of `data:` lines."""

    def __init__(self) -> None:
        self._rest = b""

    def take(self, piece: bytes) -> Iterator[str]:
        """Those that are whole now. Raises ValueError at the first that is no UTF-8, or does not end."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                # One space after the colon belongs to the format; the token's own are kept.
                yield line[5:].removeprefix(b" ").removesuffix(b"\r").decode()
        if len(self._rest) > LONGEST_LINE:
            raise ValueError("a line does not end")


class Words:
    """The values of `data:` lines to plain text."""

    def __init__(self) -> None:
        self._held = ""

    def take(self, value: str) -> str:
        """What can be shown now. Raises ErrorInStream."""
        if value.startswith(ERROR):
            raise ErrorInStream
        said = _said_in(value)
        if said is not None:
            return self.rest() + said
        text = self._held + value
        cut = _MAY_GO_ON.search(text)
        # A backslash that is itself escaped does not begin anything.
        if cut and not (cut[0] == "\\" and _ends_with_pair(text)):
            self._held = text[cut.start() :]
            return plain(text[: cut.start()])
        self._held = ""
        return plain(text)

    def rest(self) -> str:
        """What was held back and is the agent's own after all."""
        held, self._held = self._held, ""
        return plain(held)


def plain(text: str) -> str:
    """Without the vendor's escapes: `\\n` for a new line, `&quot;` for a mark."""
    return _ESCAPED.sub(lambda found: _ESCAPES[found[1]] if found[1] else html.unescape(found[2]), text)


def _ends_with_pair(text: str) -> bool:
    return (len(text) - len(text.rstrip("\\"))) % 2 == 0


def _said_in(value: str) -> str | None:
    """The words of an object as some of its streams send them; None for plain text. Raises ErrorInStream."""
    if not value.startswith("{"):
        return None
    try:
        found: Any = json.loads(value)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    if "error" in found and found.keys() <= {"error", *_ABOUT}:
        raise ErrorInStream
    words = next((found[name] for name in _WORDS if isinstance(found.get(name), str)), None)
    if words is not None:
        return str(words)
    return "" if found and found.keys() <= _ABOUT else None
