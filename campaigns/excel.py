"""Excel files of people: read in a limited child process, so that no file can hurt this one."""

import json
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.utils.translation import gettext as _

from knowledge import reading

MEMORY_BYTES = 512 * 1024 * 1024
# Whoever sends a file waits for it on a thread of the web process, and pages need those too.
AT_ONCE = 2
COME_AGAIN_SECONDS = 15
_free = threading.BoundedSemaphore(AT_ONCE)


class ExcelRefusedError(ValueError):
    """The file cannot be read; `str()` tells its owner why."""


class ExcelBusyError(Exception):
    """As many files as may be are being read; the same one may be sent again soon. `str()` is for people."""


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
    """Raises ExcelRefusedError, and nothing else whatever the file holds; ExcelBusyError at once."""
    if is_old_excel(content):
        raise ExcelRefusedError(
            "It is an old or encrypted Excel file. Save it as .xlsx without a password, or as CSV."
        )
    with _turn(), tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as output:
        source.write(content)
        source.seek(0)
        try:
            reading.run_limited("campaigns.excel_process", source, output, memory_bytes=MEMORY_BYTES)
        except reading.Refused as refusal:
            raise ExcelRefusedError(str(refusal)) from None
        output.seek(0)
        return _sheet(output.read(reading.OUTPUT_BYTES))


@contextmanager
def _turn() -> Iterator[None]:
    if not _free.acquire(blocking=False):
        words = _("Other Excel files are being read at this moment. Send it again in a minute, or as CSV.")
        raise ExcelBusyError(words)
    try:
        yield
    finally:
        _free.release()


def _sheet(answer: bytes) -> Sheet:
    try:
        found = json.loads(answer)
        refused = found.get("refused")
        if refused is None:
            return Sheet(str(found["sheet"])[:100], str(found["csv"]))
    except (ValueError, LookupError, TypeError, AttributeError):
        raise ExcelRefusedError(reading.BROKE_THE_READER) from None
    raise ExcelRefusedError(str(refused))
