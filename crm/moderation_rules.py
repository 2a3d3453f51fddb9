"""Words and patterns, found in a text in time that grows with its length alone. Pure.

A pattern is a phrase of words; in a word `*` stands for any letters or none and `?` for one. It is no regular
expression, so that no pattern can be a trap: each word of a text is looked up, and compared with few.
Compared is what people see: without case, compatibility forms (NFKC) and invisible characters.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

MOST_PHRASES, MOST_WITH_STARS, LONGEST_PHRASE, MOST_STARS = 500, 20, 100, 3
LONGEST_WORD = 100  # characters of a text's word that are compared
REFUSE, MASK, FLAG = "refuse", "mask", "flag"
_INVISIBLE = "\u00ad\u200b-\u200f\u2060\ufeff"
_WORD = re.compile(rf"[\w{_INVISIBLE}]+")
_HIDDEN = re.compile(f"[{_INVISIBLE}]")
_PATTERN_WORD = re.compile(r"[\w*?]+")

Phrase = tuple[str, ...]


class InvalidPattern(ValueError):  # noqa: N818
    """Its text is for people."""


@dataclass(frozen=True, slots=True)
class Rule:
    name: str
    action: str
    plain: Mapping[str, tuple[Phrase, ...]]  # by their first word
    open: tuple[Phrase, ...]  # those whose first word is open at a place

    @classmethod
    def of(cls, name: str, action: str, phrases: Iterable[Phrase]) -> "Rule":
        plain: dict[str, tuple[Phrase, ...]] = {}
        is_open = []
        for phrase in phrases:
            if _is_open(phrase[0]):
                is_open.append(phrase)
            else:
                plain[phrase[0]] = (*plain.get(phrase[0], ()), phrase)
        return cls(name, action, plain, tuple(is_open))


@dataclass(frozen=True, slots=True)
class Found:
    rule: Rule
    start: int
    end: int


def phrases_in(lines: str) -> tuple[Phrase, ...]:
    """Raises InvalidPattern."""
    given = [line.strip() for line in lines.splitlines() if line.strip()]
    if not given or len(given) > MOST_PHRASES:
        raise InvalidPattern(_("Give 1 to %(most)d lines.") % {"most": MOST_PHRASES})
    phrases = tuple(_phrase(line) for line in given)
    if sum(any(map(_is_open, phrase)) for phrase in phrases) > MOST_WITH_STARS:
        raise InvalidPattern(_("At most %(most)d lines may have * or ?.") % {"most": MOST_WITH_STARS})
    return phrases


def _is_open(word: str) -> bool:
    return "*" in word or "?" in word


def _phrase(line: str) -> Phrase:
    words = tuple(_key(word) for word in _PATTERN_WORD.findall(line))
    if not words or len(line) > LONGEST_PHRASE or line.count("*") > MOST_STARS:
        words_for_people = _("“%(line)s”: at most %(longest)d characters and %(stars)d stars, and a letter.")
        limits = {"line": line[:LONGEST_PHRASE], "longest": LONGEST_PHRASE, "stars": MOST_STARS}
        raise InvalidPattern(words_for_people % limits)
    if any(not word.strip("*?") for word in words):
        raise InvalidPattern(_("“%(line)s”: a word needs a letter beside * and ?.") % {"line": line})
    return words


def _key(word: str) -> str:
    return unicodedata.normalize("NFKC", _HIDDEN.sub("", word[:LONGEST_WORD])).casefold()


def found_in(text: str, rules: Iterable[Rule]) -> list[Found]:
    """Each rule's phrases where they stand, by rule and then by place."""
    places = [(match.start(), match.end(), _key(match.group())) for match in _WORD.finditer(text)]
    keys = [key for _start, _end, key in places]
    return [
        Found(rule, places[at][0], places[at + length - 1][1])
        for rule in rules
        for at, length in _matches(keys, rule)
    ]


def _matches(keys: Sequence[str], rule: Rule) -> Iterator[tuple[int, int]]:
    for at, key in enumerate(keys):
        for phrase in (*rule.plain.get(key, ()), *rule.open):
            if at + len(phrase) <= len(keys) and all(map(fits, keys[at : at + len(phrase)], phrase)):
                yield at, len(phrase)
                break


def fits(word: str, pattern: str) -> bool:
    """Goes back to the last star alone, which is enough: what earlier ones took need not be undone."""
    at, star, resume = 0, -1, 0
    index = 0
    while index < len(word):
        if at < len(pattern) and pattern[at] == "*":
            star, resume = at, index
            at += 1
        elif at < len(pattern) and pattern[at] in ("?", word[index]):
            at, index = at + 1, index + 1
        elif star >= 0:
            resume += 1
            at, index = star + 1, resume
        else:
            return False
    return not pattern[at:].strip("*")


def masked(text: str, found: Iterable[Found]) -> str:
    """With the letters of what rules of action `mask` found as dots."""
    letters = list(text)
    for one in found:
        if one.rule.action == MASK:
            letters[one.start : one.end] = ["•" if x.isalnum() else x for x in letters[one.start : one.end]]
    return "".join(letters)
