"""Words as the index holds them: the same for a passage and for a question, on every database."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache

# A letter or digit, then letters, digits and the marks that belong to them (Indic vowels, Arabic points).
MARKS = (
    "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670"
    "\u0900-\u0903\u093a-\u094f\u0981-\u0983\u09bc-\u09cd"
)
WORD = re.compile(rf"[^\W_](?:[^\W_]|[{MARKS}])*")
ASCII_WORD = re.compile("[A-Za-z0-9]+")
LATIN_ACCENTS = re.compile("[\u0300-\u036f]")
# Letters that are written with a stroke or joined, and that Unicode does not take apart.
WHOLE_LETTERS = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "æ": "ae", "œ": "oe", "ı": "i", "ð": "d", "þ": "th"}
)
# Scripts written without spaces are indexed by pairs of characters.
UNSPACED = re.compile(
    "[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u0e00-\u0e7f\U00020000-\U0002fa1f]+"
)
# A model, part or article number: letters and digits with marks between them. "X-200" is also one word,
# the same as "X200", so that it is told from what has an X and a 200 somewhere.
NUMBERED = re.compile(r"(?<![^\W_])[^\W_]{1,20}(?:[-./_][^\W_]{1,20}){1,3}(?![^\W_])")
LONGEST_TERM = 64  # characters; longer runs are keys and hashes, and an index entry must stay small
MOST_QUESTION_TERMS = 48

STOPWORDS = frozenset(
    """
    a about all also am an and any are as at be because been being but by can could did do does
    doing each for from get give had has have having he her hers him his how i if in into is it its
    just know let many may me mentioned might more most much my no nor not of on or other our ours
    out over own people person please said say says she should so some such tell than that the
    their theirs them then there these they this those through to too told under until up upon very
    was we were what when where which while who whom whose why will with would you your yours
    """.split()  # noqa: SIM905 (a list of strings would be 130 lines)
)


def terms_of(text: str) -> list[str]:
    """Every word of a text in order: lower case, without accents, cut to an English stem."""
    plain = _plain(text)
    terms = [term for word in _words(plain) for term in _terms_of_word(word)]
    return [*terms, *_numbered(plain)]


def count_of(text: str) -> int:
    """About how many terms a text has, without making them."""
    return len(ASCII_WORD.findall(text)) if text.isascii() else len(terms_of(text))


def question_terms(text: str) -> list[str]:
    """The distinct words worth searching for, at most 48. Common words count only if there are no others."""
    plain = _plain(text[:20_000])
    words = list(_words(plain))
    telling = [word for word in words if word not in STOPWORDS] or words
    found = dict.fromkeys(term for word in telling for term in _terms_of_word(word))
    found |= dict.fromkeys(_numbered(plain))
    return list(found)[:MOST_QUESTION_TERMS]


def padded(terms: Sequence[str]) -> str:
    """How `Chunk.terms` stores them: a space on both sides of each, so that counting " word " is exact."""
    return "".join(f" {term} " for term in terms)


def _plain(text: str) -> str:
    """Lower case and without accents, whatever way it was typed."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKC", text).casefold().translate(WHOLE_LETTERS)
    folded = LATIN_ACCENTS.sub("", unicodedata.normalize("NFD", plain))
    # NFD also takes Hangul and kana apart; what is left of it is put together again.
    return unicodedata.normalize("NFC", folded)


def _words(plain: str) -> Iterator[str]:
    return (match.group() for match in WORD.finditer(plain))


def _numbered(plain: str) -> Iterator[str]:
    for match in NUMBERED.finditer(plain):
        joined = re.sub("[-./_]", "", match.group())
        if not joined.isdigit() and any(map(str.isdigit, joined)):
            yield joined[:LONGEST_TERM]


def _terms_of_word(word: str) -> Iterator[str]:
    if word.isascii():
        yield stem(word[:LONGEST_TERM])
        return
    position = 0
    for run in UNSPACED.finditer(word):
        if run.start() > position:
            yield word[position : run.start()][:LONGEST_TERM]
        yield from _pairs(run.group())
        position = run.end()
    if position < len(word):
        yield word[position:][:LONGEST_TERM]


def _pairs(run: str) -> Iterator[str]:
    if len(run) == 1:
        yield run
    for start in range(len(run) - 1):
        yield run[start : start + 2]


VOWEL = re.compile("[aeiouy]")
SYLLABLE = re.compile("[aeiouy]+[^aeiouy]+")


@lru_cache(maxsize=50_000)  # a language uses few words often
def stem(word: str) -> str:
    """A light English stem: plural, -ed, -ing, -ly and a last e are taken off (after Porter's first step)."""
    if len(word) < 3 or not word.isalpha():
        return word
    return _without_e(_without_double_l(_without_ending(_without_plural(word))))


def _without_plural(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes", "zes")):
        return word[:-2]
    if len(word) < 4:
        return word
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def _without_ending(word: str) -> str:
    if word.endswith("ied") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith("ily") and len(word) > 4:
        return word[:-3] + "y"
    for ending in ("ingly", "edly", "ing", "ed", "ly"):
        rest = word.removesuffix(ending)
        if rest == word or len(rest) < 2 or not VOWEL.search(rest):
            continue
        doubled = len(rest) > 3 and rest[-1] == rest[-2] and rest[-1] not in "lsz"
        return rest[:-1] if doubled else rest
    return word


def _without_double_l(word: str) -> str:
    """ "cancelling" and "cancel", but not "falling" and "fal" (Porter's step 5b)."""
    return word[:-1] if word.endswith("ll") and len(SYLLABLE.findall(word)) > 1 else word


def _without_e(word: str) -> str:
    return word[:-1] if word.endswith("e") and len(word) > 2 else word
