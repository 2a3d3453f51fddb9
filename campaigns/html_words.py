"""The words of an HTML email, for people to read: no markup, no images, no links that hide where they go.

By a reader of our own: the standard library's takes a minute and a half for a hundred kilobytes of `<a '`.
Here every mark is looked at once, and a tag is at most as long as a tag can sensibly be.
"""

import re
from collections.abc import Iterator
from html import unescape

HIDDEN = {"head", "script", "style", "title", "template", "svg"}
BLOCKS = {
    "p",
    "div",
    "br",
    "tr",
    "li",
    "h1",
    "h2",
    "h3",
    "h4",
    "blockquote",
    "table",
    "ul",
    "ol",
    "hr",
    "pre",
}
# Within quotes a ">" ends no tag. Longer than this, or with a quote left open, the first one does.
LONGEST_TAG = 4_000
TAG = re.compile(r"""</?[A-Za-z](?:[^>"']|"[^"]*+"|'[^']*+')*+>""")
SPACE = re.compile(r"\s+")
NAME = re.compile(r"</?([A-Za-z][^\s/>]{0,30})")
RAW = {name: re.compile(rf"</{name}(?![A-Za-z0-9])", re.IGNORECASE) for name in ("script", "style")}


class _Words:
    """What was read so far."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self._hidden = 0
        self._quoted = 0

    def start(self, tag: str) -> None:
        if tag in HIDDEN:
            self._hidden += 1
        elif tag == "body":  # a head need not be closed
            self._hidden = 0
        self._quoted += tag == "blockquote"
        if tag in BLOCKS:
            self._break()

    def end(self, tag: str) -> None:
        if tag in HIDDEN and self._hidden:
            self._hidden -= 1
        if tag == "blockquote" and self._quoted:
            self._quoted -= 1
        if tag in BLOCKS:
            self._break()

    def say(self, text: str) -> None:
        if not self._hidden and text:
            # The spaces at its ends part it from the words in a mark beside it.
            self.pieces.append(SPACE.sub(" ", unescape(text)))

    def _break(self) -> None:
        self.pieces.append("\n> " if self._quoted else "\n")


def words_of_html(html: str) -> str:
    """Text with line breaks where blocks end; what stands in a blockquote is quoted with ">"."""
    reader = _Words()
    for is_tag, piece in _pieces(html):
        if not is_tag:
            reader.say(piece)
            continue
        name, is_end, is_whole = _tag_in(piece)
        if is_end:
            reader.end(name)
        elif not (is_whole and name in HIDDEN):
            reader.start(name)
    lines = (" ".join(line.split()) for line in "".join(reader.pieces).split("\n"))
    kept: list[str] = []
    for line in lines:
        if line not in ("", ">") or (kept and kept[-1] not in ("", ">")):
            kept.append(line)
    return "\n".join(kept).strip()


def _tag_in(piece: str) -> tuple[str, bool, bool]:
    """Its name, whether it ends an element, and whether it is a whole one by itself."""
    found = NAME.match(piece)
    assert found is not None
    return found[1].lower(), piece.startswith("</"), piece.endswith("/>")


def _pieces(html: str) -> Iterator[tuple[bool, str]]:
    """Tags and the text between them. Comments and the like are left out, as is a last tag without an end."""
    at = said = 0
    while (at := html.find("<", at)) >= 0:
        end = _end_of_mark(html, at)
        if end == at:  # a "<" of the text
            at += 1
            continue
        yield False, html[said:at]
        if end < 0:
            return
        piece = html[at:end]
        if NAME.match(piece):
            yield True, piece
            end = _after_raw(html, piece, end)
        at = said = end
    yield False, html[said:]


def _end_of_mark(html: str, at: int) -> int:
    """Where the mark that begins here ends; `at` for none, -1 for one that has no end."""
    if html.startswith("<!--", at):
        end = html.find("-->", at + 4)
        return end + 3 if end >= 0 else -1
    if not (NAME.match(html, at) or html.startswith(("<!", "<?", "</"), at)):
        return at
    if found := TAG.match(html, at, at + LONGEST_TAG):
        return found.end()
    return html.find(">", at) + 1 or -1


def _after_raw(html: str, piece: str, end: int) -> int:
    """Behind a script or style, whose inside is no markup: the place where it ends."""
    name, is_end, is_whole = _tag_in(piece)
    if name not in RAW or is_end or is_whole:
        return end
    found = RAW[name].search(html, end)
    return found.start() if found else len(html)
