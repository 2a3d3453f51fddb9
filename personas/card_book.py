"""The character book of a card, as we keep one, and back. Pure.

What other programs wrote is read kindly: a number as a text, a field that is missing; an entry that cannot be
one of ours is left in the card.
"""

from collections.abc import Callable, Mapping
from typing import Any

from personas.character_books import (
    AFTER,
    BEFORE,
    ENTRY,
    LARGEST_ORDER,
    LONGEST_CONTENT,
    LONGEST_KEY,
    MOST_BUDGET,
    MOST_CHARACTERS,
    MOST_DEPTH,
    MOST_ENTRIES,
    MOST_KEYS,
    SETTINGS,
)

Spoken = Callable[[str], str]


def book_in(data: Mapping[str, Any], spoken: Spoken) -> tuple[dict[str, Any], int]:
    """Our book, and how many entries are left out. `spoken` makes a text one of ours."""
    given = data.get("character_book")
    rows = given.get("entries") if isinstance(given, dict) else None
    if not isinstance(given, dict) or not isinstance(rows, list):
        return {}, 0
    entries: list[dict[str, Any]] = []
    room = MOST_CHARACTERS
    for row in rows:
        entry = _entry(row, spoken) if len(entries) < MOST_ENTRIES else None
        if entry is not None and len(entry["content"]) <= room:
            room -= len(entry["content"])
            entries.append(entry)
    if not entries:
        return {}, len(rows)
    limits = {"scan_depth": MOST_DEPTH, "token_budget": MOST_BUDGET}
    numbers = {name: _whole(given.get(name), SETTINGS[name], 0, most) for name, most in limits.items()}
    recursive = given.get("recursive_scanning") is True
    return {**numbers, "recursive_scanning": recursive, "entries": entries}, len(rows) - len(entries)


def _entry(row: Any, spoken: Spoken) -> dict[str, Any] | None:
    if not isinstance(row, dict):
        return None
    content = spoken(row["content"]) if isinstance(row.get("content"), str) else ""
    keys = _keys(row.get("keys"), spoken)
    is_constant = row.get("constant") is True
    if not 0 < len(content) <= LONGEST_CONTENT or not (keys or is_constant):
        return None
    orders = {
        name: _whole(row.get(name), ENTRY[name], -LARGEST_ORDER, LARGEST_ORDER)
        for name in ("insertion_order", "priority")
    }
    return {
        "keys": keys,
        "secondary_keys": _keys(row.get("secondary_keys"), spoken),
        "content": content,
        "enabled": row.get("enabled") is not False,
        "constant": is_constant,
        "selective": row.get("selective") is True,
        "case_sensitive": row.get("case_sensitive") is True,
        **orders,
        "position": AFTER if row.get("position") == AFTER else BEFORE,
    }


def _keys(given: Any, spoken: Spoken) -> list[str]:
    """Also where a program wrote them as one text with commas."""
    parts = given.split(",") if isinstance(given, str) else given if isinstance(given, list) else []
    texts = [spoken(one) for one in parts if isinstance(one, str)]
    return [one for one in texts if 0 < len(one) <= LONGEST_KEY][:MOST_KEYS]


def _whole(given: Any, otherwise: int, least: int, most: int) -> int:
    if isinstance(given, bool) or not isinstance(given, int | float):
        return otherwise
    return int(min(max(given, least), most))


def as_card(book: Mapping[str, Any]) -> dict[str, Any]:
    """Of our book, with what the specification asks of every entry."""
    entries = [{"extensions": {}, **ENTRY, **one} for one in book.get("entries") or ()]
    return {"extensions": {}, **SETTINGS, **book, "entries": entries}
