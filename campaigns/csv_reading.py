"""Files of people as people send them: encoding, separator and heading found out, hostile files refused."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.utils.translation import gettext as _

from campaigns import encodings, excel
from campaigns.columns import guess_mapping
from crm.exporting import is_export
from crm.spreadsheets import unguarded

MAX_BYTES = 20 * 1024 * 1024
MAX_ROWS = 200_000
MAX_COLUMNS = 100
MAX_HEADING_BYTES = 32_768
DELIMITERS = (",", ";", "\t", "|")
SAMPLE_ROWS = 20  # looked at to find the separator, and shown
BREAK = re.compile(r"\r\n|\r|\n")
# What Excel writes above the heading so that it finds its own separator again.
EXCELS_HINT = re.compile(r"\A\"?sep=([,;\t|])\"?(?:\r\n|\r|\n)", re.IGNORECASE)


class CsvRefusedError(ValueError):
    """The file as a whole cannot be read; `str()` tells its owner why."""


@dataclass(frozen=True, slots=True)
class Table:
    """A readable file: its heading, and how to read the rest.

    `lines_before`: blank ones, and Excel's hint, above the heading. `sheet`: its name in an Excel file.
    `is_sure`: the bytes left no doubt about the encoding. `content`: the file as it came.
    """

    text: str
    encoding: str
    delimiter: str
    headings: tuple[str, ...]
    lines_before: int = 0
    sheet: str = ""
    is_sure: bool = True
    content: bytes = b""

    @property
    def most_rows(self) -> int:
        """How many rows there can be: lines below the heading."""
        return min(MAX_ROWS, self.text.count("\n") or self.text.count("\r"))

    @property
    def kept(self) -> bytes:
        """What to keep of an Excel file: its rows as CSV, blank ones above the heading included."""
        return ("\n" * self.lines_before + self.text).encode()

    @property
    def is_export(self) -> bool:
        """Whether it is an export of contacts, whose cells were kept from being formulas."""
        return is_export(self.headings)

    def fields(self, mapping: Mapping[str, str]) -> list[str]:
        """The field of each column, in the file's order, which a mapping out of the database has lost."""
        return [mapping.get(heading, "") for heading in self.headings]

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Line number and cells of each row that is not empty. Raises CsvRefusedError at a broken one."""
        count, is_ours = 0, self.is_export
        for line, cells in islice(self._records(), 1, None):
            if not any(cells) or not any(cell.strip() for cell in cells):
                continue
            count += 1
            if count > MAX_ROWS:
                raise CsvRefusedError(_("The file has more than %(most)s rows.") % {"most": f"{MAX_ROWS:,}"})
            yield line, [unguarded(cell) for cell in cells] if is_ours else cells

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        """Each record with the line it begins on, as an editor counts; in a sheet, with its row."""
        reader, lines_read = _reader(self.text, self.delimiter), 0
        try:
            for number, cells in enumerate(reader, start=1):
                yield self.lines_before + (number if self.sheet else lines_read + 1), cells
                lines_read = reader.line_num
        except csv.Error as error:
            line = self.lines_before + reader.line_num
            raise CsvRefusedError(
                _("Line %(line)s is broken: %(why)s.") % {"line": line, "why": error}
            ) from None

    def first_rows(self) -> list[list[str]]:
        """A few rows to look at; fewer where one of them is broken."""
        rows = []
        try:
            for _line, cells in islice(self.rows(), SAMPLE_ROWS):
                rows.append(cells)
        except CsvRefusedError:
            pass
        return rows


# --- The file ---------------------------------------------------------------------------------------


def read(content: bytes, *, delimiter: str = "", encoding: str = "", sheet: str = "") -> Table:
    """A CSV or Excel file with a heading. Raises CsvRefusedError for anything else.

    What is not given is found out. A sheet that was kept as CSV keeps its name, and its row numbers.
    """
    if len(content) > MAX_BYTES:
        raise CsvRefusedError(_("The file is larger than %(most)s MB.") % {"most": MAX_BYTES // 1024 // 1024})
    if excel.looks_like_excel(content):
        return _of_sheet(content)
    guess = _guess(content, encoding)
    text = _decoded(content, guess.encoding)
    hint = EXCELS_HINT.match(text)
    body = text[hint.end() :] if hint else text
    stripped = body.lstrip("\r\n")
    before = len(BREAK.findall(body[: len(body) - len(stripped)])) + (1 if hint else 0)
    first = _first_record(stripped)
    found = delimiter or (hint[1] if hint else "") or guess_delimiter(stripped)
    headings = _headings(first, found)
    return Table(stripped, guess.encoding, found, headings, before, sheet, guess.is_sure, content)


def _of_sheet(content: bytes) -> Table:
    try:
        found = excel.sheet_of(content)
    except excel.ExcelRefusedError as refused:
        raise CsvRefusedError(str(refused)) from None
    stripped = found.csv.lstrip("\n")
    first = _first_record(stripped)
    before = len(found.csv) - len(stripped)
    return Table(stripped, "utf-8", ",", _headings(first, ","), before, found.name)


def _guess(content: bytes, encoding: str) -> encodings.Guess:
    if encoding:
        if encoding not in (*encodings.NAMES, "utf-8-sig"):
            raise CsvRefusedError(_("“%(name)s” is no encoding that is read here.") % {"name": encoding[:40]})
        return encodings.Guess(encoding)
    is_marked = any(content.startswith(mark) for mark, _name in encodings.MARKS)
    if b"\0" in content and not is_marked:
        raise CsvRefusedError(_("The file holds NUL bytes: it is not text. Save it as CSV (UTF-8)."))
    guess = encodings.guess(content)
    if guess is None:
        raise CsvRefusedError(
            _("The file is in no encoding that is read here, so names in it would be damaged. ")
            + _("Save it as CSV (UTF-8).")
        )
    return guess


def _decoded(content: bytes, encoding: str) -> str:
    try:
        text = content.decode(encoding)
    except UnicodeError:
        name = encodings.NAMES.get(encoding, encoding)
        raise CsvRefusedError(
            _("The file is not %(name)s, or it is damaged. Save it as CSV (UTF-8).") % {"name": name}
        ) from None
    if "\0" in text:
        raise CsvRefusedError(_("The file holds NUL characters: it is not text. Save it as CSV (UTF-8)."))
    return text


def _first_record(text: str) -> str:
    """The heading as it stands, line breaks within quotes included."""
    head = text[: MAX_HEADING_BYTES + 1]
    end = next(
        (found.start() for found in BREAK.finditer(head) if head[: found.start()].count('"') % 2 == 0), -1
    )
    first = head if end < 0 else head[:end]
    if not first.strip():
        raise CsvRefusedError(_("The file is empty."))
    if len(first.encode()) > MAX_HEADING_BYTES:
        raise CsvRefusedError(_("The first line is too long to be a heading."))
    return first


def guess_delimiter(text: str) -> str:
    """The separator under which the first rows are alike and a column is an email."""
    first = re.sub(r'"[^"]*"', "", _first_record(text))
    # Most columns first: only between equals does the text have to be parsed.
    present = sorted((one for one in DELIMITERS if one in first), key=first.count, reverse=True)
    if len(present) < 2:
        return present[0] if present else DELIMITERS[0]
    return max(present, key=lambda one: _fits(text, one))


def _fits(text: str, delimiter: str) -> tuple[bool, float]:
    rows = []
    try:
        for cells in islice(_reader(text[: 4 * MAX_HEADING_BYTES], delimiter), SAMPLE_ROWS):
            rows.append(cells)
    except csv.Error:
        pass
    if not rows:
        return False, 0.0
    alike = sum(len(cells) == len(rows[0]) for cells in rows) / len(rows)
    return "email" in guess_mapping(rows[0]).values(), alike


def _reader(text: str, delimiter: str) -> Any:
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)


def _headings(first: str, delimiter: str) -> tuple[str, ...]:
    """The names of the columns, each different: a second "name" is "name (2)"."""
    try:
        cells = next(_reader(first, delimiter))
    except (csv.Error, StopIteration) as error:
        raise CsvRefusedError(_("The first line cannot be read: %(why)s.") % {"why": error}) from None
    while cells and not cells[-1].strip():
        cells.pop()
    if len(cells) > MAX_COLUMNS:
        raise CsvRefusedError(_("The file has more than %(most)s columns.") % {"most": MAX_COLUMNS})
    return tuple(_told_apart([" ".join(cell.split()) for cell in cells]))


def _told_apart(names: Sequence[str]) -> Iterator[str]:
    seen = Counter[str]()
    for position, name in enumerate(names, start=1):
        name = name or _("Column %(number)s") % {"number": position}
        seen[name] += 1
        yield name if seen[name] == 1 else f"{name} ({seen[name]})"
