"""Reads one untrusted file in a process of its own: `python -m knowledge.reading_process`.

The file comes on standard input, the answer leaves as JSON on standard output: {"mime", "page_count",
"pieces": [[text, locator, is_record, key], …]} or {"refused": "why"}. How far it is goes to a pipe of its
own. The process limits itself before it looks at a byte, has none of the parent's environment, and
imports nothing of Django.
"""

import json
import os
import resource
import signal
import sys
from typing import Any

from knowledge.formats.found import PROGRESS, Found, RefusedFile

TOO_BIG = "Reading it needed more memory than is allowed."


def limit(*, memory_bytes: int, cpu_seconds: int, output_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))
    # The kernel stops whatever would write more, also a parser that was taken over.
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it, and would report a plain error
    resource.setrlimit(resource.RLIMIT_FSIZE, (output_bytes, output_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))


def found_in(content: bytes) -> Found:
    """What the file says; its type is told by its content, never by its name. Raises RefusedFile."""
    # Imported where they are needed: a text file is read without waiting for lxml and pdfium.
    if not content.strip():
        raise RefusedFile("The file is empty.")
    if b"%PDF-" in content[:1024]:
        return _found_in_pdf(content)
    if content.startswith(b"PK\x03\x04"):
        from knowledge.formats.office import read_office

        return read_office(content)
    if content.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        raise RefusedFile(
            "It is an old or encrypted Office file. Save it as .docx or .xlsx without a password."
        )
    return _found_in_text(content)


def _found_in_pdf(content: bytes) -> Found:
    """Readers accept a PDF's header anywhere near the beginning; a text about PDFs may name it there too."""
    from knowledge.formats.pdf import DamagedPdf, read_pdf

    try:
        return read_pdf(content)
    except DamagedPdf:
        if content.lstrip().startswith(b"%PDF-"):
            raise
    return _found_in_text(content)


def _found_in_text(content: bytes) -> Found:
    from knowledge.formats.records import delimiter_of, looks_like_json, read_csv, read_json
    from knowledge.formats.text import decoded, looks_like_html, read_html, read_text

    text = decoded(content)
    if looks_like_html(text):
        return read_html(text)
    if looks_like_json(text):
        found = read_json(text)
        if found is not None:
            return found
    delimiter = delimiter_of(text)
    return read_text(text) if delimiter is None else read_csv(text, delimiter)


def answer(content: bytes) -> dict[str, Any]:
    try:
        found = found_in(content)
    except RefusedFile as refusal:
        return {"refused": str(refusal)}
    except (MemoryError, RecursionError):
        return {"refused": TOO_BIG}
    pieces = [[piece.text, piece.locator, piece.is_record, piece.key] for piece in found.pieces]
    return {"mime": found.mime, "page_count": found.page_count, "pieces": pieces}


def main() -> None:
    memory_bytes, cpu_seconds, output_bytes, pipe = (int(value) for value in sys.argv[1:5])
    PROGRESS.to = os.fdopen(pipe, "w", encoding="ascii")
    limit(memory_bytes=memory_bytes, cpu_seconds=cpu_seconds, output_bytes=output_bytes)
    result = answer(sys.stdin.buffer.read())
    json.dump(result, sys.stdout)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
