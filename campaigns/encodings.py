"""Which encoding a file without a mark is in. A wrong guess turns Gdańsk into Gdañsk, and nobody notices.

So the guess is made from evidence, it is told, and whoever sends the file can choose another. Statistics
over whole texts (chardet, charset-normalizer) need more words than a list of names has; here letters are
judged by what stands beside them.
"""

import codecs
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# What can be chosen, with the words for people. The order decides between equal guesses.
NAMES = {
    "utf-8": "UTF-8",
    "utf-16": "UTF-16",
    "cp1252": "Western European (Windows-1252)",
    "cp1250": "Central European (Windows-1250)",
    "iso8859-2": "Central European (ISO 8859-2)",
    "cp1251": "Cyrillic (Windows-1251)",
    "cp1253": "Greek (Windows-1253)",
    "cp1254": "Turkish (Windows-1254)",
    "cp1256": "Arabic (Windows-1256)",
    "mac-roman": "Western European (Mac)",
}
# The letters beyond ASCII of the languages that are written in each.
LETTERS: dict[str, tuple[str, ...]] = {
    # German and Dutch, French, Spanish, Portuguese, Swedish, Danish and Norwegian, Icelandic, Italian
    "cp1252": (
        "äöüßéëï",
        "àâæçéèêëîïôœùûüÿ",
        "áéíñóúü",
        "áâãàçéêíóôõúü",
        "åäöé",
        "æøåé",
        "áðéíóúýþæö",
        "àèéìòù",
    ),
    # Polish, Czech and Slovak, Hungarian, Croatian and Slovene, Romanian
    "cp1250": ("ąćęłńóśźż", "áäčďéěíĺľňóôŕřšťúůýž", "áéíóöőúüű", "čćđšž", "ăâîşţ"),
    "iso8859-2": ("ąćęłńóśźż", "áäčďéěíĺľňóôŕřšťúůýž", "áéíóöőúüű", "čćđšž", "ăâîşţ"),
    "cp1251": ("абвгдежзийклмнопрстуфхцчшщъыьэюяё", "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя"),
    "cp1253": ("αβγδεζηθικλμνξοπρστυφχψωςάέήίόύώϊϋΐΰ",),
    "cp1254": ("âçğıiîöşüi̇",),
    "cp1256": ("ءآأؤإئابةتثجحخدذرزسشصضطظعغفقكلمنهوىيپچژگ",),
    "mac-roman": ("äöüßéëï", "àâæçéèêëîïôœùûüÿ", "áéíñóúü", "áâãàçéêíóôõúü", "åäöé", "æøåé", "àèéìòù"),
}
SCRIPT_VOWELS = {"cp1251": set("аеёиоуыэюяєії"), "cp1253": set("αεηιουωάέήίόύώϊϋΐΰ"), "cp1256": set()}
VOWELS = set("aeiouyáéíóúàèìòùâêîôûäëïöüåæøő")
# Begun at the beginning of a word alone: at each letter of a long one it would be looked through anew.
WORD = re.compile(rb"(?<![A-Za-z\x80-\xff])[A-Za-z]*+[\x80-\xff][A-Za-z\x80-\xff]*+")
LONGEST_WORD = 100  # bytes; what is longer is no name
MOST_WORDS = 2_000  # looked at
SHOWN_WORDS = 5
# Typographic signs that the Windows code pages share; "³" and "£" are none of them: those are ł and Ł.
PUNCTUATION = dict.fromkeys(map(ord, "“”„‚‘’–—…€«»§\u00a0"))
# Hardly any program writes it any more.
HANDICAP = {"mac-roman": -2.0}
# What one word says for an encoding.
READS_WELL, HINT, ODD, WRONG = 1.0, 0.3, -0.5, -3.0
ONE_LANGUAGE = 0.5  # for each word of the language that explains most of them


@dataclass(frozen=True, slots=True)
class Guess:
    """`is_sure` where the bytes leave no choice: a mark, valid UTF-8, or nothing but ASCII."""

    encoding: str
    is_sure: bool = True


def guess(content: bytes) -> Guess | None:
    """None when no known encoding has all these bytes."""
    for mark, encoding in MARKS:
        if content.startswith(mark):
            return Guess(encoding)
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return _likeliest(content)
    return Guess("utf-8")


def is_open_question(content: bytes) -> bool:
    """Whether another encoding could be meant: neither a mark nor valid UTF-8 settles it."""
    is_marked = any(content.startswith(mark) for mark, _name in MARKS)
    return not is_marked and not readable(content, "utf-8")


def readable(content: bytes, encoding: str) -> bool:
    try:
        content.decode(encoding)
    except UnicodeError:
        return False
    return True


def _likeliest(content: bytes) -> Guess | None:
    words = _words(content)
    candidates = [name for name in LETTERS if readable(content, name)]
    if not candidates:
        return None
    return Guess(max(candidates, key=lambda name: _score(words, name)), is_sure=False)


def _words(content: bytes) -> list[bytes]:
    """The different words with a letter that is not ASCII: a name that comes often says nothing new."""
    found: dict[bytes, None] = {}
    for match in WORD.finditer(content):
        if match.end() - match.start() <= LONGEST_WORD:
            found[match[0]] = None
        if len(found) == MOST_WORDS:
            break
    return list(found)


def _score(words: Iterable[bytes], encoding: str) -> float:
    """How well the words read. Lists are mostly in one language, which decides where single words cannot."""
    total, explained = HANDICAP.get(encoding, 0.0), Counter[int]()
    for raw in words:
        word = raw.decode(encoding).translate(PUNCTUATION)
        letters = {letter for letter in word.lower() if not letter.isascii()}
        languages = [at for at, known in enumerate(LETTERS[encoding]) if letters <= set(known)]
        explained.update(languages if letters else ())
        total += _plausibility(word, encoding) if languages else WRONG
    return total + ONE_LANGUAGE * max(explained.values(), default=0)


def _plausibility(word: str, encoding: str) -> float:
    if word.isascii():  # it was O’Brien, or a dash
        return READS_WELL + HINT
    if encoding in SCRIPT_VOWELS:
        return _of_script(word, SCRIPT_VOWELS[encoding])
    padded = f" {word} "
    found = [
        _of_letter(padded[at], padded[at - 1], padded[at + 1])
        for at in range(1, len(padded) - 1)
        if not padded[at].isascii()
    ]
    return READS_WELL + min(found)


def _of_letter(letter: str, before: str, after: str) -> float:
    """What tells ñ from ń, ê from ę, æ from ć and Ÿ from ü: code pages have them at the same byte."""
    if _is_misplaced(letter, before, after):
        return WRONG
    vowel_before, vowel_after = before.lower() in VOWELS, after.lower() in VOWELS
    rule = NEIGHBOURS.get(letter.lower())
    return rule(before == " ", after == " ", vowel_before, vowel_after) if rule else 0.0


def _is_misplaced(letter: str, before: str, after: str) -> bool:
    """A capital within a word."""
    return letter.isupper() and before != " " and (before.islower() or after.islower())


Rule = Callable[[bool, bool, bool, bool], float]
# first in its word, last in it, a vowel before, a vowel after
NEIGHBOURS: dict[str, Rule] = {
    "ñ": lambda first, last, before, after: HINT if after else WRONG,  # Muñoz
    "ń": lambda first, last, before, after: ODD if after else HINT,  # Gdańsk
    "è": lambda first, last, before, after: ODD if first or (after and not last) else HINT,  # Hélène
    "č": lambda first, last, before, after: HINT if after or last else ODD,  # Kučera
    "õ": lambda first, last, before, after: HINT if after else ODD,  # Simões
    "ő": lambda first, last, before, after: ODD if after else HINT,  # Erdős
    "æ": lambda first, last, before, after: ODD if first or last or before or after else HINT,  # Kjær
    "ć": lambda first, last, before, after: HINT if first or last else 0.0,  # Petrović
    "ê": lambda first, last, before, after: ODD if last or after else 0.0,
    "ø": lambda first, last, before, after: ODD if before else 0.0,
    "þ": lambda first, last, before, after: 0.0 if first else WRONG,  # Þór
    "ð": lambda first, last, before, after: WRONG if first else 0.0,
    "ğ": lambda first, last, before, after: 0.0 if before else WRONG,  # Doğan
}


def _of_script(word: str, vowels: set[str]) -> float:
    """A word in two scripts is a word in the wrong encoding (Mьller), and so is one without vowels."""
    if any(letter.isascii() and letter.isalpha() for letter in word):
        return WRONG
    padded = f" {word} "
    if any(_is_misplaced(padded[at], padded[at - 1], padded[at + 1]) for at in range(1, len(word) + 1)):
        return WRONG
    share = sum(letter in vowels for letter in word.lower()) / len(word)
    is_odd = bool(vowels) and len(word) > 2 and not 0.2 <= share <= 0.8
    return ODD if is_odd else READS_WELL + HINT


def samples(content: bytes, encoding: str) -> list[str]:
    """Some words as they read in this encoding, for whoever has to say whether it is the right one."""
    return [word.decode(encoding, "replace") for word in _words(content)[:SHOWN_WORDS]]
