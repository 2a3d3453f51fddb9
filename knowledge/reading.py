"""A file becomes text with places: read in a limited child process, so that no file can hurt the parent."""

import json
import os
import re
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any

from django.conf import settings

from knowledge.chunking import Section

CPU_SECONDS = 30
WALL_SECONDS = 45  # a task lives at most a minute
OUTPUT_BYTES = 128 * 1024 * 1024
BASE_MEMORY_BYTES = 768 * 1024 * 1024
MEMORY_PER_BYTE = 8  # of the file: decoded, split and answered
TELL_EVERY_SECONDS = 0.4
MOST_TOLD_BYTES = 64 * 1024
# The reader may have been taken over by the file: nothing but what is expected is believed.
PROGRESS_LINE = re.compile(rb"(?m)^(\d{1,9}) (\d{1,9}) (pages|rows|records)\n")

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


OnProgress = Callable[[int, int, str], None]  # done, total, "pages"


def read(content: IO[bytes], *, size: int, on_progress: OnProgress | None = None) -> Reading:
    """What an open file says. Raises Refused, and nothing else whatever the file holds.

    `on_progress` is called about twice a second while a long file is read.
    """
    if size > settings.MAX_DOCUMENT_BYTES:
        raise Refused(f"It is larger than {settings.MAX_DOCUMENT_BYTES // 1024**2} MB.")
    with tempfile.TemporaryFile() as output:
        memory_bytes = BASE_MEMORY_BYTES + MEMORY_PER_BYTE * size
        run_limited(
            "knowledge.reading_process", content, output, memory_bytes=memory_bytes, on_progress=on_progress
        )
        output.seek(0)
        result = _parsed(output.read(OUTPUT_BYTES))
    if "refused" in result:
        raise Refused(str(result["refused"]))
    return Reading(result["mime"], [Section(*piece) for piece in result["pieces"]], result["page_count"])


def run_limited(
    module: str,
    content: IO[bytes],
    output: IO[bytes],
    *,
    memory_bytes: int,
    on_progress: OnProgress | None = None,
) -> None:
    """Runs a module of ours that reads an untrusted file in a process with limits; it answers in `output`.

    The module calls `knowledge.reading_process.limit` with its first arguments. Raises Refused.
    """
    deadline = time.monotonic() + WALL_SECONDS
    ours, theirs = os.pipe()
    try:
        limits = (memory_bytes, CPU_SECONDS, OUTPUT_BYTES)
        process = _started(module, content, output, limits=limits, pipe=theirs)
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
    with process, open(ours, "rb", buffering=0) as progress:
        try:
            _follow(progress, on_progress, deadline=deadline)
            code = process.wait(timeout=max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise Refused(TOO_LONG) from None
        finally:
            process.kill()  # nothing happens to one that has ended
    if code < 0:
        raise Refused(ENDED_BY.get(signal.Signals(-code), BROKE_THE_READER))
    if code:
        raise Refused(BROKE_THE_READER)


def _started(
    module: str, content: IO[bytes], output: IO[bytes], *, limits: tuple[int, int, int], pipe: int
) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(  # noqa: S603 (our own module, by our own interpreter)
        [sys.executable, "-m", module, *map(str, (*limits, pipe))],
        stdin=content,
        stdout=output,
        stderr=subprocess.DEVNULL,  # a parser's complaints quote the file
        cwd=settings.BASE_DIR,
        env={"PYTHONIOENCODING": "utf-8", "LC_ALL": "C.UTF-8"},  # no secret of ours reaches the parser
        pass_fds=(pipe,),
    )


def _follow(progress: IO[bytes], on_progress: OnProgress | None, *, deadline: float) -> None:
    """Passes on how far the reader is, until it has nothing more to tell or its time is over."""
    told = 0.0
    with selectors.DefaultSelector() as waiting:
        waiting.register(progress, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0 and waiting.select(left):
            lines = progress.read(MOST_TOLD_BYTES)
            if not lines:
                return
            found = PROGRESS_LINE.findall(lines)
            if found and on_progress is not None and time.monotonic() - told >= TELL_EVERY_SECONDS:
                told = time.monotonic()
                done, total, unit = found[-1]
                on_progress(int(done), int(total), unit.decode())


def _parsed(output: bytes) -> dict[str, Any]:
    try:
        result: dict[str, Any] = json.loads(output)
    except ValueError:
        raise Refused(BROKE_THE_READER) from None
    return result
