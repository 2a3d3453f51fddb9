"""Reads what the children write to their logs, to show warnings and errors at the terminal."""

import re
from dataclasses import dataclass
from pathlib import Path

TROUBLE = re.compile(r"\b(WARNING|ERROR|CRITICAL)\b")
MOST_BYTES = 65_536  # of a log at one look; more is skipped
MOST_LINES = 3  # of a log at one look


@dataclass
class LogWatch:
    """The end of one log. It starts where the log ends now."""

    name: str
    path: Path
    offset: int = 0

    def __post_init__(self) -> None:
        self.offset = self.path.stat().st_size if self.path.exists() else 0

    def new_trouble(self) -> list[str]:
        """Lines for the terminal about warnings and errors written since the last look."""
        lines = [line.strip() for line in self._new_text().splitlines() if TROUBLE.search(line)]
        shown = [f"{self.name}: {line[:300]}" for line in lines[:MOST_LINES]]
        if len(lines) > MOST_LINES:
            shown.append(f"{self.name}: and {len(lines) - MOST_LINES} more in {self.path}")
        return shown

    def _new_text(self) -> str:
        if not self.path.exists():
            return ""
        size = self.path.stat().st_size
        if size < self.offset:  # it was put aside and begun anew
            self.offset = 0
        if size == self.offset:
            return ""
        with self.path.open("rb") as file:
            file.seek(max(self.offset, size - MOST_BYTES))
            text = file.read(MOST_BYTES)
        self.offset = size
        return text.decode(errors="replace")
