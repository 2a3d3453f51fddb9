"""The example dialogue of a character card: `<START>`, then lines of `{{user}}:` and `{{char}}:`. Pure."""

import re
from collections.abc import Sequence

from personas.shapes import LONGEST_TEXT, MOST_EXAMPLES

ORIGINAL = re.compile(r"\{\{original\}\}", re.IGNORECASE)
_START = re.compile(r"<START>", re.IGNORECASE)
_SPEAKER = re.compile(r"^\s*\{\{(user|char)\}\}\s*:", re.IGNORECASE | re.MULTILINE)
_OLD_WORDS = (
    (re.compile(r"<USER>", re.IGNORECASE), "{{user}}"),
    (re.compile(r"<BOT>", re.IGNORECASE), "{{char}}"),
)

Example = dict[str, str]


def with_our_words(text: str) -> str:
    for old, new in _OLD_WORDS:
        text = old.sub(new, text)
    return text


def examples_in(text: str) -> tuple[list[Example], int]:
    """Exchanges that fit a persona's examples, and how many parts do not."""
    found: list[Example] = []
    left_out = 0
    for block in _START.split(text):
        exchanges, others = _exchanges(_lines(block))
        found += exchanges
        left_out += others
    return found[:MOST_EXAMPLES], left_out + max(0, len(found) - MOST_EXAMPLES)


def _lines(block: str) -> list[tuple[str, str]]:
    """Who says what. What stands before the first speaker is nobody's."""
    marks = list(_SPEAKER.finditer(block))
    before = block[: marks[0].start()].strip() if marks else block.strip()
    lines = [("", before)] if before else []
    for mark, following in zip(marks, [*marks[1:], None], strict=False):
        end = following.start() if following is not None else len(block)
        lines.append((mark.group(1).lower(), block[mark.end() : end].strip()))
    return lines


def _exchanges(lines: Sequence[tuple[str, str]]) -> tuple[list[Example], int]:
    found: list[Example] = []
    left_out, at = 0, 0
    while at < len(lines):
        pair = lines[at : at + 2]
        if [who for who, _text in pair] == ["user", "char"] and all(_fits(text) for _who, text in pair):
            found.append({"person": pair[0][1], "persona": pair[1][1]})
            at += 2
            continue
        left_out += 1
        at += 1
    return found, left_out


def _fits(text: str) -> bool:
    return 0 < len(text) <= LONGEST_TEXT


def dialogue_of(examples: Sequence[Example]) -> str:
    blocks = [f"<START>\n{{{{user}}}}: {one['person']}\n{{{{char}}}}: {one['persona']}" for one in examples]
    return "\n".join(blocks)
