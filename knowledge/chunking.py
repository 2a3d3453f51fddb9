"""Sections become chunks: passages of a few hundred words that are retrieved and cited whole."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from knowledge.words import terms_of

CHUNK_WORDS = 220  # about 300 tokens of a model
OVERLAP_WORDS = 30
CHARACTERS_PER_WORD = 12
# A record is kept whole. Beyond this it could not be given to a model, and it is treated as prose.
LONGEST_RECORD_WORDS = 2_000

SENTENCE_END = re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+|(?<=[。！？])")
PARAGRAPH_END = re.compile(r"\n\s*\n")


@dataclass(frozen=True, slots=True)
class Section:
    """A piece of text and where it is: {"page": 3}, {"row": 12}, {"messages": [4]}.

    A record (a row, an element of a JSON list) is never cut in two; short neighbours share a chunk.
    """

    text: str
    locator: dict[str, Any]
    is_record: bool = False


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk before it is stored."""

    text: str
    locator: dict[str, Any]


def chunked(sections: Iterable[Section]) -> Iterator[Passage]:
    """The chunks of a document, in order. Sections are never mixed, except rows of one table."""
    rows: list[Section] = []
    words = 0
    for section in sections:
        size = length(section.text)
        if rows and (not _shares_a_chunk(rows[-1], section) or words + size > CHUNK_WORDS):
            yield _of_rows(rows)
            rows, words = [], 0
        if section.is_record and size <= LONGEST_RECORD_WORDS:
            rows.append(section)
            words += size
        else:
            yield from _of_prose(section)
    if rows:
        yield _of_rows(rows)


def length(text: str) -> int:
    """How many words it has; text without words (base64, one endless line) counts by its characters."""
    return max(len(terms_of(text)), len(text) // CHARACTERS_PER_WORD)


def _shares_a_chunk(before: Section, after: Section) -> bool:
    same_sheet = before.locator.get("sheet") == after.locator.get("sheet")
    return after.is_record and same_sheet and "row" in before.locator and "row" in after.locator


def _of_rows(rows: Sequence[Section]) -> Passage:
    locator = dict(rows[0].locator)
    if len(rows) > 1:
        locator["last_row"] = rows[-1].locator["row"]
    return Passage("\n".join(row.text for row in rows), locator)


def _of_prose(section: Section) -> Iterator[Passage]:
    pieces: list[str] = []
    words = 0
    fresh = False
    for piece in _pieces(section.text):
        size = length(piece)
        if fresh and words + size > CHUNK_WORDS:
            yield Passage(_joined(pieces), section.locator)
            pieces = _overlap(pieces)
            words = sum(length(kept) for kept in pieces)
        pieces.append(piece)
        words += size
        fresh = True
    if fresh and _joined(pieces).strip():
        yield Passage(_joined(pieces), section.locator)


def _joined(pieces: Sequence[str]) -> str:
    return "".join(pieces).strip()


def _overlap(pieces: Sequence[str]) -> list[str]:
    """The last sentences, so that a thought that crosses the border is found from both sides."""
    kept: list[str] = []
    words = 0
    for piece in reversed(pieces):
        words += length(piece)
        if words > OVERLAP_WORDS:
            break
        kept.insert(0, piece)
    return kept


def _pieces(text: str) -> Iterator[str]:
    """Sentences, each with the white space that follows it; joined they are the text again."""
    for paragraph in _split_after(text, PARAGRAPH_END):
        for sentence in _split_after(paragraph, SENTENCE_END):
            yield from _bounded(sentence)


def _split_after(text: str, border: re.Pattern[str]) -> Iterator[str]:
    start = 0
    for match in border.finditer(text):
        if match.end() > start:
            yield text[start : match.end()]
            start = match.end()
    if start < len(text):
        yield text[start:]


def _bounded(sentence: str) -> Iterator[str]:
    """A sentence, or, when it is longer than a chunk (a table, a base64 line, no full stop), its parts."""
    if len(sentence) <= CHUNK_WORDS or length(sentence) <= CHUNK_WORDS:
        yield sentence
        return
    words = 0
    start = 0
    for match in re.finditer(r"\S{1,200}\s*", sentence):
        words += max(1, length(match.group()))  # a lone dash or bracket also takes room
        if words >= CHUNK_WORDS // 2:
            yield sentence[start : match.end()]
            start, words = match.end(), 0
    if start < len(sentence):
        yield sentence[start:]
