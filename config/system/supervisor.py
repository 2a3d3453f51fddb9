"""Keeps the children of `serve` running, and ends them all."""

import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from config.system import processes

FIRST_DELAY = 0.2  # seconds before a child that died is started again; doubled at each death
LONGEST_DELAY = 30.0
STEADY_AFTER = 60.0  # seconds after which an earlier death no longer counts
GRACE = 5.0  # seconds a child has to end by itself
LAST_GRACE = 1.0  # seconds for those that the others needed (Redis)
TICK = 0.05


class GaveUpError(Exception):
    """A child dies again and again before the installation was ever ready."""


@dataclass
class Child:
    """One process of the installation. `needed_by_others` ends last."""

    name: str
    start: Callable[[], int]
    log_file: Path
    needed_by_others: bool = False
    pid: int = 0
    deaths: int = 0
    started_at: float = 0.0
    due_at: float = field(default=0.0)

    @property
    def runs(self) -> bool:
        return self.pid != 0

    def launch(self) -> None:
        self.pid = self.start()
        self.started_at = time.monotonic()

    def note_death(self) -> tuple[int, float]:
        """Its exit code, and the seconds until it is started again."""
        code = processes.bury(self.pid)
        self.pid = 0
        now = time.monotonic()
        self.deaths = 1 if now - self.started_at > STEADY_AFTER else self.deaths + 1
        delay = min(FIRST_DELAY * 2 ** (self.deaths - 1), LONGEST_DELAY)
        self.due_at = now + delay
        return code, delay


def how_it_ended(code: int) -> str:
    if code >= 0:
        return f"ended with code {code}"
    return f"was killed by {signal.Signals(-code).name}"


class Supervisor:
    """One thread, no event loop: it forks, so it must stay simple."""

    def __init__(self, children: Sequence[Child], *, tell: Callable[[str], None]) -> None:
        self.children = list(children)
        self.tell = tell
        self.stopping = False

    def catch_signals(self) -> None:
        for number in processes.OURS:
            signal.signal(number, self._ask_to_stop)

    def _ask_to_stop(self, *_: object) -> None:
        self.stopping = True

    def launch(self) -> None:
        for child in self.children:
            child.launch()

    def tend(self) -> None:
        """Notice the dead and start again those whose time has come."""
        for child in self.children:
            if child.runs and processes.has_ended(child.pid):
                code, delay = child.note_death()
                self.tell(f"{child.name} {how_it_ended(code)}; starting it again in {delay:.1f} s.")
            elif not child.runs and child.due_at and time.monotonic() >= child.due_at:
                child.launch()

    def give_up_on_hopeless(self, *, deaths: int) -> None:
        for child in self.children:
            if child.deaths >= deaths:
                raise GaveUpError(f"{child.name} keeps dying; the reason is in {child.log_file}.")

    def stop(self) -> None:
        """End every child: asked first, killed after the grace, whatever state it is in."""
        self._end([child for child in self.children if not child.needed_by_others], GRACE)
        self._end([child for child in self.children if child.needed_by_others], LAST_GRACE)

    def _end(self, children: list[Child], grace: float) -> None:
        running = [child for child in children if child.runs]
        for child in running:
            processes.signal_process(child.pid, signal.SIGTERM)
        deadline = time.monotonic() + grace
        while time.monotonic() < deadline and not all(processes.has_ended(child.pid) for child in running):
            time.sleep(TICK)
        for child in running:
            processes.bury(child.pid)
            child.pid = 0
