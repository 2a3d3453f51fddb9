"""Excel files of people: read in a limited child process, so that no file can hurt this one."""

import json
import tempfile
from dataclasses import dataclass

from knowledge import reading

MEMORY_BYTES = 512 * 1024 * 1024


class ExcelRefusedError(ValueError):
    """The file cannot be read; `str()` tells its owner why."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """The sheet that holds the people, its rows as CSV; row numbers are Excel's."""

    name: str
    csv: str


def looks_like_excel(content: bytes) -> bool:
    return content.startswith(b"PK\x03\x04") or is_old_excel(content)


def is_old_excel(content: bytes) -> bool:
    return content.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")


def sheet_of(content: bytes) -> Sheet:
    """Raises ExcelRefusedError, and nothing else whatever the file holds."""
    if is_old_excel(content):
        raise ExcelRefusedError(
            "It is an old or encrypted Excel file. Save it as .xlsx without a password, or as CSV."
        )
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as output:
        source.write(content)
        source.seek(0)
        try:
            reading.run_limited("campaigns.excel_process", source, output, memory_bytes=MEMORY_BYTES)
        except reading.Refused as refusal:
            raise ExcelRefusedError(str(refusal)) from None
        output.seek(0)
        return _sheet(output.read(reading.OUTPUT_BYTES))


def _sheet(answer: bytes) -> Sheet:
    try:
        found = json.loads(answer)
        refused = found.get("refused")
        if refused is None:
            return Sheet(str(found["sheet"])[:100], str(found["csv"]))
    except (ValueError, LookupError, TypeError, AttributeError):
        raise ExcelRefusedError(reading.BROKE_THE_READER) from None
    raise ExcelRefusedError(str(refused))
