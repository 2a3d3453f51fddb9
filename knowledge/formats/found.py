"""What every format gives: pieces of text with their places, or a refusal in words."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Any

MOST_CHARACTERS = 20_000_000  # of text in one document
MOST_RECORDS = 100_000


class RefusedFile(Exception):  # noqa: N818 (a refusal is an answer)
    """The file itself is at fault; the message tells staff why, and what to do."""


@dataclass(frozen=True, slots=True)
class Piece:
    text: str
    locator: dict[str, Any]
    is_record: bool = False
    key: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    mime: str
    pieces: list[Piece]
    page_count: int | None = None


@dataclass(slots=True)
class Progress:
    """Tells the parent how far the reader is, a few times a second: lines of "done total unit"."""

    to: IO[str] | None = None
    every_seconds: float = 0.2
    next_at: float = 0.0

    def at(self, done: int, total: int, unit: str) -> None:
        if self.to is None or time.monotonic() < self.next_at:
            return
        self.next_at = time.monotonic() + self.every_seconds
        self.to.write(f"{done} {total} {unit}\n")
        self.to.flush()


PROGRESS = Progress()  # of this process, which reads one file


def counted(pieces: Iterable[Piece], *, total: int, unit: str) -> Iterator[Piece]:
    """The pieces, each of them told as it comes."""
    for done, piece in enumerate(pieces, start=1):
        PROGRESS.at(done, total, unit)
        yield piece


def storable(piece: Piece) -> Piece:
    """Without what no database stores: NUL, and half surrogates, which JSON's escapes can smuggle in."""
    locator = {key: clean(value) if isinstance(value, str) else value for key, value in piece.locator.items()}
    return Piece(clean(piece.text), locator, piece.is_record, clean(piece.key))


def clean(text: str) -> str:
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def bounded(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """The pieces that hold text. Refuses a document with more text or records than anyone can search."""
    characters = records = 0
    for piece in pieces:
        if not piece.text.strip():
            continue
        piece = storable(piece)
        characters += len(piece.text)
        records += piece.is_record
        if characters > MOST_CHARACTERS:
            raise RefusedFile(
                "It holds more than 20 million characters of text. Split it into several files."
            )
        if records > MOST_RECORDS:
            raise RefusedFile("It holds more than 100,000 records. Split it into several files.")
        yield piece
