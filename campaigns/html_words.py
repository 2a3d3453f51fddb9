"""The words of an HTML email, for people to read: no markup, no images, no links that hide where they go."""

from html.parser import HTMLParser

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


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._hidden = 0
        self._quoted = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in HIDDEN:
            self._hidden += 1
        self._quoted += tag == "blockquote"
        if tag in BLOCKS:
            self._break()

    def handle_endtag(self, tag: str) -> None:
        if tag in HIDDEN and self._hidden:
            self._hidden -= 1
        if tag == "blockquote" and self._quoted:
            self._quoted -= 1
        if tag in BLOCKS:
            self._break()

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.pieces.append(" ".join(data.split()) if data.strip() else " ")

    def _break(self) -> None:
        self.pieces.append("\n> " if self._quoted else "\n")


def words_of_html(html: str) -> str:
    """Text with line breaks where blocks end; what stands in a blockquote is quoted with ">"."""
    reader = _Words()
    reader.feed(html)
    reader.close()
    lines = (" ".join(line.split()) for line in "".join(reader.pieces).split("\n"))
    kept: list[str] = []
    for line in lines:
        if line not in ("", ">") or (kept and kept[-1] not in ("", ">")):
            kept.append(line)
    return "\n".join(kept).strip()
