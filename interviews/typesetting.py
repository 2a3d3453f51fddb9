"""Text of any script as lines of glyphs: fonts, what they lack, Arabic joining, both directions, line breaks.

reportlab's own Paragraph needs a bidi library that is not on offer for it, reads markup, and is slow on
a page of plain words; here text is only ever text.
"""

import itertools
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from bidi import get_base_level, get_display
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont

from interviews.arabic import joined

FONTS = Path(__file__).parent / "fonts"
REGULAR, BOLD = "DejaVuSans", "DejaVuSans-Bold"
MISSING = "▯"
# East Asian fonts every PDF reader brings along, named and not embedded; a codec knows what each holds.
EAST_ASIAN = {
    "zh": ("STSong-Light", "gbk"),
    "zh-hant": ("MSung-Light", "big5hkscs"),
    "ja": ("HeiseiKakuGo-W5", "cp932"),
    "ko": ("HYGothic-Medium", "cp949"),
}
MIRRORED = dict(zip("()[]{}<>«»‹›≤≥", ")(][}{><»«›‹≥≤", strict=True))
KEPT_FOR_JOINING = "\u200c\u200d"
# One of: a character that may be broken after, a word with the spaces after it, spaces.
TOKENS = re.compile(r"[⺀-鿿가-힯豈-﫿＀-￯]\s*|[^\s⺀-鿿가-힯豈-﫿＀-￯]+\s*|\s+")


@dataclass(frozen=True, slots=True)
class Run:
    font: str
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """Runs in the order they are drawn, left to right; `width` is in points."""

    runs: tuple[Run, ...]
    width: float
    is_rtl: bool


@lru_cache(maxsize=1)
def load_fonts() -> None:
    for name in (REGULAR, BOLD):
        pdfmetrics.registerFont(TTFont(name, FONTS / f"{name}.ttf", shapable=False))
    for name, _ in EAST_ASIAN.values():
        pdfmetrics.registerFont(UnicodeCIDFont(name))


class _Replacements(dict[int, str]):
    """For `str.translate`: what is drawn for a code point, found once."""

    def __init__(self, typeface: "Typeface") -> None:
        super().__init__({10: "\n", 9: "    "})
        self._typeface = typeface

    def __missing__(self, code: int) -> str:
        self[code] = shown = self._typeface.shown(code)
        return shown


class _Widths(dict[int, float]):
    """Advance of a code point in thousandths of the font size."""

    def __init__(self, typeface: "Typeface", weight: str) -> None:
        super().__init__()
        self._typeface, self._weight = typeface, weight

    def __missing__(self, code: int) -> float:
        font = self._typeface.font_of(code, self._weight)
        self[code] = width = pdfmetrics.stringWidth(chr(code), font, 1000)
        return width


class _Fonts(dict[int, str]):
    """The font a code point is drawn with."""

    def __init__(self, typeface: "Typeface", weight: str) -> None:
        super().__init__()
        self._typeface, self._weight = typeface, weight

    def __missing__(self, code: int) -> str:
        self[code] = font = self._typeface.font_of(code, self._weight)
        return font


class Typeface:
    """One family in two weights, with East Asian fonts behind it, those of `language` first."""

    def __init__(self, language: str = "en") -> None:
        load_fonts()
        self._glyphs = pdfmetrics.getFont(REGULAR).face.charToGlyph
        self._east_asian = _by_preference(language)
        self._replacements = _Replacements(self)
        self._widths = {weight: _Widths(self, weight) for weight in (REGULAR, BOLD)}
        self._fonts = {weight: _Fonts(self, weight) for weight in (REGULAR, BOLD)}
        self.met_missing = False  # some text had a character that no font has

    def has(self, code: int) -> bool:
        # Above U+FFFF reportlab writes a wrong ToUnicode entry, so that copied text would be another.
        return code < 0x10000 and code in self._glyphs

    def font_of(self, code: int, weight: str) -> str:
        if self.has(code):
            return weight
        return self._east_asian_font(code) or weight

    def _east_asian_font(self, code: int) -> str | None:
        if code < 0x1100 or code > 0xFFFF:
            return None
        return next((font for font, codec in self._east_asian if _encodes(codec, code)), None)

    def shown(self, code: int) -> str:
        """The character itself, or what stands for it visibly: the name of an emoji, else an empty box."""
        character = chr(code)
        if code < 0x20 or code == 0x7F:
            return MISSING
        if unicodedata.category(character) == "Cf" or 0xFE00 <= code <= 0xFE0F:
            return character if character in KEPT_FOR_JOINING else ""
        if 0x1F3FB <= code <= 0x1F3FF:
            return ""  # skin tones change the emoji before them, whose name is enough
        if self.has(code) or self._east_asian_font(code):
            return character
        return _name_of(character)

    def clean(self, text: str) -> str:
        """Only characters that can be drawn, in logical order, Arabic letters joined."""
        if text.isascii() and text.isprintable():
            return text
        plain = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
        shown = plain.translate(self._replacements)
        self.met_missing = self.met_missing or MISSING in shown
        return joined(shown, self.has)

    def width(self, text: str, size: float, weight: str = REGULAR) -> float:
        return sum(map(self._widths[weight].__getitem__, map(ord, text))) * size / 1000

    def lines(self, text: str, width: float, *, size: float, weight: str = REGULAR) -> list[Line]:
        """The text broken at spaces (East Asian text anywhere) into lines of at most `width` points."""
        return [
            self._set(piece, size, weight, is_rtl=is_rtl)
            for paragraph in self.clean(text).split("\n")
            for is_rtl in (_is_rtl(paragraph),)
            for piece in self._broken(paragraph, width * 1000 / size, weight)
        ]

    def line(self, text: str, width: float, *, size: float, weight: str = REGULAR) -> Line:
        """The text on one line, cut short with an ellipsis when it is too long."""
        first, *more = self.lines(" ".join(text.split()), width, size=size, weight=weight)
        if not more:
            return first
        ellipsis = self.lines(" ".join(text.split()), width - size, size=size, weight=weight)[0]
        dots = Run(weight, "…")
        runs = (dots, *ellipsis.runs) if ellipsis.is_rtl else (*ellipsis.runs, dots)
        return Line(runs, ellipsis.width + self.width("…", size, weight), ellipsis.is_rtl)

    def _broken(self, paragraph: str, limit: float, weight: str) -> Iterator[str]:
        widths = self._widths[weight]
        line: list[str] = []
        used = 0.0
        for token in TOKENS.findall(paragraph):
            word = token.rstrip()
            word_width = sum(map(widths.__getitem__, map(ord, word)))
            if used + word_width > limit and line:
                yield "".join(line)
                line, used = [], 0.0
            if word_width > limit:
                *full, token = _cut(token, widths, limit)
                yield from full
                word_width = sum(map(widths.__getitem__, map(ord, token.rstrip())))
                word = token.rstrip()
            line.append(token)
            used += word_width + (len(token) - len(word)) * widths[32]
        yield "".join(line)

    def _set(self, text: str, size: float, weight: str, *, is_rtl: bool) -> Line:
        text = text.rstrip()
        shown = text if text.isascii() else _visual(text, is_rtl=is_rtl)
        if shown.isascii():
            return Line((Run(weight, shown),), self.width(shown, size, weight), is_rtl)
        fonts = self._fonts[weight]
        runs = itertools.groupby(shown, key=lambda character: fonts[ord(character)])
        return Line(
            tuple(Run(font, "".join(characters)) for font, characters in runs),
            self.width(shown, size, weight),
            is_rtl,
        )


def _by_preference(language: str) -> list[tuple[str, str]]:
    tag = language.lower().replace("_", "-")
    if tag.startswith(("zh-hant", "zh-tw", "zh-hk")):
        tag = "zh-hant"
    own = tag if tag in EAST_ASIAN else tag.partition("-")[0]
    return [EAST_ASIAN[key] for key in sorted(EAST_ASIAN, key=lambda key: key != own)]


def _encodes(codec: str, code: int) -> bool:
    try:
        chr(code).encode(codec)
    except UnicodeEncodeError:
        return False
    return True


def _name_of(character: str) -> str:
    name = unicodedata.name(character, "") if unicodedata.category(character) == "So" else ""
    return f"[{name.lower()}]" if name else MISSING


def _cut(token: str, widths: _Widths, limit: float) -> list[str]:
    """A word longer than a line, in pieces that fit; at least one character each."""
    pieces, start, used = [], 0, 0.0
    for index, character in enumerate(token):
        width = widths[ord(character)]
        if used + width > limit and index > start:
            pieces.append(token[start:index])
            start, used = index, 0.0
        used += width
    return [*pieces, token[start:]]


def _is_rtl(paragraph: str) -> bool:
    return not paragraph.isascii() and get_base_level(paragraph) == 1


def _visual(text: str, *, is_rtl: bool) -> str:
    """The line in drawing order, left to right. The library reorders, and leaves brackets as they were."""
    return str(get_display(_mirrored(text, is_rtl=is_rtl), base_dir="R" if is_rtl else "L"))


def _mirrored(text: str, *, is_rtl: bool) -> str:
    """Brackets that will stand in right-to-left text, turned round: those between two words of it,
    and those at its edge in a right-to-left line (UAX 9, rules N0 to N2 and L4, for text without embeddings).
    """
    if not any(character in text for character in MIRRORED):
        return text
    directions = [_direction(character) for character in text]
    turned = []
    for index, character in enumerate(text):
        before = next((way for way in reversed(directions[:index]) if way), None)
        after = next((way for way in directions[index + 1 :] if way), None)
        way = before if before == after and before else "R" if is_rtl else "L"
        turned.append(MIRRORED.get(character, character) if way == "R" else character)
    return "".join(turned)


def _direction(character: str) -> str:
    kind = unicodedata.bidirectional(character)
    return {"L": "L", "R": "R", "AL": "R", "AN": "R"}.get(kind, "")
