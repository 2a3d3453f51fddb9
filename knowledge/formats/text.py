"""Text: its encoding, Markdown's headings, and what a web page says."""

import codecs
import re
from collections.abc import Iterator
from html.parser import HTMLParser

from knowledge.formats.found import Found, Piece, RefusedFile, bounded

BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
CONTROL = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
NOT_TEXT = (
    "This is not text, and no kind of document that can be read "
    "(PDF, Word, Excel, text, Markdown, CSV, JSON, HTML)."
)


def decoded(content: bytes) -> str:
    """The text of the bytes: by its byte order mark, as UTF-8, UTF-16 without a mark, or Western European."""
    for mark, encoding in BOMS:
        if content.startswith(mark):
            return _checked(_decode(content, encoding))
    if b"\x00" in content:
        return _checked(_decode(content, _utf16_flavour(content)))
    try:
        return _checked(content.decode("utf-8"))
    except UnicodeDecodeError:
        return _checked(content.decode("cp1252", errors="replace"))


def _decode(content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        raise RefusedFile("The text is damaged: it begins as one encoding and goes on as another.") from None


def _utf16_flavour(content: bytes) -> str:
    """Which UTF-16 this is. Western text has a zero in every other byte; else it is binary."""
    sample = content[:4096]
    pairs = max(1, len(sample) // 2)
    if sample[1::2].count(0) > 0.4 * pairs and sample[0::2].count(0) == 0:
        return "utf-16-le"
    if sample[0::2].count(0) > 0.4 * pairs and sample[1::2].count(0) == 0:
        return "utf-16-be"
    raise RefusedFile("It holds NUL bytes, so it is not text.")


def _checked(text: str) -> str:
    if "\x00" in text:
        raise RefusedFile("It holds NUL characters, so it is not text.")
    sample = text[:20_000]
    strange = len(CONTROL.findall(sample)) + sample.count("\ufffd")
    if strange > 0.02 * len(sample) + 2:
        raise RefusedFile(NOT_TEXT)
    # Programs that join files leave a byte order mark in the middle, or two at the beginning.
    return CONTROL.sub(" ", text).replace("\ufeff", "").replace("\r\n", "\n").replace("\r", "\n")


HEADING = re.compile(r"^(#{1,6})[ \t]+(.+?)[ \t]*#*[ \t]*$", re.MULTILINE)


def read_text(text: str) -> Found:
    """Plain text, or Markdown, which is plain text with headings: each heading begins a piece."""
    headings = list(HEADING.finditer(text))
    pieces = list(bounded(_under_headings(text, headings)))
    if not pieces:
        raise RefusedFile("It holds no text.")
    return Found("text/markdown" if headings else "text/plain", pieces)


def _under_headings(text: str, headings: list[re.Match[str]]) -> Iterator[Piece]:
    borders = [0, *(heading.start() for heading in headings), len(text)]
    titles = ["", *(heading.group(2) for heading in headings)]
    line = 1
    for start, end, title in zip(borders, borders[1:], titles, strict=False):
        locator: dict[str, object] = {"line": line}
        if title:
            locator["heading"] = title[:200]
        yield Piece(text[start:end].strip(), locator)
        line += text.count("\n", start, end)


HTML_START = re.compile(
    r"\A\s*(?:<!--.*?-->\s*)*(?:<\?xml[^>]*>\s*)?<(?:!doctype html|html|head|body)\b", re.I | re.S
)


def looks_like_html(text: str) -> bool:
    return HTML_START.match(text[:4096]) is not None


def read_html(text: str) -> Found:
    reader = _PageText()
    reader.feed(text)
    reader.close()
    pieces = list(bounded(reader.pieces()))
    if not pieces:
        raise RefusedFile("It holds no text.")
    return Found("text/html", pieces)


class _PageText(HTMLParser):
    """What a reader of the page sees, a piece under each heading."""

    UNSEEN = frozenset({"script", "style", "template", "noscript", "svg", "head"})
    HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
    BLOCKS = frozenset(
        [
            "p",
            "div",
            "section",
            "article",
            "li",
            "ul",
            "ol",
            "table",
            "tr",
            "br",
            "blockquote",
            "pre",
            "main",
            "header",
            "footer",
            "dt",
            "dd",
            "figure",
            "td",
            "th",
        ]
    )

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._unseen: list[str] = []
        self._parts: list[tuple[str, list[str]]] = [("", [])]
        self._heading: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag in self.UNSEEN:
            self._unseen.append(tag)
        elif tag == "body":
            self._unseen.clear()  # a head that was never closed ends here
        elif tag in self.HEADINGS:
            self._end_heading()  # one that was never closed
            self._heading = []
        elif tag in self.BLOCKS:
            self._parts[-1][1].append("\n\n" if tag in {"p", "li", "tr", "blockquote"} else "\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._unseen:
            del self._unseen[self._unseen.index(tag) :]
        elif tag in self.HEADINGS:
            self._end_heading()
        elif tag in self.BLOCKS:
            self._parts[-1][1].append("\n")

    def _end_heading(self) -> None:
        if self._heading:
            title = " ".join("".join(self._heading).split())
            self._parts.append((title, [title, "\n\n"]))
        self._heading = None

    def handle_data(self, data: str) -> None:
        if self._unseen:
            return
        spaced = re.sub(r"\s+", " ", data)
        (self._parts[-1][1] if self._heading is None else self._heading).append(spaced)

    def pieces(self) -> Iterator[Piece]:
        self._end_heading()
        for title, parts in self._parts:
            lines = (line.strip() for line in "".join(parts).split("\n"))
            text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
            yield Piece(text, {"heading": title[:200]} if title else {})
