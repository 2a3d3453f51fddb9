"""A character book: what a persona knows, told to the model when the talk comes to it. Pure.

An entry is told when one of its `keys` stands in the latest messages (with `selective` also one of its
`secondary_keys`), or always when it is `constant`. Of those the ones of the highest `priority` fit the token
budget first; they are told by `insertion_order`. Rules: the specification of character cards, version 2
(spec_v2.md of malfoyslastname/character-card-spec-v2). Keys are whole words; without spaces between
words, any part.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from personas.tokens import tokens_of
from personas.variables import Values, for_people

MOST_ENTRIES, MOST_KEYS, LONGEST_KEY, LONGEST_CONTENT = 200, 20, 100, 4_000
MOST_CHARACTERS = 200_000  # of all contents together: the book is read with its persona
SCAN_DEPTH, MOST_DEPTH = 4, 40  # messages that are looked at
TOKEN_BUDGET, MOST_BUDGET = 1_000, 4_000
MOST_ROUNDS = 3  # of entries that are found in other entries
LARGEST_ORDER = 1_000_000
BEFORE, AFTER = "before_char", "after_char"
_UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")

Book = Mapping[str, Any]
ENTRY: dict[str, Any] = {
    "keys": [],
    "secondary_keys": [],
    "content": "",
    "enabled": True,
    "constant": False,
    "selective": False,
    "case_sensitive": False,
    "insertion_order": 100,
    "priority": 0,
    "position": BEFORE,
}
SETTINGS: dict[str, Any] = {
    "scan_depth": SCAN_DEPTH,
    "token_budget": TOKEN_BUDGET,
    "recursive_scanning": False,
}


@dataclass(frozen=True, slots=True)
class Told:
    """What joins a prompt before and after what the persona is."""

    before: str = ""
    after: str = ""


# --- Checked when a persona is saved ----------------------------------------------------------


def check_book(value: Any) -> None:
    """Raises ValidationError that says which entry is wrong. An empty object is no book."""
    is_book = isinstance(value, dict) and value.keys() <= {*SETTINGS, "entries"}
    if not is_book or not isinstance(value.get("recursive_scanning", False), bool):
        raise ValidationError(_('Give a book like {"entries": [{"keys": ["lamp"], "content": "…"}]}.'))
    limits = {"scan_depth": MOST_DEPTH, "token_budget": MOST_BUDGET}
    for name, most in limits.items():
        if not _is_whole(value.get(name, 0), least=0, most=most):
            words = _("“%(name)s” must be a whole number from 0 to %(most)d.")
            raise ValidationError(words % {"name": name, "most": most})
    entries = value.get("entries", [])
    if not isinstance(entries, list) or len(entries) > MOST_ENTRIES:
        raise ValidationError(_("A book has at most %(most)d entries.") % {"most": MOST_ENTRIES})
    for number, entry in enumerate(entries, start=1):
        if not _is_entry(entry):
            raise ValidationError(_wrong_entry(number))
    if sum(len(entry["content"]) for entry in entries) > MOST_CHARACTERS:
        raise ValidationError(_("A book has at most %(most)d characters.") % {"most": MOST_CHARACTERS})


def _wrong_entry(number: int) -> str:
    words = _(
        "Entry %(number)d of the book: give “keys” (up to %(keys)d, or “constant”), “content” (up to"
        " %(longest)d characters), and what else an entry has."
    )
    return words % {"number": number, "keys": MOST_KEYS, "longest": LONGEST_CONTENT}


def _is_entry(entry: Any) -> bool:
    if not isinstance(entry, dict) or not entry.keys() <= ENTRY.keys():
        return False
    whole = {**ENTRY, **entry}
    flags = ("enabled", "constant", "selective", "case_sensitive")
    orders = ("insertion_order", "priority")
    return (
        all(isinstance(whole[name], bool) for name in flags)
        and all(_is_whole(whole[name], least=-LARGEST_ORDER, most=LARGEST_ORDER) for name in orders)
        and all(_are_keys(whole[name]) for name in ("keys", "secondary_keys"))
        and _is_text(whole["content"], longest=LONGEST_CONTENT)
        and whole["position"] in (BEFORE, AFTER)
        and bool(whole["keys"] or whole["constant"])
    )


def _are_keys(value: Any) -> bool:
    is_list = isinstance(value, list) and len(value) <= MOST_KEYS
    return is_list and all(_is_text(key, longest=LONGEST_KEY) for key in value)


def _is_text(value: Any, *, longest: int) -> bool:
    """One that every database can keep."""
    if not isinstance(value, str) or not value.strip() or len(value) > longest or "\0" in value:
        return False
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _is_whole(value: Any, *, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


# --- Told to a model --------------------------------------------------------------------------


def told(book: Book, said: Sequence[str], values: Values) -> Told:
    """What of the book belongs to a talk, whose messages come oldest first. Places in it are not filled."""
    given = book.get("entries") or () if isinstance(book, dict) else ()
    entries = [whole for one in given if (whole := {**ENTRY, **one})["enabled"]]
    if not entries:
        return Told()
    settings = {**SETTINGS, **book}
    depth = settings["scan_depth"]
    found = _found(entries, said[-depth:] if depth else (), values, rounds=_rounds(settings))
    kept = _within(found, settings["token_budget"])
    return Told(*("\n".join(_contents(kept, position)) for position in (BEFORE, AFTER)))


def _rounds(settings: Mapping[str, Any]) -> int:
    return MOST_ROUNDS if settings["recursive_scanning"] else 1


def _found(
    entries: Sequence[dict[str, Any]], said: Iterable[str], values: Values, *, rounds: int
) -> list[dict[str, Any]]:
    """In the book's order. In a further round the contents of what was found are looked at."""
    looked_at = list(said)
    found: set[int] = set()
    for number in range(rounds):
        text = "\n".join(looked_at)
        folded = text.casefold()
        new = {
            place
            for place, one in enumerate(entries)
            if place not in found and ((one["constant"] and not number) or _is_met(one, text, folded, values))
        }
        if not new:
            break
        found |= new
        looked_at = [entries[place]["content"] for place in new]
    return [entries[place] for place in sorted(found)]


def _is_met(entry: Mapping[str, Any], text: str, folded: str, values: Values) -> bool:
    def stands(keys: Sequence[str]) -> bool:
        return any(_stands(for_people(key, values), text, folded, entry["case_sensitive"]) for key in keys)

    if not stands(entry["keys"]):
        return False
    return not (entry["selective"] and entry["secondary_keys"]) or stands(entry["secondary_keys"])


def _stands(key: str, text: str, folded: str, is_case_sensitive: bool) -> bool:
    key, where = (key, text) if is_case_sensitive else (key.casefold(), folded)
    # Nearly all keys are not there, which this tells at once.
    return key in where and _pattern(key).search(where) is not None


@lru_cache(maxsize=4_096)
def _pattern(key: str) -> re.Pattern[str]:
    before = r"(?<!\w)" if _is_of_a_word(key[0]) else ""
    after = r"(?!\w)" if _is_of_a_word(key[-1]) else ""
    return re.compile(before + re.escape(key) + after)


def _is_of_a_word(character: str) -> bool:
    is_letter = character.isalnum() or character == "_"
    return is_letter and not unicodedata.name(character, "").startswith(_UNSPACED)


def _within(found: Sequence[dict[str, Any]], budget: int) -> list[dict[str, Any]]:
    """Those that fit, by their place in the prompt."""
    left = budget
    kept = []
    for one in sorted(found, key=lambda entry: (-entry["priority"], entry["insertion_order"])):
        cost = tokens_of(one["content"])
        if cost <= left:
            left -= cost
            kept.append(one)
    return sorted(kept, key=lambda entry: entry["insertion_order"])


def _contents(entries: Iterable[Mapping[str, Any]], position: str) -> list[str]:
    return [one["content"].strip() for one in entries if one["position"] == position]
