"""What an account may use of models in one UTC day, and whether it has.

Asked before every call of a model, so it is remembered for a moment: what this process has used since
counts at once, what others have used counts when the rows are read again.
"""

import asyncio
import logging
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from weakref import WeakKeyDictionary

from django.conf import settings
from django.db import DatabaseError
from django.db.models import F, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext as _

from config.api.models import Account
from config.api.threads import in_database
from personas.models import Budget, Usage
from personas.prices import cost_micro_usd
from personas.providers.base import Done, ProviderError

FRESH_SECONDS = 2.0
MICRO = 1_000_000
EXHAUSTED = "budget_exhausted"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Cap:
    """None is no limit."""

    tokens: int | None = None
    micro_usd: int | None = None

    @property
    def is_none(self) -> bool:
        return self.tokens is None and self.micro_usd is None


@dataclass(frozen=True, slots=True)
class Spent:
    tokens: int = 0
    micro_usd: int = 0

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(self.tokens + other.tokens, self.micro_usd + other.micro_usd)

    def reaches(self, cap: Cap) -> bool:
        by_tokens = cap.tokens is not None and self.tokens >= cap.tokens
        return by_tokens or (cap.micro_usd is not None and self.micro_usd >= cap.micro_usd)


@dataclass(frozen=True, slots=True)
class Standing:
    """One account on one day, as the rows say."""

    day: date
    cap: Cap
    spent: Spent

    @property
    def is_exhausted(self) -> bool:
        return self.spent.reaches(self.cap)


def today() -> date:
    return timezone.now().astimezone(UTC).date()


def seconds_to_midnight(at: datetime | None = None) -> int:
    """Until the next UTC day, when everybody may go on."""
    now = (at or timezone.now()).astimezone(UTC)
    midnight = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), tzinfo=UTC)
    return max(1, round((midnight - now).total_seconds()))


def default_cap() -> Cap:
    """The installation's, for accounts without a row."""
    return Cap(settings.DAILY_TOKENS or None, settings.DAILY_USD * MICRO or None)


def cap_of(account: Account) -> Cap:
    row = Budget.objects.for_account(account).first()
    return Cap(row.daily_tokens, row.daily_micro_usd) if row else default_cap()


def spent_on(account: Account, day: date) -> Spent:
    sums = (
        Usage.objects.for_account(account)
        .filter(day=day)
        .aggregate(
            tokens=Coalesce(Sum(F("prompt_tokens") + F("completion_tokens")), 0),
            micro_usd=Coalesce(Sum("cost_micro_usd"), 0),
        )
    )
    return Spent(int(sums["tokens"]), int(sums["micro_usd"]))


def standing_of(account: Account) -> Standing:
    day = today()
    return Standing(day, cap_of(account), spent_on(account, day))


def _needed_of(account: Account) -> Standing:
    """Most accounts have no limit: for them nothing is added up."""
    day, cap = today(), cap_of(account)
    return Standing(day, cap, Spent() if cap.is_none else spent_on(account, day))


# --- Remembered for a moment ------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Call:
    """A call of this process; `counting` ends when the rows hold it."""

    spent: Spent
    counting: "asyncio.Task[None]"


@dataclass(slots=True)
class _Known:
    standing: Standing | None = None
    read_at: float = 0.0
    calls: list[_Call] = field(default_factory=list)

    def is_fresh(self) -> bool:
        is_recent = time.monotonic() - self.read_at < FRESH_SECONDS
        return self.standing is not None and is_recent and self.standing.day == today()

    def is_exhausted(self) -> bool:
        if self.standing is None:
            return False
        return sum((call.spent for call in self.calls), self.standing.spent).reaches(self.standing.cap)


_lock = threading.Lock()
_known: dict[int, _Known] = {}
_reading: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[int, "asyncio.Task[None]"]] = WeakKeyDictionary()


async def is_exhausted(account: Account) -> bool:
    """Whether today's budget is used up. Never waits for more than one short reading of rows.

    While the database does not answer, what was known before holds.
    """
    known = _of(account)
    if not known.is_fresh():
        reading = _reading.setdefault(asyncio.get_running_loop(), {})
        task = reading.get(account.pk)
        if task is None or task.done():
            task = reading[account.pk] = asyncio.create_task(_read(account, known))
        await asyncio.shield(task)  # others wait for it too
    with _lock:
        return known.is_exhausted()


async def check(account: Account) -> None:
    """Raises ProviderError when today's budget is used up."""
    if await is_exhausted(account):
        raise exhausted()


def exhausted() -> ProviderError:
    message = _("Today's budget for AI models is used up. It begins anew at midnight UTC.")
    wait = float(seconds_to_midnight())
    return ProviderError(EXHAUSTED, message, retryable=False, retry_after_seconds=wait)


def note(account: Account, done: Done, counting: "asyncio.Task[None]") -> None:
    """A call that has just ended; the rows will hold it when `counting` is done."""
    spent = Spent((done.prompt_tokens or 0) + (done.completion_tokens or 0), cost_micro_usd(done))
    if spent == Spent():
        return
    with _lock:
        _of(account).calls.append(_Call(spent, counting))


def forget() -> None:
    """For tests, whose accounts come and go under the same numbers."""
    with _lock:
        _known.clear()


def _of(account: Account) -> _Known:
    return _known.setdefault(account.pk, _Known())


async def _read(account: Account, known: _Known) -> None:
    # What is being written now may or may not be in the rows: it is kept, and counted twice rather
    # than not at all, until the next reading.
    written = {call for call in known.calls if call.counting.done()}
    standing: Standing | None
    try:
        standing = await in_database(_needed_of, account)
    except DatabaseError:
        log.exception("the budget of account %s could not be read", account.pk)
        standing = known.standing
    with _lock:
        known.standing, known.read_at = standing, time.monotonic()
        known.calls = [call for call in known.calls if call not in written]
