"""Model, part and order numbers: each is a whole, and X-2000 says nothing of X-200."""

import re
import unicodedata
from collections.abc import Set as AbstractSet
from functools import lru_cache

# Letters and digits, with marks between them: X-200, RS.232/A, x200, 10023.
_CANDIDATE = re.compile(r"(?<![^\W_])[^\W_]{1,30}(?:[-./_][^\W_]{1,20}){0,3}(?![^\W_])")
_MARK = re.compile("[-./_]")
_DATE = re.compile(r"\d{4}[-./]\d{1,2}[-./]\d{1,2}|\d{1,2}[-./]\d{1,2}[-./]\d{2,4}")
_DIGITS = re.compile(r"\d+")
SHORTEST_NUMBER = 5  # digits; shorter ones are years, amounts and counts


# Each search reads the passages it found, and the good ones are found again and again.
@lru_cache(maxsize=1024)
def identifiers_in(text: str) -> frozenset[str]:
    """In lower case and without marks, so that X-200 and X200 are one.

    What begins with a digit is a measure (24h, 2-year), unless it is all digits and long.
    """
    plain = unicodedata.normalize("NFKC", text).casefold()
    found = (match.group() for match in _CANDIDATE.finditer(plain))
    joined = (_MARK.sub("", word) for word in found if not _DATE.fullmatch(word))
    return frozenset(word for word in joined if _is_identifier(word))


def _is_identifier(word: str) -> bool:
    if word.isdecimal():
        return len(word) >= SHORTEST_NUMBER
    return word[0].isalpha() and any(map(str.isdecimal, word))


def speaks_of_another(text: str, wanted: AbstractSet[str]) -> bool:
    """Whether a text names things of the same kind as the wanted ones, and none of these.

    Of the same kind is what differs in its digits alone.
    """
    if not wanted:
        return False
    named = identifiers_in(text)
    return not named & wanted and bool(_kinds(named) & _kinds(wanted))


def _kinds(identifiers: AbstractSet[str]) -> set[str]:
    return {_DIGITS.sub("#", identifier) for identifier in identifiers}
