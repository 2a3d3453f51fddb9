"""What higher apps may hear from the knowledge. Sent after commit, with an id.

A signal only hurries: every receiver also looks again by itself.
"""

import logging
from collections.abc import Callable
from functools import wraps
from uuid import UUID

from django.db import transaction
from django.dispatch import Signal

from knowledge.models import Document

logger = logging.getLogger(__name__)

# document_id: UUID. The document is ready, refused or failed; nobody reads it any more.
document_settled = Signal()
SETTLED = (Document.State.READY, Document.State.REFUSED, Document.State.FAILED)

Read = Callable[[str | UUID], bool]


def settling(read: Read) -> Read:
    """Announces the end of a document's reading, whichever way it ended."""

    @wraps(read)
    def announced(document_id: str | UUID) -> bool:
        did_something = read(document_id)
        state = Document.objects.filter(pk=document_id).values_list("state", flat=True).first()
        # A worker that finds it was begun too often gives it up without reading it.
        if state == Document.State.FAILED or (did_something and state in SETTLED):
            transaction.on_commit(lambda: _send(UUID(str(document_id))))
        return did_something

    return announced


def _send(document_id: UUID) -> None:
    for receiver, answer in document_settled.send_robust(sender=None, document_id=document_id):
        if isinstance(answer, Exception):
            name = getattr(receiver, "__qualname__", repr(receiver))
            logger.error("receiver %s failed: %s", name, type(answer).__name__, exc_info=answer)
