"""PDF: the text of each page."""

from collections.abc import Iterator

import pypdfium2
from pypdfium2 import PdfiumError

from knowledge.formats.found import Found, Piece, RefusedFile, bounded, counted

MOST_PAGES = 3_000
# FPDF_GetLastError: 4 is FPDF_ERR_PASSWORD (fpdfview.h)
NEEDS_PASSWORD = "password"  # noqa: S105 (a word of an error message)


class DamagedPdf(RefusedFile):
    """It could not even be opened."""


def looks_like_pdf(content: bytes) -> bool:
    # Readers accept a header anywhere in the first 1024 bytes (PDF 32000-1, annex H.3.4.1).
    return b"%PDF-" in content[:1024]


def read_pdf(content: bytes) -> Found:
    document = _opened(content)
    page_count = len(document)
    if page_count > MOST_PAGES:
        raise RefusedFile(f"It has {page_count:,} pages; the most that can be read is {MOST_PAGES:,}.")
    pieces = list(bounded(counted(_pages(document), total=page_count, unit="pages")))
    if not pieces:
        raise RefusedFile(
            "No text was found in this PDF. It may be scanned: run text recognition (OCR), upload it again."
        )
    return Found("application/pdf", pieces, page_count)


def _opened(content: bytes) -> pypdfium2.PdfDocument:
    try:
        return pypdfium2.PdfDocument(content)
    except PdfiumError as error:
        if NEEDS_PASSWORD in str(error).lower():
            raise RefusedFile("This PDF is encrypted. Remove its password and upload it again.") from None
        raise DamagedPdf("This PDF is damaged and cannot be opened.") from None


def _pages(document: pypdfium2.PdfDocument) -> Iterator[Piece]:
    for index in range(len(document)):
        yield Piece(_text_of_page(document, index), {"page": index + 1})


def _text_of_page(document: pypdfium2.PdfDocument, index: int) -> str:
    """The page's text; a page that is damaged has none, and the others are still read."""
    try:
        page = document[index]
    except PdfiumError:
        return ""
    try:
        text: str = page.get_textpage().get_text_range()
    except PdfiumError:
        return ""
    finally:
        page.close()
    # pdfium marks a hyphen at a line's end with U+FFFE; NUL cannot be stored.
    return text.replace("\ufffe", "-").replace("\r\n", "\n").replace("\x00", "")
