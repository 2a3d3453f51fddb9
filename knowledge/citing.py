"""Citations: numbers in an answer that lead to the very place a passage came from."""

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.urls import NoReverseMatch, reverse

from knowledge.search import Passage

MARK = re.compile(r"[ \t]?\[[\s,;]*(\d{1,9}(?:[\s,;]+\d{1,9})*)[\s,;]*\]")
# What may still become a mark when the next piece comes.
BEGUN = re.compile(r"[ \t]?(?:\[[\d\s,;]{0,40})?\Z")


class CitationFilter:
    """Lets an answer through piece by piece, without the numbers that were not retrieved.

    A mark may arrive in pieces ("[", "1", "]"), so its beginning is held back until it is whole.
    """

    def __init__(self, numbers: Sequence[int]) -> None:
        self._allowed = frozenset(numbers)
        self._held = ""
        self.cited: list[int] = []

    def feed(self, piece: str) -> str:
        text = self._checked(self._held + piece)
        begun = BEGUN.search(text)
        cut = begun.start() if begun else len(text)
        self._held = text[cut:]
        return text[:cut]

    def finish(self) -> str:
        held, self._held = self._held, ""
        return held

    def _checked(self, text: str) -> str:
        # Taking a number out can leave another mark behind: "[[7]7]".
        while (checked := MARK.sub(self._kept, text)) != text:
            text = checked
        return text

    def _kept(self, mark: re.Match[str]) -> str:
        kept = [number for number in map(int, re.findall(r"\d+", mark.group(1))) if number in self._allowed]
        self.cited += [number for number in kept if number not in self.cited]
        space = mark.group()[0] if mark.group()[0] in " \t" else ""
        return space + "".join(f"[{number}]" for number in kept) if kept else ""


def citation(passage: Passage) -> dict[str, Any]:
    """What a reader of the answer gets for a number."""
    return {
        "number": passage.number,
        "document": passage.title,
        "document_id": str(passage.document_id),
        "chunk_id": passage.chunk_id,
        "text": passage.text,
        "locator": dict(passage.locator),
        "place": place_in_words(passage.locator),
        "url": url_of(passage),
    }


def url_of(passage: Passage) -> str:
    """Where the passage can be read: the talk at its message, else the document at its passage."""
    if passage.origin_link and passage.origin_id:
        try:
            path = reverse(passage.origin_link, args=[passage.origin_id])
        except NoReverseMatch:
            pass  # the app that gave it is not installed, or has renamed its page
        else:
            seq = message_of(passage.locator)
            return f"{path}?{urlencode({'message': seq})}" if seq is not None else path
    path = reverse("admin:knowledge_document_passage", args=[passage.document_id])
    return f"{path}?{urlencode({'chunk': passage.chunk_id})}#chunk-{passage.chunk_id}"


def message_of(locator: Any) -> int | None:
    """The message that is named; of several the first."""
    seqs = [locator.get("message"), *locator.get("messages", [])]
    return next((seq for seq in seqs if isinstance(seq, int)), None)


def place_in_words(locator: Any) -> str:
    """ "page 3", "rows 2–5", "message 4"; empty when there is no more to say than the document."""
    if "page" in locator:
        return f"page {locator['page']}"
    if "row" in locator:
        last = locator.get("last_row")
        rows = f"rows {locator['row']}–{last}" if last else f"row {locator['row']}"
        return f"{locator['sheet']}, {rows}" if "sheet" in locator else rows
    seq = message_of(locator)
    if seq is not None:
        return f"message {seq}"
    return str(locator.get("heading", ""))
