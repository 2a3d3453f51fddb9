"""What every format gives: pieces of text with their places, or a refusal in words."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

MOST_CHARACTERS = 20_000_000  # of text in one document
MOST_RECORDS = 100_000


class RefusedFile(Exception):  # noqa: N818 (a refusal is an answer)
    """The file itself is at fault; the message tells staff why, and what to do."""


@dataclass(frozen=True, slots=True)
class Piece:
    text: str
    locator: dict[str, Any]
    is_record: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    mime: str
    pieces: list[Piece]
    page_count: int | None = None


def storable(piece: Piece) -> Piece:
    """Without what no database stores: NUL, and half surrogates, which JSON's escapes can smuggle in."""
    locator = {key: clean(value) if isinstance(value, str) else value for key, value in piece.locator.items()}
    return Piece(clean(piece.text), locator, piece.is_record)


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
