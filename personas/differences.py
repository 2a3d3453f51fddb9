"""What differs between two contents of a persona, line by line: by signs and words, not colours. Pure."""

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.text import capfirst
from django.utils.translation import gettext as _

from personas.models import Persona

AROUND = 2  # unchanged lines that are shown beside what changed
MOST_NAMED = 4


@dataclass(frozen=True, slots=True)
class Line:
    mark: str  # "+", "−", or empty for a line that stayed
    text: str

    @property
    def said(self) -> str:
        """The mark for those who hear the page."""
        return {"+": _("added"), "−": _("removed")}.get(self.mark, "")


@dataclass(frozen=True, slots=True)
class Difference:
    """Of one field. A gap between its parts is a line with the mark "…"."""

    name: str
    label: str
    lines: tuple[Line, ...]


def label_of(name: str) -> str:
    return str(capfirst(Persona._meta.get_field(name).verbose_name))  # type: ignore[union-attr]


def changed_names(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    return [name for name in new if name in old and old[name] != new[name]]


def in_words(names: Sequence[str]) -> str:
    """Which fields, shortly: “Instructions, greeting and 2 more”."""
    labels = [label_of(name) for name in names[:MOST_NAMED]]
    more = len(names) - len(labels)
    shown = ", ".join(labels)
    return _("%(fields)s and %(more)d more") % {"fields": shown, "more": more} if more else shown


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Difference]:
    return [
        Difference(name, label_of(name), _lines(old[name], new[name])) for name in changed_names(old, new)
    ]


def _lines(old: Any, new: Any) -> tuple[Line, ...]:
    shown: list[Line] = []
    unified = difflib.unified_diff(_written(old), _written(new), n=AROUND, lineterm="")
    for number, line in enumerate(unified):
        if number < 2:  # the names of files
            continue
        if line.startswith("@@"):
            shown += [Line("…", "")] if shown else []
            continue
        shown.append(Line({"+": "+", "-": "−"}.get(line[0], ""), line[1:]))
    return tuple(shown)


def _written(value: Any) -> list[str]:
    if isinstance(value, str):
        return value.splitlines()
    return json.dumps(value, ensure_ascii=False, indent=2).splitlines()
