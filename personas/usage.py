"""What speaking cost: tokens and money, counted by account, persona, provider, model and UTC day."""

import asyncio
import logging
from typing import Any

from django.conf import settings
from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from config.api.models import Account
from config.api.threads import in_database
from personas.models import Persona, Usage
from personas.providers.base import Done

log = logging.getLogger(__name__)

LONGEST_WAIT_SECONDS = 1.0

_being_written: set[asyncio.Task[None]] = set()


def cost_micro_usd(done: Done) -> int:
    """By the provider's PRICES: {model: [dollars per million prompt tokens, per million completion tokens]}.

    A dollar per million tokens is a millionth of a dollar per token, so no other factor is needed.
    """
    prices = settings.PROVIDERS.get(done.provider, {}).get("PRICES", {})
    prompt_price, completion_price = prices.get(done.model, (0, 0))
    return round((done.prompt_tokens or 0) * prompt_price + (done.completion_tokens or 0) * completion_price)


def count(account: Account, persona: Persona | None, done: Done) -> None:
    """Adds one call to its day's row. Two that meet on a new row both count."""
    row = {
        "account": account,
        "persona_key": str(persona.pk) if persona else "",
        "day": timezone.now().date(),
        "provider": done.provider,
        "model": done.model[:100],
    }
    added = {
        "calls": 1,
        "prompt_tokens": done.prompt_tokens or 0,
        "completion_tokens": done.completion_tokens or 0,
        "cost_micro_usd": cost_micro_usd(done),
    }
    if _add(row, added):
        return
    try:
        with transaction.atomic():
            Usage.objects.create(**row, persona=persona, **added)
    except IntegrityError:
        _add(row, added)


def _add(row: dict[str, Any], added: dict[str, int]) -> bool:
    sums = {name: F(name) + number for name, number in added.items()}
    return bool(Usage.objects.filter(**row).update(**sums))


def count_later(account: Account, persona: Persona | None, done: Done) -> asyncio.Task[None]:
    """Counts in a task of its own, so that neither a slow database nor a reader who leaves matters."""
    task = asyncio.get_running_loop().create_task(_counted(account, persona, done))
    _being_written.add(task)  # the loop itself keeps only a weak reference
    task.add_done_callback(_being_written.discard)
    return task


async def wait_for(counting: asyncio.Task[None]) -> None:
    """Waits until it is written, but not long, and without cancelling it when the waiting is."""
    await asyncio.wait({counting}, timeout=LONGEST_WAIT_SECONDS)


async def _counted(account: Account, persona: Persona | None, done: Done) -> None:
    try:
        await in_database(count, account, persona, done)
    except DatabaseError:
        # The reply is worth more than its count.
        log.exception("usage of %s was not counted", done.provider)
