"""Entries of settings.PROVIDERS through which nobody can speak without a key of the account's own."""

import asyncio
import time
from typing import Any

from django.conf import settings
from django.db.models.signals import post_delete, post_save

from personas.models import ProviderCredential
from personas.providers.registry import is_model

SECONDS = 3.0
MOST = 1000

_known: dict[tuple[int, str], tuple[float, bool]] = {}


def needs_own_key(name: str) -> bool:
    """An entry for a vendor's own address whose key is empty. A local server needs none."""
    entry = settings.PROVIDERS.get(name, {})
    return is_model(name) and "API_KEY" in entry and not entry["API_KEY"] and not entry.get("BASE_URL")


def has_own_key(account_id: int, name: str) -> bool:
    """One short query, remembered for a moment. On an event loop it only says what is remembered."""
    until, found = _known.get((account_id, name), (0.0, False))
    if time.monotonic() < until or _on_event_loop():
        return found
    found = ProviderCredential.objects.filter(account_id=account_id, provider=name).exists()
    if len(_known) >= MOST:
        _known.clear()
    _known[account_id, name] = time.monotonic() + SECONDS, found
    return found


def _on_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def forget(**_signal: Any) -> None:
    _known.clear()


post_save.connect(forget, sender=ProviderCredential, dispatch_uid="personas.own_keys.saved")
post_delete.connect(forget, sender=ProviderCredential, dispatch_uid="personas.own_keys.deleted")
