"""Leaves a provider alone for a while after it failed several times in a row (in this process only)."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from personas.providers.base import ProviderError

FAILURES_IN_A_ROW = 3
REST_SECONDS = 20.0
LONGEST_REST_SECONDS = 60.0
# What says something about the provider rather than about one request.
_ITS_OWN_FAULT = frozenset(
    {"refused_connection", "timeout", "rate_limited", "unavailable", "bad_response", "truncated"}
)


@dataclass
class _Record:
    failures: int = 0
    rests_until: float = 0.0


class Breaker:
    """Keys are a provider's name and an account's id: one account's empty purse stops no other."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._records: dict[tuple[str, object], _Record] = {}

    def rests(self, key: tuple[str, object]) -> bool:
        record = self._records.get(key)
        return record is not None and self._clock() < record.rests_until

    def note_success(self, key: tuple[str, object]) -> None:
        self._records.pop(key, None)

    def note_failure(self, key: tuple[str, object], error: ProviderError) -> None:
        if error.code not in _ITS_OWN_FAULT:
            return
        record = self._records.setdefault(key, _Record())
        record.failures += 1
        rest = error.retry_after_seconds or 0.0
        if record.failures >= FAILURES_IN_A_ROW:
            rest = max(rest, REST_SECONDS)
        record.rests_until = self._clock() + min(rest, LONGEST_REST_SECONDS)

    def forget(self) -> None:
        self._records.clear()


breaker = Breaker()
