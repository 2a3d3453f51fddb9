"""The tiny language of email templates: `{{ name }}` and `{{ first_name|there }}`, and nothing else.

Not Django's templates: those can call methods and read whatever a row leads to, and templates of ours
are written by whoever holds an API key.
"""

import difflib
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

STATIC = ("organisation", "interviewer", "goal", "minutes")
PERSONAL = ("name", "first_name", "email", "company", "link", "expires", "unsubscribe")
KNOWN = (*PERSONAL, *STATIC)
PLACEHOLDER = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
INSIDE = re.compile(r"\s*([^\W\d]\w*)\s*(?:\|([^{}]*))?\Z")
LOOKS_LIKE = 0.8  # difflib's ratio above which another name was surely meant


class PlaceholderError(ValueError):
    """The words of a template hold a placeholder that cannot be filled. `str()` is for people."""


@dataclass(frozen=True, slots=True)
class Placeholder:
    name: str
    fallback: str = ""


Piece = str | Placeholder


def column_name(heading: str) -> str:
    """How a column of an import is called in templates: "Job Title" is `job_title`."""
    return re.sub(r"\W+", "_", heading.strip().lower()).strip("_")[:60]


def parse(text: str) -> tuple[Piece, ...]:
    """The pieces of a text. Raises PlaceholderError when braces are not what they should be."""
    pieces: list[Piece] = []
    position = 0
    for found in PLACEHOLDER.finditer(text):
        pieces.append(_plain(text[position : found.start()]))
        pieces.append(_placeholder(found))
        position = found.end()
    pieces.append(_plain(text[position:]))
    return tuple(piece for piece in pieces if piece != "")


def _plain(text: str) -> str:
    if "{{" in text or "}}" in text:
        raise PlaceholderError("A placeholder is not closed: write it like {{ name }}.")
    return text


def _placeholder(found: re.Match[str]) -> Placeholder:
    inside = INSIDE.match(found[1])
    if inside is None:
        raise PlaceholderError(
            f"“{found[0][:60]}” is not a placeholder. Write a name, and after a bar what stands there when "
            "it is empty: {{ first_name|there }}."
        )
    return Placeholder(inside[1].lower(), (inside[2] or "").strip())


def check(text: str, *, columns: Collection[str] = ()) -> None:
    """Raises PlaceholderError for the first name that nothing can fill, with the name that was meant.

    `columns` are those the account's imports brought. A column that no import has brought yet is fine
    with a fallback, since the email reads well without it.
    """
    known = {*KNOWN, *columns}
    for piece in parse(text):
        if isinstance(piece, str) or piece.name in known:
            continue
        close = difflib.get_close_matches(piece.name, sorted(known), n=1, cutoff=0.6)
        certain = difflib.get_close_matches(piece.name, sorted(known), n=1, cutoff=LOOKS_LIKE)
        if piece.fallback and not certain:
            continue
        raise PlaceholderError(_unknown(piece.name, close))


def _unknown(name: str, close: list[str]) -> str:
    meant = f" Did you mean {{{{ {close[0]} }}}}?" if close else f" Known are: {', '.join(KNOWN)}."
    column = f"A column of an import needs a fallback: {{{{ {name}|… }}}}."
    return f"Nothing is called {{{{ {name} }}}}.{meant} {column}"


def names_in(text: str) -> set[str]:
    return {piece.name for piece in parse(text) if isinstance(piece, Placeholder)}


def settle(pieces: Iterable[Piece], values: Mapping[str, str]) -> tuple[Piece, ...]:
    """The same text with the names in `values` filled for good, and its literal pieces joined."""
    settled: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, Placeholder) and piece.name in values:
            piece = values[piece.name] or piece.fallback
        if isinstance(piece, str) and settled and isinstance(settled[-1], str):
            settled[-1] += piece
        else:
            settled.append(piece)
    return tuple(settled)


def fill(pieces: Iterable[Piece], values: Mapping[str, str]) -> str:
    return "".join(
        piece if isinstance(piece, str) else values.get(piece.name, "") or piece.fallback for piece in pieces
    )
