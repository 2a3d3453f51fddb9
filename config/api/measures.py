"""How long parts of a request take, counted in memory by minute; config.system writes the sums as rows."""

import threading
import time
from collections import defaultdict
from dataclasses import dataclass


@dataclass(slots=True)
class Measured:
    calls: int = 0
    seconds: float = 0.0


_lock = threading.Lock()
_minutes: defaultdict[str, defaultdict[int, Measured]] = defaultdict(lambda: defaultdict(Measured))
# Nobody may be there to take the figures (a worker): then the oldest are forgotten.
MOST_MINUTES = 60


def note(name: str, *, seconds: float, at: float | None = None) -> None:
    """One call of the named part. `at` is Unix time."""
    minute = int((time.time() if at is None else at) // 60)
    with _lock:
        minutes = _minutes[name]
        measured = minutes[minute]
        measured.calls += 1
        measured.seconds += seconds
        if len(minutes) > MOST_MINUTES:
            del minutes[min(minutes)]


def take(name: str) -> dict[int, Measured]:
    """What was noted since the last call, by minute of the epoch."""
    with _lock:
        return dict(_minutes.pop(name, {}))
