"""What speaking cost: tokens and money, counted by account, persona, provider, model and UTC day."""

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from weakref import WeakKeyDictionary

from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from config.api.models import Account
from config.api.threads import in_database
from personas.models import Persona, Usage
from personas.prices import cost_micro_usd
from personas.providers.base import Done

log = logging.getLogger(__name__)

LONGEST_WAIT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Row:
    """Which row of `Usage` a call adds to."""

    account: Account
    persona: Persona | None
    day: date
    provider: str
    model: str

    def key(self) -> dict[str, Any]:
        return {
            "account": self.account,
            "persona_key": str(self.persona.pk) if self.persona else "",
            "day": self.day,
            "provider": self.provider,
            "model": self.model,
        }


# Calls that end close together are counted together: they mostly add to the same row.
GATHERED_SECONDS = 0.2


def count(account: Account, persona: Persona | None, done: Done) -> None:
    """Adds one call to its day's row. Two that meet on a new row both count."""
    _write(_row(account, persona, done), _added(done))


def _row(account: Account, persona: Persona | None, done: Done) -> Row:
    return Row(account, persona, timezone.now().date(), done.provider, done.model[:100])


def _added(done: Done) -> Counter[str]:
    asked, answered = done.prompt_tokens or 0, done.completion_tokens or 0
    return Counter(
        calls=1,
        prompt_tokens=asked,
        completion_tokens=answered,
        estimated_tokens=asked + answered if done.is_estimated else 0,
        cost_micro_usd=cost_micro_usd(done),
    )


def _write(row: Row, added: Mapping[str, int]) -> None:
    if _add(row, added):
        return
    try:
        with transaction.atomic():
            Usage.objects.create(**row.key(), persona=row.persona, **added)
    except IntegrityError:
        _add(row, added)


def _add(row: Row, added: Mapping[str, int]) -> bool:
    sums = {name: F(name) + number for name, number in added.items()}
    return bool(Usage.objects.filter(**row.key()).update(**sums))


class Ledger:
    """The calls of one event loop that are not yet in the database."""

    def __init__(self) -> None:
        self._open: dict[Row, Counter[str]] = {}
        self._writing: asyncio.Task[None] | None = None

    def add(self, row: Row, added: Counter[str]) -> asyncio.Task[None]:
        """The task that writes it, with all that is added meanwhile."""
        self._open.setdefault(row, Counter()).update(added)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.get_running_loop().create_task(self._write_soon())
        return self._writing

    async def _write_soon(self) -> None:
        await asyncio.sleep(GATHERED_SECONDS)
        while self._open:
            batch, self._open = self._open, {}
            try:
                await in_database(_write_all, batch)
            except DatabaseError:
                # The replies are worth more than their count.
                log.exception("usage of %d rows was not counted", len(batch))


def _write_all(batch: Mapping[Row, Mapping[str, int]]) -> None:
    for row, added in batch.items():
        _write(row, added)


_ledgers: WeakKeyDictionary[asyncio.AbstractEventLoop, Ledger] = WeakKeyDictionary()


def count_later(account: Account, persona: Persona | None, done: Done) -> asyncio.Task[None]:
    """Counts in a task of its own, so that neither a slow database nor a reader who leaves matters."""
    ledger = _ledgers.setdefault(asyncio.get_running_loop(), Ledger())
    return ledger.add(_row(account, persona, done), _added(done))


async def wait_for(counting: asyncio.Task[None]) -> None:
    """Waits until it is written, but not long, and without cancelling it when the waiting is."""
    await asyncio.wait({counting}, timeout=LONGEST_WAIT_SECONDS)
