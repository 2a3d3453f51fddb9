"""Sections become chunks: passages of a few hundred words that are retrieved and cited whole."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from knowledge.words import count_of

CHUNK_WORDS = 220  # about 300 tokens of a model
OVERLAP_WORDS = 30
CHARACTERS_PER_WORD = 12
# A record is kept whole. Beyond this a model could hardly use it, and each part of it begins with its key.
LONGEST_RECORD_WORDS = 1_000
# Up to so many rows each is a chunk of its own, found and cited by itself. A larger table makes about as
# many chunks, each of several rows.
MOST_LONE_RECORDS = 5_000
CHARACTERS_PER_TERM = 6

SENTENCE_END = re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+|(?<=[。！？])")
PARAGRAPH_END = re.compile(r"\n\s*\n")


@dataclass(frozen=True, slots=True)
class Section:
    """A piece of text and where it is: {"page": 3}, {"row": 12}, {"messages": [4]}.

    A record (a row, an element of a JSON list) is never cut in two, up to LONGEST_RECORD_WORDS. `key` is
    what names it, its first columns, for the parts of a longer one.
    """

    text: str
    locator: dict[str, Any]
    is_record: bool = False
    key: str = ""


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk before it is stored."""

    text: str
    locator: dict[str, Any]


def chunked(sections: Iterable[Section]) -> Iterator[Passage]:
    """The chunks of a document, in order. Sections are never mixed, except rows of one large table."""
    return (passage for passage, _ in chunked_with_progress(list(sections)))


def chunked_with_progress(sections: Sequence[Section]) -> Iterator[tuple[Passage, int]]:
    """Each chunk with how many sections have been read for it."""
    room = _room_for_rows(sections)
    rows: list[Section] = []
    words = 0
    for done, section in enumerate(sections, start=1):
        size = len(section.text) // CHARACTERS_PER_TERM
        if rows and (not _shares_a_chunk(rows[-1], section) or words + size > room):
            yield _of_rows(rows), done - 1
            rows, words = [], 0
        if section.is_record and not _is_too_long(section.text):
            rows.append(section)
            words += size
        else:
            for passage in _of_long_record(section) if section.is_record else _of_prose(section):
                yield passage, done
    if rows:
        yield _of_rows(rows), len(sections)


def _room_for_rows(sections: Sequence[Section]) -> int:
    """How many words of rows share a chunk; fewer than any row has means that none do."""
    records = [len(section.text) for section in sections if section.is_record]
    if len(records) <= MOST_LONE_RECORDS:
        return -1
    return min(CHUNK_WORDS, -(-sum(records) // (CHARACTERS_PER_TERM * MOST_LONE_RECORDS)))


def _is_too_long(text: str) -> bool:
    return len(text) > LONGEST_RECORD_WORDS and length(text) > LONGEST_RECORD_WORDS


def length(text: str) -> int:
    """How many words it has; text without words (base64, one endless line) counts by its characters."""
    return max(count_of(text), len(text) // CHARACTERS_PER_WORD)


def _shares_a_chunk(before: Section, after: Section) -> bool:
    same_sheet = before.locator.get("sheet") == after.locator.get("sheet")
    return after.is_record and same_sheet and "row" in before.locator and "row" in after.locator


def _of_rows(rows: Sequence[Section]) -> Passage:
    locator = dict(rows[0].locator)
    if len(rows) > 1:
        locator["last_row"] = rows[-1].locator["row"]
    return Passage("\n".join(row.text for row in rows), locator)


def _of_long_record(section: Section) -> Iterator[Passage]:
    for passage in _of_prose(section):
        named = not section.key or passage.text.startswith(section.key)
        yield passage if named else Passage(f"{section.key}; {passage.text}", passage.locator)


def _of_prose(section: Section) -> Iterator[Passage]:
    pieces: list[Sized] = []
    fresh = False
    for text in _pieces(section.text):
        piece = Sized(text, length(text))
        if fresh and sum(kept.words for kept in pieces) + piece.words > CHUNK_WORDS:
            yield Passage(_joined(pieces), section.locator)
            pieces = _overlap(pieces)
        pieces.append(piece)
        fresh = True
    if fresh and _joined(pieces).strip():
        yield Passage(_joined(pieces), section.locator)


class Sized(NamedTuple):
    text: str
    words: int


def _joined(pieces: Sequence[Sized]) -> str:
    return "".join(piece.text for piece in pieces).strip()


def _overlap(pieces: Sequence[Sized]) -> list[Sized]:
    """The last sentences, so that a thought that crosses the border is found from both sides."""
    kept: list[Sized] = []
    words = 0
    for piece in reversed(pieces):
        words += piece.words
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
