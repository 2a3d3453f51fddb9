"""The transcript of an interview as a PDF: facts, the talk as it was written, answers by question."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.utils import formats, translation
from django.utils.translation import gettext as _
from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4, LETTER
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import BaseDocTemplate, Flowable, Frame, PageBreak, PageTemplate

from config.api.zones import first_zone
from interviews.blocks import Aside, Block, Piece, Rule, Style
from interviews.typesetting import BOLD, MISSING, REGULAR, Typeface

MARGIN = 62  # points
INK, QUIET = "#1d1b18", "#6b655c"
PAGE_SIZES = {"A4": A4, "letter": LETTER}
STORY_BATCH = 200  # flowables in memory at a time
TOTAL = "total-pages"


@dataclass(frozen=True, slots=True)
class Spoken:
    """One message. `heading` opens a question in the outline; `note` says "skipped", "corrects …"."""

    speaker: str
    at: datetime
    text: str
    by_person: bool
    note: str = ""
    heading: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    question: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Transcript:
    """All that is on the pages. `spoken` may be an iterator: a long talk need not be in memory."""

    title: str
    organisation: str
    facts: tuple[tuple[str, str], ...]
    spoken: Iterable[Spoken]
    answers: tuple[Answered, ...] = ()
    language: str = "en"
    time_zone: str = "UTC"
    page_size: str = "A4"
    accent: str = "#0b6e5f"
    reference: str = ""  # the id of what it is a transcript of
    made_at: datetime = field(default_factory=lambda: datetime(2000, 1, 1, tzinfo=UTC))


def render(transcript: Transcript, file: Path) -> int:
    """Write the PDF and return its number of pages. The same transcript gives the same bytes."""
    with translation.override(transcript.language):
        return _Layout(transcript).write(file)


def moment(at: datetime, time_zone: str) -> str:
    """Like "20 Nov 2026, 14:32 CET"; in UTC for a zone this machine does not know."""
    local = at.astimezone(first_zone(time_zone))
    return f"{formats.date_format(local, 'j M Y, H:i')} {local.tzname()}"


class _Document(BaseDocTemplate):
    def write(self, story: Iterator[Flowable]) -> int:
        """Lay the story out piece by piece, so that a long one is never in memory whole."""
        self._startBuild()
        self._savedInfo = self.canv._doc.info
        waiting: list[Flowable] = []
        while True:
            waiting += itertools.islice(story, STORY_BATCH)
            if not waiting:
                break
            while waiting:
                self.clean_hanging()
                self.handle_flowable(waiting)
        self._doSave = 0
        self._endBuild()
        return int(self.canv.getPageNumber()) - 1


class _Layout:
    def __init__(self, transcript: Transcript) -> None:
        self.transcript = transcript
        self.typeface = Typeface(transcript.language)
        self.page = PAGE_SIZES.get(transcript.page_size, A4)
        self.width = self.page[0] - 2 * MARGIN
        self.outlined = 0

    def write(self, file: Path) -> int:
        document = self._document(file)
        pages = document.write(self._story())
        self._define_total(document.canv, pages)
        document.canv.save()
        return pages

    def _document(self, file: Path) -> _Document:
        transcript = self.transcript
        frame = Frame(MARGIN, MARGIN, self.width, self.page[1] - 2 * MARGIN, 0, 0, 0, 0)
        return _Document(
            str(file),
            pagesize=self.page,
            pageTemplates=[PageTemplate("page", [frame], onPage=self._dress, pagesize=self.page)],
            title=transcript.title,
            author=transcript.organisation,
            subject=_("Transcript of an interview"),
            keywords=transcript.reference,
            creator="Rapport",
            lang=transcript.language,
            displayDocTitle=True,
            invariant=True,
            pageCompression=1,
        )

    # --- every page -------------------------------------------------------------------------

    def _dress(self, canvas: Canvas, document: BaseDocTemplate) -> None:
        if document.page == 1:
            stamp = self.transcript.made_at.astimezone(UTC).strftime("D:%Y%m%d%H%M%S+00'00'")
            canvas.setDateFormatter(lambda *_parts: stamp)
            canvas.showOutline()
        canvas.setFillColor(HexColor(QUIET))
        before, _mark, after = _("Page %(page)s of %(total)s").partition("%(total)s")
        written = self._put(canvas, before % {"page": document.page}, MARGIN)
        canvas.saveState()
        canvas.translate(MARGIN + written, MARGIN / 2)
        canvas.doForm(TOTAL)
        canvas.restoreState()
        title = self.typeface.line(self.transcript.title, self.width / 2, size=8)
        self._put(canvas, self.transcript.title, MARGIN + self.width - title.width, self.width / 2)
        if after.strip():
            self._put(canvas, after % {"page": document.page}, MARGIN + written + 24)

    def _put(self, canvas: Canvas, text: str, x: float, width: float = 200) -> float:
        line = self.typeface.line(text, width, size=8)
        words = canvas.beginText(x, MARGIN / 2)
        for run in line.runs:
            words.setFont(run.font, 8)
            words.textOut(run.text)
        canvas.drawText(words)
        return line.width + (self.typeface.width(" ", 8) if text.endswith(" ") else 0)

    def _define_total(self, canvas: Canvas, pages: int) -> None:
        """The number of pages is known at the end; each page refers to this one form."""
        canvas.beginForm(TOTAL, 0, -2, 60, 10)
        canvas.setFillColor(HexColor(QUIET))
        canvas.setFont(REGULAR, 8)
        canvas.drawString(0, 0, str(pages))
        canvas.endForm()

    # --- what is on them ----------------------------------------------------------------------

    def _story(self) -> Iterator[Flowable]:
        yield from self._title_page()
        yield from map(self._message, self.transcript.spoken)
        yield from self._answers()
        if self.typeface.met_missing:
            yield self._block(
                Piece(
                    _("%(mark)s stands for a character this document cannot show; the talk keeps it.")
                    % {"mark": MISSING},
                    Style(8, 11, colour=QUIET),
                ),
                space_before=18,
            )

    def _title_page(self) -> Iterator[Flowable]:
        transcript = self.transcript
        yield self._block(Piece(transcript.organisation, Style(10, 14, colour=QUIET)))
        yield self._block(Piece(transcript.title, Style(22, 28, BOLD)), space_before=6)
        yield Rule(transcript.accent, space_before=12, space_after=16)
        for label, value in transcript.facts:
            yield self._block(
                Piece(label, Style(8.5, 12, colour=QUIET)), Piece(value, Style(10.5, 15)), space_before=7
            )
        yield PageBreak()
        yield self._heading(_("The talk"))

    def _message(self, spoken: Spoken) -> Block:
        pieces = [
            Piece(
                spoken.speaker,
                Style(9.5, 14, BOLD, INK if spoken.by_person else QUIET),
                aside=Aside(moment(spoken.at, self.transcript.time_zone), Style(8, 14, colour=QUIET)),
            )
        ]
        if spoken.note:
            pieces.append(Piece(spoken.note, Style(8.5, 13, colour=QUIET)))
        # Cleaned here, not when it is laid out, so that the last page knows of what was missing.
        if text := self.typeface.clean(spoken.text):
            pieces.append(Piece(text, Style(10.5, 15.5)))
        return self._block(*pieces, space_before=11, outline=self._outline(spoken.heading, 1))

    def _answers(self) -> Iterator[Flowable]:
        if not self.transcript.answers:
            return
        yield PageBreak()
        yield self._heading(_("Answers by question"))
        for answer in self.transcript.answers:
            pieces = [Piece(answer.question, Style(10.5, 15, BOLD))]
            if answer.note:
                pieces.append(Piece(answer.note, Style(8.5, 13, colour=QUIET)))
            if answer.value:
                pieces.append(Piece(answer.value, Style(10.5, 15.5)))
            yield self._block(*pieces, space_before=12)

    def _heading(self, text: str) -> Block:
        return self._block(Piece(text, Style(14, 20, BOLD)), space_after=4, outline=self._outline(text, 0))

    def _outline(self, text: str, level: int) -> tuple[str, str, int] | None:
        if not text:
            return None
        self.outlined += 1
        return f"place-{self.outlined}", " ".join(text.split())[:120], level

    def _block(self, *pieces: Piece, **options: Any) -> Block:
        return Block(self.typeface, *pieces, **options)
