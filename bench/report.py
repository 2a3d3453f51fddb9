"""Prints what a bench measured: its settings, a table, and ratios against a named baseline."""

import os
import platform
from collections.abc import Mapping, Sequence


def heading(title: str) -> None:
    print(f"\n## {title}\n")


def settings(values: Mapping[str, object]) -> None:
    """Every setting that matters, so that the figures can be made again."""
    machine = {
        "python": platform.python_version(),
        "processors": os.cpu_count(),
        "machine": platform.machine(),
    }
    for name, value in {**machine, **values}.items():
        print(f"  {name} = {value}")
    print()


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    print(f"  {title}\n")
    cells = [list(columns), *([shown(cell) for cell in row] for row in rows)]
    widths = [max(len(row[index]) for row in cells) for index in range(len(columns))]
    for number, row in enumerate(cells):
        print(
            "  "
            + "  ".join(
                cell.ljust(w) if i == 0 else cell.rjust(w)
                for i, (cell, w) in enumerate(zip(row, widths, strict=True))
            )
        )
        if number == 0:
            print("  " + "  ".join("-" * width for width in widths))
    print()


def shown(cell: object) -> str:
    return f"{cell:,.2f}" if isinstance(cell, float) else f"{cell:,}" if isinstance(cell, int) else str(cell)


def ratio(what: str, ours: float, baseline: float, *, of: str, target: float | None = None) -> bool:
    """Prints ours ÷ baseline; whether it reaches the target (true without one)."""
    value = ours / baseline if baseline else float("inf")
    reached = target is None or value >= target
    wanted = "" if target is None else f" (target ≥ {target}: {'reached' if reached else 'MISSED'})"
    print(f"  {what}: {value:.2f} × {of}{wanted}")
    return reached
