"""Word and Excel files: zip archives of XML, opened only after their sizes were checked."""

import io
import zipfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import openpyxl
from lxml import etree

from knowledge.formats.found import Found, Piece, RefusedFile, bounded, counted
from knowledge.formats.records import records_of

MOST_ENTRIES = 5_000
MOST_EXPANDED = 300 * 1024 * 1024  # bytes of all parts
MOST_XML = 100 * 1024 * 1024  # bytes of one part
BOMB_RATIO = 200  # XML packs 5 to 20 times; nothing honest packs this much
WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
# A SyntaxError is how both XML parsers complain.
WHAT_DAMAGE_RAISES = (
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    OSError,
    EOFError,
    SyntaxError,
    zipfile.BadZipFile,
)
BOMB = "It unpacks to far more than its size (a zip bomb), so it was not opened."


def looks_like_zip(content: bytes) -> bool:
    return content.startswith(b"PK\x03\x04")


def read_office(content: bytes) -> Found:
    archive = opened(content)
    names = set(archive.namelist())
    if "word/document.xml" in names:
        return _read_docx(archive)
    if "xl/workbook.xml" in names:
        return _read_xlsx(content)
    raise RefusedFile("It is a zip archive. Unpack it and upload the documents in it.")


def opened(content: bytes) -> zipfile.ZipFile:
    """The archive, once its parts are known to unpack to an honest size. Raises RefusedFile."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        raise RefusedFile("It begins like a Word or Excel file, but it is damaged.") from None
    entries = archive.infolist()
    expanded = sum(entry.file_size for entry in entries)
    if len(entries) > MOST_ENTRIES:
        raise RefusedFile(BOMB)
    if expanded > MOST_EXPANDED or expanded > BOMB_RATIO * max(len(content), 50_000):
        raise RefusedFile(BOMB)
    if any(entry.flag_bits & 0x1 for entry in entries):
        raise RefusedFile("It is encrypted. Remove its password and upload it again.")
    return archive


def _part(archive: zipfile.ZipFile, name: str) -> bytes:
    """One part, read no further than its limit: the size an archive states may be a lie."""
    try:
        with archive.open(name) as part:
            content = part.read(MOST_XML + 1)
    except (zipfile.BadZipFile, NotImplementedError, OSError, EOFError, RuntimeError):
        raise RefusedFile("It begins like a Word or Excel file, but it is damaged.") from None
    if len(content) > MOST_XML:
        raise RefusedFile(BOMB)
    return content


def _read_docx(archive: zipfile.ZipFile) -> Found:
    # Entities stay unresolved and huge trees refused: an XML bomb expands to nothing.
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(_part(archive, "word/document.xml"), parser)
    except etree.XMLSyntaxError:
        raise RefusedFile("It begins like a Word file, but its text is damaged.") from None
    pieces = list(bounded(_word_pieces(root)))
    if not pieces:
        raise RefusedFile("It holds no text.")
    return Found(DOCX, pieces)


def _word_pieces(root: Any) -> Iterator[Piece]:
    """The paragraphs under each heading; each table row is a line "cell | cell"."""
    title = ""
    lines: list[str] = []
    first = number = 1
    for block in root.iter(f"{WORD}p", f"{WORD}tr"):
        text = _word_block(block)
        if text is None:
            continue
        if _is_heading(block):
            yield _word_piece(lines, title, first)
            title, lines, first = text, [], number
        if text:
            lines.append(text)
        number += 1
    yield _word_piece(lines, title, first)


def _word_piece(lines: list[str], title: str, first: int) -> Piece:
    locator: dict[str, Any] = {"paragraph": first}
    if title:
        locator["heading"] = title[:200]
    return Piece("\n\n".join(lines), locator)


def _word_block(block: Any) -> str | None:
    """The text of a paragraph or a table row; None for a paragraph that its row already gives."""
    if block.tag == f"{WORD}tr":
        cells = (" ".join(_run_text(cell).split()) for cell in block.iterchildren(f"{WORD}tc"))
        return " | ".join(cell for cell in cells if cell)
    if next(block.iterancestors(f"{WORD}tr"), None) is not None:
        return None
    return _run_text(block).strip()


def _run_text(element: Any) -> str:
    parts = []
    for node in element.iter(f"{WORD}t", f"{WORD}tab", f"{WORD}br", f"{WORD}p"):
        parts.append((node.text or "") if node.tag == f"{WORD}t" else " ")
    return "".join(parts)


def _is_heading(block: Any) -> bool:
    style = block.find(f"{WORD}pPr/{WORD}pStyle")
    return style is not None and str(style.get(f"{WORD}val", "")).lower().startswith(("heading", "title"))


def _read_xlsx(content: bytes) -> Found:
    try:
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        pieces = list(bounded(_workbook_records(book)))
    except WHAT_DAMAGE_RAISES:
        raise RefusedFile("It begins like an Excel file, but it is damaged.") from None
    if not pieces:
        raise RefusedFile("Its sheets have no rows below a header.")
    return Found(XLSX, pieces)


def _workbook_records(book: Any) -> Iterator[Piece]:
    # What a file says of its own sizes is only good for telling how far we are.
    total = sum(sheet.max_row or 0 for sheet in book.worksheets)
    records = (piece for sheet in book.worksheets for piece in _sheet_records(sheet))
    return counted(records, total=total, unit="rows")


def _sheet_records(sheet: Any) -> Iterator[Piece]:
    # Rows as they are: a stated width of 16,384 columns would make each of them so wide.
    sheet.reset_dimensions()
    return records_of(map(_cells, sheet.iter_rows(values_only=True)), {"sheet": sheet.title})


def _cells(row: Sequence[Any]) -> list[str]:
    """The texts of a row without the empty cells at its end, which only formatting made."""
    cells = [_cell(value) for value in row]
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _cell(value: Any) -> str:
    if value is None:
        return ""
    # Excel has no dates without a time; nobody asks for midnight.
    return str(value).removesuffix(" 00:00:00") if isinstance(value, datetime) else str(value)
