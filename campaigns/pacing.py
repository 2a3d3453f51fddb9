"""How many emails may leave now: limits of a server per second to day, and per recipient domain.

Counted in rows, in the transaction that commits the step into DATA: exact over all senders and machines,
and nothing that can be flushed. A window slides: never more than its limit in any of it, wherever it
begins. It is cut into small bins, and a bin counts until the last moment that it could hold has passed.
"""

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from django.utils import timezone

from campaigns.models import SendingPace, SmtpServer

Counts = dict[str, list[list[int]]]  # window → [number of the bin, emails]
FORGOTTEN = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Window:
    name: str
    seconds: float
    bin_seconds: float


SECOND = Window("second", 1, 0.02)
MINUTE = Window("minute", 60, 1)
HOUR = Window("hour", 3600, 60)
DAY = Window("day", 86_400, 900)
Limits = Mapping[Window, int]


class Grant(StrEnum):
    GO = "go"
    SERVER_FULL = "server_full"
    DOMAIN_FULL = "domain_full"


def limits_of(server: SmtpServer) -> Limits:
    pairs = (
        (SECOND, server.per_second),
        (MINUTE, server.per_minute),
        (HOUR, server.per_hour),
        (DAY, server.per_day),
    )
    return {window: most for window, most in pairs if most}


# --- pure ---------------------------------------------------------------------------------------------


def _live(counts: Counts, window: Window, now: float) -> list[list[int]]:
    """Bins that still count. One of a clock that was ahead counts as of now: it cannot block for long."""
    current = int(now / window.bin_seconds)
    bins = [[min(number, current), emails] for number, emails in counts.get(window.name, [])]
    return [one for one in bins if (one[0] + 1) * window.bin_seconds > now - window.seconds]


def room(counts: Counts, limits: Limits, now: float) -> int | None:
    """How many may leave now; None when there is no limit."""
    left = [most - sum(n for _bin, n in _live(counts, window, now)) for window, most in limits.items()]
    return max(0, min(left)) if left else None


def wait(counts: Counts, limits: Limits, now: float) -> float:
    """Seconds until at least one more may leave."""
    longest = 0.0
    for window, most in limits.items():
        bins = sorted(_live(counts, window, now))
        surplus = sum(emails for _bin, emails in bins) - most + 1
        for number, emails in bins:
            if surplus <= 0:
                break
            surplus -= emails
            longest = max(longest, (number + 1) * window.bin_seconds + window.seconds - now)
    return longest


def counted(counts: Counts, limits: Limits, now: float, emails: int) -> Counts:
    """The counts after so many more; what counts no longer is left out."""
    after: Counts = {}
    for window in limits:
        bins = {number: count for number, count in _merged(_live(counts, window, now))}
        current = int(now / window.bin_seconds)
        bins[current] = bins.get(current, 0) + emails
        after[window.name] = [[number, count] for number, count in sorted(bins.items())]
    return after


def _merged(bins: Iterable[list[int]]) -> list[list[int]]:
    sums: dict[int, int] = {}
    for number, emails in bins:
        sums[number] = sums.get(number, 0) + emails
    return [[number, emails] for number, emails in sums.items()]


# --- rows ---------------------------------------------------------------------------------------------


def room_at(server: SmtpServer) -> tuple[float, float]:
    """How many may leave through this server now (infinite without limits), and the seconds until one may."""
    limits = limits_of(server)
    if not limits:
        return math.inf, 0.0
    row = SendingPace.objects.filter(smtp_server=server, domain="").first()
    now, counts = time.time(), row.counts if row else {}
    found = room(counts, limits, now)
    assert found is not None
    return found, 0.0 if found else wait(counts, limits, now)


def take(server: SmtpServer, domains: Sequence[str]) -> list[Grant]:
    """Which of these emails (by recipient domain, in order) may leave now; they are counted.

    In the caller's transaction, which holds the rows until it commits.
    """
    limits = limits_of(server)
    per_domain: Limits = {MINUTE: server.domain_per_minute} if server.domain_per_minute else {}
    if not (limits or per_domain):
        return [Grant.GO] * len(domains)
    now = time.time()
    whole = _Taking(_locked(server, ""), limits, now)
    # In one order, so that two senders cannot wait for each other.
    named = sorted(set(domains)) if per_domain else []
    parts = {name: _Taking(_locked(server, name), per_domain, now) for name in named}
    granted = [_granted(whole, parts.get(name)) for name in domains]
    for one in (whole, *parts.values()):
        one.keep()
    return granted


def _granted(whole: "_Taking", part: "_Taking | None") -> Grant:
    if not whole.has_room:
        return Grant.SERVER_FULL
    if part is not None:
        if not part.has_room:
            return Grant.DOMAIN_FULL
        part.taken += 1
    whole.taken += 1
    return Grant.GO


def _locked(server: SmtpServer, domain: str) -> SendingPace:
    SendingPace.objects.get_or_create(smtp_server=server, domain=domain)
    row: SendingPace = SendingPace.objects.select_for_update().get(smtp_server=server, domain=domain)
    return row


class _Taking:
    """One row while some of its room is given away."""

    def __init__(self, row: SendingPace, limits: Limits, now: float) -> None:
        self._row, self._limits, self._now = row, limits, now
        self._room = room(row.counts, limits, now)
        self.taken = 0

    @property
    def has_room(self) -> bool:
        return self._room is None or self.taken < self._room

    def keep(self) -> None:
        if self.taken and self._limits:
            self._row.counts = counted(self._row.counts, self._limits, self._now, self.taken)
            self._row.save(update_fields=["counts", "updated_at"])


def forget_quiet_domains() -> None:
    SendingPace.objects.filter(updated_at__lt=timezone.now() - FORGOTTEN).exclude(domain="").delete()
