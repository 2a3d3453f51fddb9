"""Frames from a page, read and checked: what is not a frame of the protocol never reaches the talk."""

import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any

LARGEST_FRAME = 64 * 1024  # bytes
FRAMES_A_SECOND = 20
KNOWN = frozenset({"send", "resume", "retry", "stop", "ping"})


class BadFrame(ValueError):  # noqa: N818
    """Not a JSON object with a known type."""


class BadField(ValueError):  # noqa: N818
    """A known frame with a field that is wrong; its text is for people."""


def parse(text: str) -> dict[str, Any]:
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError):
        raise BadFrame("A frame is a JSON object.") from None
    if not isinstance(frame, dict) or not isinstance(frame.get("type"), str) or frame["type"] not in KNOWN:
        raise BadFrame("A frame is a JSON object whose type is one of: send, resume, retry, stop, ping.")
    return frame


def text_of(frame: dict[str, Any], name: str, *, required: bool = False, longest: int = 64) -> str:
    value = frame.get(name)
    if value is None and not required:
        return ""
    if isinstance(value, str):
        # JSON can name halves of characters, which cannot be sent back, and NUL, which cannot be stored.
        value = value.encode("utf-8", "ignore").decode().replace("\x00", "")
    if not isinstance(value, str) or len(value) > longest or (required and not value.strip()):
        raise BadField(f"`{name}` is a text of at most {longest} characters.")
    return value


def whole_of(frame: dict[str, Any], name: str) -> int:
    value = frame.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**31:
        raise BadField(f"`{name}` is a whole number from 0.")
    return value


@dataclass(slots=True)
class Pace:
    """How many frames came in the last second, of one connection."""

    most: int = FRAMES_A_SECOND
    times: deque[float] = field(default_factory=deque)

    def is_too_fast(self, now: float) -> bool:
        self.times.append(now)
        while self.times and now - self.times[0] > 1:
            self.times.popleft()
        return len(self.times) > self.most
