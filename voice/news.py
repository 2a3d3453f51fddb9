"""Tells staff who watch the calls in progress that something in one of them is new. Ids only."""

from typing import Any

from asgiref.sync import async_to_sync
from django.db import transaction

from crm import watching

GROUP = "calls"


def tell(call_id: Any) -> None:
    """After commit. Never an error: a page that misses it asks again by itself."""
    transaction.on_commit(lambda: _send(str(call_id)), robust=True)


def _send(call_id: str) -> None:
    async_to_sync(watching.send)(GROUP, {"type": "call.news", "call": call_id})
