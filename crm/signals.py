"""What higher apps may hear from crm. Sent after commit, with an id.

A signal only hurries: every receiver also has a sweep that finds the same work from rows.
"""

import logging
from functools import partial
from typing import Any

from django.db import transaction
from django.dispatch import Signal

logger = logging.getLogger(__name__)

# message_id: int
message_recorded = Signal()
# conversation_id: UUID
conversation_closed = Signal()


def after_commit(signal: Signal, **ids: Any) -> None:
    """Sends when the transaction is in the database; a receiver that fails stops nobody."""
    transaction.on_commit(partial(_send, signal, ids))


def _send(signal: Signal, ids: dict[str, Any]) -> None:
    for receiver, answer in signal.send_robust(sender=None, **ids):
        if isinstance(answer, Exception):
            name = getattr(receiver, "__qualname__", repr(receiver))
            logger.error("receiver %s failed: %s", name, type(answer).__name__, exc_info=answer)
