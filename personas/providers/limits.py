"""How long a vendor may take: to connect, between two pieces of a stream, and in all."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Patience:
    """The limits of one call that has begun. Times are the event loop's."""

    ends_at: float
    read_seconds: float

    def next_piece_by(self) -> float:
        return min(self.ends_at, asyncio.get_running_loop().time() + self.read_seconds)


@dataclass(frozen=True)
class Limits:
    connect_seconds: float = 5
    read_seconds: float = 30
    total_seconds: float = 120

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Self:
        return cls(
            connect_seconds=options.get("CONNECT_TIMEOUT", cls.connect_seconds),
            read_seconds=options.get("READ_TIMEOUT", cls.read_seconds),
            total_seconds=options.get("TOTAL_TIMEOUT", cls.total_seconds),
        )

    def start(self) -> Patience:
        return Patience(asyncio.get_running_loop().time() + self.total_seconds, self.read_seconds)
