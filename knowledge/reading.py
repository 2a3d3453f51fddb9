"""A file becomes text with places: read in a limited child process, so that no file can hurt the parent."""

import json
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from typing import IO, Any

from django.conf import settings

from knowledge.chunking import Section

CPU_SECONDS = 30
WALL_SECONDS = 45  # a task lives at most a minute
OUTPUT_BYTES = 128 * 1024 * 1024
BASE_MEMORY_BYTES = 768 * 1024 * 1024
MEMORY_PER_BYTE = 8  # of the file: decoded, split and answered

TOO_LONG = "Reading it took longer than is allowed."
TOO_MUCH_MEMORY = "Reading it needed more memory than is allowed."
TOO_MUCH_TEXT = "It holds more text than can be searched. Split it into several files."
BROKE_THE_READER = "It is damaged in a way that made reading it impossible."
ENDED_BY = {
    signal.SIGXCPU: TOO_LONG,
    signal.SIGKILL: TOO_LONG,
    signal.SIGXFSZ: TOO_MUCH_TEXT,
    signal.SIGABRT: TOO_MUCH_MEMORY,
}


class Refused(Exception):  # noqa: N818 (a refusal is an answer)
    """The file itself is at fault; the message says why, in words for staff."""


@dataclass(frozen=True, slots=True)
class Reading:
    mime: str
    sections: list[Section]
    page_count: int | None


def read(content: IO[bytes], *, size: int) -> Reading:
    """What an open file says. Raises Refused, and nothing else whatever the file holds."""
    if size > settings.MAX_DOCUMENT_BYTES:
        raise Refused(f"It is larger than {settings.MAX_DOCUMENT_BYTES // 1024**2} MB.")
    with tempfile.TemporaryFile() as output:
        _run(content, output, memory_bytes=BASE_MEMORY_BYTES + MEMORY_PER_BYTE * size)
        output.seek(0)
        result = _parsed(output.read(OUTPUT_BYTES))
    if "refused" in result:
        raise Refused(str(result["refused"]))
    sections = [Section(text, locator, is_record) for text, locator, is_record in result["pieces"]]
    return Reading(result["mime"], sections, result["page_count"])


def _run(content: IO[bytes], output: IO[bytes], *, memory_bytes: int) -> None:
    limits = [str(memory_bytes), str(CPU_SECONDS), str(OUTPUT_BYTES)]
    try:
        ended = subprocess.run(  # noqa: S603 (our own module, by our own interpreter)
            [sys.executable, "-m", "knowledge.reading_process", *limits],
            stdin=content,
            stdout=output,
            stderr=subprocess.DEVNULL,  # a parser's complaints quote the file
            cwd=settings.BASE_DIR,
            env={"PYTHONIOENCODING": "utf-8", "LC_ALL": "C.UTF-8"},  # no secret of ours reaches the parser
            timeout=WALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Refused(TOO_LONG) from None
    if ended.returncode < 0:
        raise Refused(ENDED_BY.get(signal.Signals(-ended.returncode), BROKE_THE_READER))
    if ended.returncode:
        raise Refused(BROKE_THE_READER)


def _parsed(output: bytes) -> dict[str, Any]:
    try:
        result: dict[str, Any] = json.loads(output)
    except ValueError:
        raise Refused(BROKE_THE_READER) from None
    return result
