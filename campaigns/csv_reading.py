"""CSV files as people send them: encoding, delimiter and columns found out, hostile files refused."""

import codecs
import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from zoneinfo import available_timezones

from django.utils.translation import gettext as _

from campaigns.placeholders import column_name
from crm.contacts import InvalidAddress, normalise_email

MAX_BYTES = 20 * 1024 * 1024
MAX_ROWS = 200_000
MAX_COLUMNS = 100
MAX_HEADING_BYTES = 32_768
MAX_CELL = 2_000  # characters
DELIMITERS = (",", ";", "\t", "|")
LANGUAGE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*\Z")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
FORMULA = ("=", "+", "-", "@", "\t", "\r")
# How columns are called in the wild, in the form of placeholders.column_name.
KNOWN_HEADINGS = {
    "email": (
        "email",
        "e_mail",
        "mail",
        "email_address",
        "e_mail_address",
        "emailadresse",
        "adres_e_mail",
        "البريد",
    ),
    "name": ("name", "full_name", "fullname", "contact", "contact_name", "imię_i_nazwisko", "الاسم"),
    "first_name": ("first_name", "firstname", "given_name", "vorname", "imię"),
    "last_name": ("last_name", "lastname", "surname", "family_name", "nachname", "nazwisko"),
    "company": ("company", "company_name", "organisation", "organization", "employer", "firma", "الشركة"),
    "language": ("language", "lang", "locale", "sprache", "język", "اللغة"),
    "time_zone": ("time_zone", "timezone", "tz", "zeitzone"),
}
FIELDS = tuple(KNOWN_HEADINGS)


class CsvRefusedError(ValueError):
    """The file as a whole cannot be read; `str()` tells its owner why."""


@dataclass(frozen=True, slots=True)
class Table:
    """A readable file: its heading, and how to read the rest."""

    text: str
    encoding: str
    delimiter: str
    headings: tuple[str, ...]

    def fields(self, mapping: Mapping[str, str]) -> list[str]:
        """The field of each column, in the file's order, which a mapping out of the database has lost."""
        return [mapping[heading] for heading in self.headings]

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Line number and cells of each row that is not empty. Raises CsvRefusedError at a broken one."""
        reader = _reader(self.text, self.delimiter)
        next(reader, None)
        count = 0
        try:
            for cells in reader:
                if not any(cell.strip() for cell in cells):
                    continue
                count += 1
                if count > MAX_ROWS:
                    raise CsvRefusedError(
                        _("The file has more than %(most)s rows.") % {"most": f"{MAX_ROWS:,}"}
                    )
                yield reader.line_num, cells
        except csv.Error as error:
            line = reader.line_num
            raise CsvRefusedError(
                _("Line %(line)s is broken: %(why)s.") % {"line": line, "why": error}
            ) from None


@dataclass(frozen=True, slots=True)
class Person:
    """One good row."""

    line: int
    email: str
    as_given: str
    name: str = ""
    company: str = ""
    language: str = ""
    time_zone: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RowError:
    line: int
    reason: str


# --- The file ---------------------------------------------------------------------------------------


def read(content: bytes, *, delimiter: str = "") -> Table:
    """Raises CsvRefusedError when it is no CSV with a heading that names an email column."""
    if len(content) > MAX_BYTES:
        raise CsvRefusedError(_("The file is larger than %(most)s MB.") % {"most": MAX_BYTES // 1024 // 1024})
    text, encoding = decode(content)
    first = text.lstrip("\r\n").partition("\n")[0]
    if not first.strip():
        raise CsvRefusedError(_("The file is empty."))
    if len(first.encode()) > MAX_HEADING_BYTES:
        raise CsvRefusedError(_("The first line is too long to be a heading."))
    found = delimiter or guess_delimiter(first)
    return Table(text, encoding, found, _headings(text, found))


def decode(content: bytes) -> tuple[str, str]:
    """The text and the encoding it was in. Raises CsvRefusedError for what is not text."""
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if content.startswith(mark):
            return _decoded(content, encoding), encoding
    if b"\0" in content:
        raise CsvRefusedError(_("The file holds NUL bytes: it is not text. Save it as CSV (UTF-8)."))
    try:
        return content.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace"), "cp1252"


def _decoded(content: bytes, encoding: str) -> str:
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        raise CsvRefusedError(
            _("The file is damaged: it is not the %(name)s it says.") % {"name": encoding}
        ) from None
    if "\0" in text:
        raise CsvRefusedError(_("The file holds NUL characters: it is not text. Save it as CSV (UTF-8)."))
    return text


def guess_delimiter(first_line: str) -> str:
    outside = re.sub(r'"[^"]*"', "", first_line)
    return max(DELIMITERS, key=lambda one: (outside.count(one), -DELIMITERS.index(one)))


def _reader(text: str, delimiter: str) -> Any:
    return csv.reader(io.StringIO(text.lstrip("\r\n"), newline=""), delimiter=delimiter, strict=True)


def _headings(text: str, delimiter: str) -> tuple[str, ...]:
    try:
        headings = tuple(cell.strip() for cell in next(_reader(text, delimiter)))
    except (csv.Error, StopIteration) as error:
        raise CsvRefusedError(_("The first line cannot be read: %(why)s.") % {"why": error}) from None
    if len(headings) > MAX_COLUMNS:
        raise CsvRefusedError(_("The file has more than %(most)s columns.") % {"most": MAX_COLUMNS})
    return headings


# --- Columns ----------------------------------------------------------------------------------------


def guess_mapping(headings: Sequence[str]) -> dict[str, str]:
    """Which field each column is; other columns are kept under their own name.

    Raises CsvRefusedError without an email column, or when two columns would be one field.
    """
    mapping: dict[str, str] = {}
    for position, heading in enumerate(headings, start=1):
        name = column_name(heading) or f"column_{position}"
        meant = next((field for field, names in KNOWN_HEADINGS.items() if name in names), name)
        if heading in mapping or meant in mapping.values():
            raise CsvRefusedError(_("Two columns are called “%(name)s”.") % {"name": heading or meant})
        mapping[heading] = meant
    if "email" not in mapping.values():
        raise CsvRefusedError(_no_email(headings))
    return mapping


def _no_email(headings: Sequence[str]) -> str:
    if any("@" in heading for heading in headings):
        return _("The first line must name the columns, like: email,name,company.")
    return _("No column is called “email”. Found: %(names)s.") % {"names": ", ".join(headings)[:200]}


# --- Rows -------------------------------------------------------------------------------------------


def person_of(line: int, cells: Sequence[str], *, fields: Sequence[str]) -> Person | RowError:
    """The row as a person, `fields` naming its columns; or why it cannot be one."""
    if len(cells) > len(fields):
        return RowError(line, _("More cells than the heading has columns."))
    values = {name: cell.strip() for name, cell in zip(fields, cells, strict=False)}
    try:
        email = normalise_email(values.get("email", ""))
    except InvalidAddress as error:
        return RowError(line, str(error) if values.get("email") else _("No email address."))
    reason = _objection(values)
    if reason:
        return RowError(line, reason)
    return Person(
        line=line,
        email=email,
        as_given=values["email"],
        name=_name(values),
        company=values.get("company", ""),
        language=values.get("language", "").replace("_", "-"),
        time_zone=values.get("time_zone", ""),
        fields={name: value for name, value in values.items() if value and name not in FIELDS},
    )


def _name(values: Mapping[str, str]) -> str:
    both = f"{values.get('first_name', '')} {values.get('last_name', '')}".strip()
    return values.get("name") or both


def _objection(values: Mapping[str, str]) -> str:
    for name, value in values.items():
        if CONTROL.search(value):
            return _("The column “%(name)s” holds a line break or a control character.") % {"name": name}
        if len(value) > (200 if name in FIELDS else MAX_CELL) or len(_name(values)) > 200:
            return _("The column “%(name)s” is too long.") % {"name": name}
    if values.get("language") and not (LANGUAGE.match(values["language"]) and len(values["language"]) <= 12):
        return _("“%(value)s” is not a language code like en or pt-BR.") % {"value": values["language"][:40]}
    if values.get("time_zone") and values["time_zone"] not in _zones():
        return _("“%(value)s” is not a time zone like Europe/Warsaw.") % {"value": values["time_zone"][:60]}
    return ""


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


# --- Writing ----------------------------------------------------------------------------------------


def guarded(cell: str) -> str:
    """The cell, so that no spreadsheet takes it for a formula (OWASP, CSV injection)."""
    return f"'{cell}" if cell.startswith(FORMULA) else cell


def written(rows: Sequence[Sequence[str]], *, delimiter: str = ",", is_guarded: bool = True) -> str:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter)
    for row in rows:
        writer.writerow([guarded(cell) for cell in row] if is_guarded else row)
    return out.getvalue()
