"""Arabic letters in the form their neighbours ask for, by the presentation forms Unicode itself lists."""

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache

ARABIC = re.compile(r"[\u0600-\u06ff]")
TATWEEL = "\u0640"
ZWNJ, ZWJ = "\u200c", "\u200d"
Forms = dict[str, dict[str, str]]


@lru_cache(maxsize=1)
def presentation_forms() -> Forms:
    """Letter, or lam with alef, → {"isolated": …, "initial": …, "medial": …, "final": …}."""
    forms: Forms = {}
    for code in (*range(0xFB50, 0xFC00), *range(0xFE80, 0xFEFD)):
        decomposition = unicodedata.decomposition(chr(code))
        if not decomposition:
            continue
        kind, *letters = decomposition.split()
        if len(letters) > 1 and not 0xFEF5 <= code <= 0xFEFC:
            continue  # of the ligatures only lam with alef is required
        base = "".join(chr(int(letter, 16)) for letter in letters)
        forms.setdefault(base, {})[kind.strip("<>")] = chr(code)
    return forms


def joined(text: str, has_glyph: Callable[[int], bool]) -> str:
    """The text with each Arabic letter in its joined form, where the font has it. Logical order stays."""
    if ARABIC.search(text):
        text = "".join(_in_context(_units(text), has_glyph))
    return text.replace(ZWNJ, "").replace(ZWJ, "")


def _units(text: str) -> list[str]:
    """Characters; lam and alef are one, for they are written as one."""
    forms = presentation_forms()
    units: list[str] = []
    for character in text:
        pair = units[-1] + character if units else ""
        if len(pair) == 2 and pair[0] == "\u0644" and pair in forms:
            units[-1] = pair
        else:
            units.append(character)
    return units


def _in_context(units: list[str], has_glyph: Callable[[int], bool]) -> list[str]:
    forms = presentation_forms()
    shaped = []
    for index, unit in enumerate(units):
        own = forms.get(unit)
        if own is None:
            shaped.append(unit)
            continue
        before = "final" in own and _joins_forward(_neighbour(units, index, -1))
        after = "initial" in own and _joins_backward(_neighbour(units, index, 1))
        kind = {(True, True): "medial", (True, False): "final", (False, True): "initial"}.get(
            (before, after), "isolated"
        )
        form = own.get(kind, unit)
        shaped.append(form if has_glyph(ord(form[0])) else unit)
    return shaped


def _neighbour(units: list[str], index: int, step: int) -> str:
    """The next unit that is not a vowel sign; empty at the edge."""
    index += step
    while 0 <= index < len(units):
        if unicodedata.category(units[index][0]) != "Mn":
            return units[index]
        index += step
    return ""


def _joins_forward(unit: str) -> bool:
    return unit in (TATWEEL, ZWJ) or "initial" in presentation_forms().get(unit, {})


def _joins_backward(unit: str) -> bool:
    return unit in (TATWEEL, ZWJ) or "final" in presentation_forms().get(unit, {})
