"""Tables and JSON: each row or element is a record, "Column: value; …", that is kept whole."""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from knowledge.formats.found import Found, Piece, RefusedFile, bounded, counted

MOST_COLUMNS = 1_000
LONGEST_FIELD = 200_000  # characters
MOST_JSON_DEPTH = 64
DELIMITERS = (",", ";", "\t", "|")


KEY_FIELDS = 3
LONGEST_KEY_FIELD = 80  # characters


def record(fields: Sequence[str], place: dict[str, Any]) -> Piece:
    return Piece("; ".join(fields), place, is_record=True, key=_key_of(fields))


def _key_of(fields: Sequence[str]) -> str:
    """What names a record: its first short fields. A table begins with them, and people ask by them."""
    short = (field for field in fields if len(field) <= LONGEST_KEY_FIELD)
    return "; ".join(islice(short, KEY_FIELDS))


def named_fields(names: Sequence[str], values: Sequence[str]) -> list[str]:
    """Each value with its name; values without a name are kept too, empty ones are not."""
    fields = []
    for index, value in enumerate(values):
        value = value.strip()
        if value:
            name = names[index].strip() if index < len(names) else ""
            fields.append(f"{name or f'Column {index + 1}'}: {value}")
    return fields


# --- CSV ------------------------------------------------------------------------------------


def delimiter_of(text: str) -> str | None:
    """What separates the columns; None when the text is no table: its lines differ in their fields."""
    first = text.lstrip("\n").partition("\n")[0]
    for delimiter in sorted(DELIMITERS, key=first.count, reverse=True):
        if first.count(delimiter) and _is_regular(text, delimiter):
            return delimiter
    return None


def _is_regular(text: str, delimiter: str) -> bool:
    if text.lstrip("\n").partition("\n")[0].count(delimiter) > MOST_COLUMNS:
        return True  # read_csv refuses it, and says why
    rows = [
        row for row in islice(_rows(text[:200_000], delimiter), 50) if any(field.strip() for field in row)
    ]
    if len(text) > 200_000:
        rows = rows[:-1]  # the sample may end within a row
    if len(rows) < 2 or len(rows[0]) < 2:
        return False
    width = len(rows[0])
    # Prose has sentences, and hardly any two lines of it hold the same number of commas.
    header_is_short = all(len(name) <= 80 for name in rows[0])
    return header_is_short and sum(len(row) == width for row in rows) >= 0.9 * len(rows)


def _rows(text: str, delimiter: str) -> Iterator[list[str]]:
    csv.field_size_limit(LONGEST_FIELD)
    try:
        yield from csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    except csv.Error:
        raise RefusedFile(f"A field of this table is longer than {LONGEST_FIELD:,} characters.") from None


def read_csv(text: str, delimiter: str) -> Found:
    columns = text.lstrip("\n").partition("\n")[0].count(delimiter) + 1
    if columns > MOST_COLUMNS:
        raise RefusedFile(f"It has {columns:,} columns; the most that can be read is {MOST_COLUMNS:,}.")
    rows = counted(_csv_records(text, delimiter), total=text.count("\n"), unit="rows")
    pieces = list(bounded(rows))
    if not pieces:
        raise RefusedFile("It has a header and no rows.")
    return Found("text/csv", pieces)


def _csv_records(text: str, delimiter: str) -> Iterator[Piece]:
    return records_of(_rows(text, delimiter), {})


def records_of(rows: Iterable[Sequence[str]], place: dict[str, Any]) -> Iterator[Piece]:
    """The rows below a header, the first that is not empty; numbered as a spreadsheet shows them."""
    names: Sequence[str] = ()
    for number, row in enumerate(rows, start=1):
        if len(row) > MOST_COLUMNS:
            raise RefusedFile(
                f"Row {number} has {len(row):,} columns; the most that can be read is {MOST_COLUMNS:,}."
            )
        if not names:
            names = row if any(map(str.strip, row)) else ()
        else:
            yield record(named_fields(names, row), {**place, "row": number})


# --- JSON -----------------------------------------------------------------------------------

STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.S)
BRACKETS = re.compile(r"[\[\]{}]")


def looks_like_json(text: str) -> bool:
    return text.lstrip()[:1] in ("{", "[")


def read_json(text: str) -> Found | None:
    """Its records; None when it only looks like JSON."""
    _check_depth(text)
    try:
        value = json.loads(text)
    except RecursionError:
        raise RefusedFile("This JSON is nested too deeply.") from None
    except ValueError:
        return _read_json_lines(text)
    return _found_in_json(value, "application/json")


def _read_json_lines(text: str) -> Found | None:
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) < 2:
        return None
    try:
        return _found_in_json([json.loads(line) for line in lines], "application/x-ndjson")
    except (ValueError, RecursionError):
        return None


def _check_depth(text: str) -> None:
    """Refuses before parsing: a parser that recurses would need as much stack as the file is deep."""
    depth = 0
    for match in BRACKETS.finditer(STRING.sub("", text)):
        depth += 1 if match.group() in "[{" else -1
        if depth > MOST_JSON_DEPTH:
            raise RefusedFile(f"This JSON is nested more than {MOST_JSON_DEPTH} levels deep.")


def _found_in_json(value: Any, mime: str) -> Found:
    pieces = list(bounded(counted(_json_records(value), total=_record_count(value), unit="records")))
    if not pieces:
        raise RefusedFile("It holds no text.")
    return Found(mime, pieces)


def _record_count(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + sum(len(inner) for inner in value.values() if isinstance(inner, list))
    return len(value) if isinstance(value, list) else 1


def _json_records(value: Any) -> Iterator[Piece]:
    if isinstance(value, list):
        for number, element in enumerate(value, start=1):
            yield record(list(_fields(element, "")), {"row": number})
        return
    if isinstance(value, dict):
        yield from _records_of_object(value)
        return
    yield record([str(value)], {})


def _records_of_object(value: dict[str, Any]) -> Iterator[Piece]:
    """Lists of objects in it are records of their own, named by their key; the rest is one record."""
    lists = {key: inner for key, inner in value.items() if isinstance(inner, list) and _holds_objects(inner)}
    rest = {key: inner for key, inner in value.items() if key not in lists}
    yield record(list(_fields(rest, "")), {})
    for key, inner in lists.items():
        for number, element in enumerate(inner, start=1):
            yield record(list(_fields(element, str(key))), {"row": number, "sheet": str(key)[:100]})


def _holds_objects(values: list[Any]) -> bool:
    return any(isinstance(value, dict) for value in values)


def _fields(value: Any, name: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _fields(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list) and any(isinstance(inner, dict | list) for inner in value):
        for number, inner in enumerate(value, start=1):
            yield from _fields(inner, f"{name}[{number}]")
    elif value is not None and value != "" and value != []:
        shown = ", ".join(str(inner) for inner in value) if isinstance(value, list) else str(value)
        yield f"{name}: {shown}" if name else shown
