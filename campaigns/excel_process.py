"""Reads one untrusted Excel file in a process of its own: `python -m campaigns.excel_process`.

The file comes on standard input; the sheet of people leaves as JSON on standard output:
{"sheet": its name, "csv": its rows} or {"refused": "why"}. Nothing of Django is imported here.
"""

import csv
import io
import json
import re
import sys
from collections.abc import Iterator
from datetime import date, datetime
from itertools import islice
from typing import Any

MOST_ROWS = 100_000
MOST_COLUMNS = 100
MOST_BLANK_ROWS = 1_000  # in a row, which only formatting made
LOOKED_AT = 20  # rows, for the heading
EMAIL_HEADING = re.compile(r"mail|البريد", re.IGNORECASE)


def answer(content: bytes) -> dict[str, str]:
    from knowledge.formats.found import RefusedFile
    from knowledge.formats.office import WHAT_DAMAGE_RAISES
    from knowledge.reading_process import TOO_BIG

    try:
        return sheet_of(content)
    except RefusedFile as refusal:
        return {"refused": str(refusal)}
    except (MemoryError, RecursionError):
        return {"refused": TOO_BIG}
    except WHAT_DAMAGE_RAISES:
        return {"refused": "It begins like an Excel file, but it is damaged."}


def sheet_of(content: bytes) -> dict[str, str]:
    import openpyxl

    from knowledge.formats.found import RefusedFile
    from knowledge.formats.office import opened

    if "xl/workbook.xml" not in opened(content).namelist():
        raise RefusedFile("It is a zip archive, and no Excel file. Unpack it and import the table in it.")
    book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
    sheets = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
    for sheet in sheets:
        # Rows as they are: a stated width of 16,384 columns would make each of them so wide.
        sheet.reset_dimensions()
    chosen = next((sheet for sheet in sheets if _names_an_email(sheet)), sheets[0] if sheets else None)
    if chosen is None:
        raise RefusedFile("It has no visible sheet.")
    return {"sheet": str(chosen.title), "csv": _written(chosen)}


def _names_an_email(sheet: Any) -> bool:
    rows = (row for row in sheet.iter_rows(values_only=True, max_row=LOOKED_AT) if any(row))
    heading = next(rows, ())
    return any(EMAIL_HEADING.search(str(cell)) for cell in islice(heading, MOST_COLUMNS) if cell)


def _written(sheet: Any) -> str:
    out = io.StringIO(newline="")
    # Blank rows stay, so that the number of a row is the one that Excel shows.
    csv.writer(out, lineterminator="\n").writerows(_rows(sheet))
    return out.getvalue()


def _rows(sheet: Any) -> Iterator[list[str]]:
    from knowledge.formats.found import RefusedFile

    blank = count = 0
    for row in sheet.iter_rows(values_only=True):
        cells = _cells(row)
        if not cells:
            blank += 1
            if blank > MOST_BLANK_ROWS:
                return
            continue
        count += 1
        if len(cells) > MOST_COLUMNS:
            raise RefusedFile(f"It has more than {MOST_COLUMNS} columns.")
        if count > MOST_ROWS + 1:
            raise RefusedFile(f"It has more than {MOST_ROWS:,} rows.")
        yield from ([] for _row in range(blank))
        blank = 0
        yield cells


def _cells(row: Any) -> list[str]:
    cells = [_cell(value) for value in row]
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime | date):
        return value.isoformat(" ").removesuffix(" 00:00:00") if isinstance(value, datetime) else str(value)
    # What no database stores.
    return str(value).replace("\x00", "").encode("utf-8", "replace").decode().strip()


def main() -> None:
    from knowledge.reading_process import limit

    memory_bytes, cpu_seconds, output_bytes, _pipe = (int(value) for value in sys.argv[1:5])
    limit(memory_bytes=memory_bytes, cpu_seconds=cpu_seconds, output_bytes=output_bytes)
    json.dump(answer(sys.stdin.buffer.read()), sys.stdout)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
