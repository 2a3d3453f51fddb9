"""Compares an answer with the example a documented API prints: every field, with its JSON type.

Text in an example says more than its type: `a|b` names the allowed values, an ISO time ends with Z, and
`(optional)` or `(if …)` allows null or absence. A list is compared item by item with the example's item.
Fields that an example lacks are allowed: the documented clients ignore them.
"""

import re
from typing import Any

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def differences(example: Any, ours: Any, path: str = "$") -> list[str]:
    """What is missing or of another type, one line each; empty when ours fits."""
    if isinstance(example, dict):
        return _of_object(example, ours, path)
    if isinstance(example, list):
        return _of_list(example, ours, path)
    if isinstance(example, str):
        return _of_text(example, ours, path)
    if isinstance(example, bool):
        return [] if isinstance(ours, bool) else [f"{path}: {ours!r} is not true or false"]
    is_number = isinstance(ours, int | float) and not isinstance(ours, bool)
    return [] if is_number else [f"{path}: {ours!r} is no number"]


def _of_object(example: dict[str, Any], ours: Any, path: str) -> list[str]:
    if not isinstance(ours, dict):
        return [f"{path}: {ours!r} is no object"]
    found: list[str] = []
    for name, value in example.items():
        if name in ours:
            found += differences(value, ours[name], f"{path}.{name}")
        elif not (isinstance(value, str) and "(" in value):
            found.append(f"{path}.{name} is missing")
    return found


def _of_list(example: list[Any], ours: Any, path: str) -> list[str]:
    if not isinstance(ours, list):
        return [f"{path}: {ours!r} is no list"]
    if not ours:
        return [f"{path} is empty, so nothing of it was compared"]
    return [
        line
        for number, item in enumerate(ours)
        for line in differences(example[0], item, f"{path}[{number}]")
    ]


def _of_text(example: str, ours: Any, path: str) -> list[str]:
    if ours is None and "(" in example:
        return []
    if not isinstance(ours, str):
        return [f"{path}: {ours!r} is no text"]
    if TIME.fullmatch(example.partition(" (")[0]) and not TIME.fullmatch(ours):
        return [f"{path}: {ours!r} is no time in UTC"]
    if "|" in example and ours not in example.split("|"):
        return [f"{path}: {ours!r} is none of {example}"]
    return []
