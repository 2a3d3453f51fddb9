"""What a transcript's pages are made of: blocks of text that break across pages, and one accent line."""

from dataclasses import dataclass

from reportlab.lib.colors import HexColor
from reportlab.platypus import Flowable

from interviews.typesetting import REGULAR, Line, Typeface

GAP = 8  # points between a line and what stands at its other end


@dataclass(frozen=True, slots=True)
class Style:
    """Sizes in points."""

    size: float
    leading: float
    weight: str = REGULAR
    colour: str = "#1d1b18"


@dataclass(frozen=True, slots=True)
class Aside:
    """Quiet words at the other end of a piece's first line: its time."""

    text: str
    style: Style


@dataclass(frozen=True, slots=True)
class Piece:
    text: str
    style: Style
    aside: Aside | None = None


@dataclass(frozen=True, slots=True)
class _Placed:
    """One line as it is drawn: its style, and an aside with it."""

    line: Line
    style: Style
    aside: tuple[Line, Style] | None = None


class Block(Flowable):  # type: ignore[misc]
    """Pieces of text below each other. Never leaves its first line alone at the foot of a page."""

    def __init__(
        self,
        typeface: Typeface,
        *pieces: Piece,
        space_before: float = 0,
        space_after: float = 0,
        outline: tuple[str, str, int] | None = None,
    ) -> None:
        super().__init__()
        self.typeface, self.pieces, self.outline = typeface, pieces, outline
        self.spaceBefore, self.spaceAfter = space_before, space_after
        self.placed: list[_Placed] | None = None

    def wrap(self, width: float, height: float) -> tuple[float, float]:
        if self.placed is None:
            self.placed = [placed for piece in self.pieces for placed in self._laid(piece, width)]
        self.width, self.height = width, sum(placed.style.leading for placed in self.placed)
        return self.width, self.height

    def split(self, width: float, height: float) -> list[Flowable]:
        self.wrap(width, height)
        placed = self.placed or []
        fitting, used = 0, 0.0
        while fitting < len(placed) and used + placed[fitting].style.leading <= height:
            used += placed[fitting].style.leading
            fitting += 1
        if fitting < min(2, len(placed)):
            return []
        first = Block(self.typeface, outline=self.outline, space_before=self.spaceBefore)
        return [first._holding(placed[:fitting]), Block(self.typeface)._holding(placed[fitting:])]

    def _holding(self, placed: list[_Placed]) -> "Block":
        self.placed = placed
        return self

    def _laid(self, piece: Piece, width: float) -> list[_Placed]:
        style, aside = piece.style, None
        if piece.aside is not None:
            end = self.typeface.line(piece.aside.text, width / 2, size=piece.aside.style.size)
            aside, width = (end, piece.aside.style), width - end.width - GAP
            head = self.typeface.line(piece.text, width, size=style.size, weight=style.weight)
            return [_Placed(head, style, aside)]
        lines = self.typeface.lines(piece.text, width, size=style.size, weight=style.weight)
        return [_Placed(line, style) for line in lines]

    def draw(self) -> None:
        if self.outline:
            key, title, level = self.outline
            self.canv.bookmarkHorizontal(key, 0, self.height + 4)
            self.canv.addOutlineEntry(title, key, level=level, closed=False)
        words = self.canv.beginText()
        y = self.height
        for placed in self.placed or []:
            y -= placed.style.leading
            baseline = y + (placed.style.leading - placed.style.size) / 2 + placed.style.size * 0.22
            start, end = 0.0, self.width - placed.line.width
            self._draw_line(words, placed.line, placed.style, end if placed.line.is_rtl else start, baseline)
            if placed.aside:
                line, style = placed.aside
                x = 0.0 if placed.line.is_rtl else self.width - line.width
                self._draw_line(words, line, style, x, baseline)
        self.canv.drawText(words)

    def _draw_line(self, words: object, line: Line, style: Style, x: float, y: float) -> None:
        words.setTextOrigin(x, y)  # type: ignore[attr-defined]
        words.setFillColor(HexColor(style.colour))  # type: ignore[attr-defined]
        for run in line.runs:
            words.setFont(run.font, style.size)  # type: ignore[attr-defined]
            words.textOut(run.text)  # type: ignore[attr-defined]


class Rule(Flowable):  # type: ignore[misc]
    """The accent line."""

    def __init__(self, colour: str, *, space_before: float, space_after: float) -> None:
        super().__init__()
        self.colour, self.spaceBefore, self.spaceAfter = colour, space_before, space_after

    def wrap(self, width: float, height: float) -> tuple[float, float]:
        self.width, self.height = width, 2
        return width, 2

    def draw(self) -> None:
        self.canv.setFillColor(HexColor(self.colour))
        self.canv.rect(0, 0, 56, 2, stroke=0, fill=1)
