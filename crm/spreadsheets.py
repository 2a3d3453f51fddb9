"""CSV that a spreadsheet may open: what it would run as a formula is only text to it."""

import csv
import io
import re
from collections.abc import Sequence

# OWASP, "CSV Injection": also full-width signs; a bar and a percent sign begin commands of older programs.
_SIGNS = "[-=+@|%\t\r\n\uff1d\uff0b\uff0d\uff20]"
_FORMULA = re.compile(f"'*{_SIGNS}")
_GUARDED = re.compile(f"'+{_SIGNS}")


def guarded(cell: str) -> str:
    """An apostrophe before what begins like a formula, and before such apostrophes of the text's own.

    So `unguarded` gives back exactly what there was.
    """
    return f"'{cell}" if _FORMULA.match(cell) else cell


def unguarded(cell: str) -> str:
    return cell[1:] if _GUARDED.match(cell) else cell


def written(rows: Sequence[Sequence[str]], *, delimiter: str = ",", is_guarded: bool = True) -> str:
    """The rows as RFC 4180 has them: CRLF, and quotes where a cell needs them."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter)
    for row in rows:
        writer.writerow([guarded(cell) for cell in row] if is_guarded else row)
    return out.getvalue()
