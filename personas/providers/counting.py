"""Tokens of calls whose answer has no place for them (vectors), told to whoever counts the call."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class Tally:
    """None while the vendor has said nothing."""

    tokens: int | None = None


_tally: ContextVar[Tally | None] = ContextVar("rapport_provider_tokens", default=None)


def note_tokens(count: object) -> None:
    """A vendor's module calls it with what the vendor says; anything but a count is passed over."""
    tally = _tally.get()
    if tally is not None and isinstance(count, int) and count >= 0:
        tally.tokens = (tally.tokens or 0) + count


@contextmanager
def counted() -> Iterator[Tally]:
    """Adds up what is noted inside, in this task."""
    tally = Tally()
    token = _tally.set(tally)
    try:
        yield tally
    finally:
        _tally.reset(token)
