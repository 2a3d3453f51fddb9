"""Forgetting a person, or one talk of theirs: a row that goes on after a crash, part by part.

The parts are the modules in settings.PERSONAL_DATA, in their order: each offers `collect(contact)` and
`erase(contact, conversation_id=None)`, which is safe to run again. A finished part is noted in `done`.
"""

import logging
from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from config.api import audit
from config.api.models import AuditEntry
from crm.models import Contact, Conversation, Erasure

logger = logging.getLogger(__name__)

LEASE = timedelta(minutes=5)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=6)


def request(contact: Contact, *, conversation: Conversation | None = None, requested_by: str = "") -> Erasure:
    """The row that does it; work begins after commit. The same erasure asked for twice is one."""
    only = conversation.pk if conversation is not None else None
    with transaction.atomic():
        # The contact's row is the lock: two requests at once make one erasure.
        Contact.objects.select_for_update().get(pk=contact.pk)
        waiting = Erasure.objects.filter(
            contact=contact, conversation_id_only=only, state=Erasure.State.REQUESTED
        ).first()
        if waiting is not None:
            return waiting
        erasure = Erasure.objects.create(
            account_id=contact.account_id,
            contact=contact,
            conversation_id_only=only,
            requested_by=requested_by[:150],
        )
        audit.record(
            contact.account,
            AuditEntry.ActorKind.SYSTEM,
            requested_by or "system",
            "requested erasure",
            target=contact,
            detail={"conversation": str(only)} if only else None,
        )
        transaction.on_commit(lambda: _wake(erasure.pk), robust=True)
    return erasure


def _wake(erasure_id: UUID) -> None:
    from crm import tasks  # tasks imports this module

    tasks.run_erasure.delay(str(erasure_id))


def due() -> QuerySet[Erasure]:
    now = timezone.now()
    free = Q(lease_until=None) | Q(lease_until__lt=now)
    return Erasure.objects.filter(free, state=Erasure.State.REQUESTED, not_before__lte=now)


def run(erasure_id: UUID | str) -> bool:
    """Goes on with an erasure that is due; True when it is done. Nobody else works on it meanwhile."""
    now = timezone.now()
    rows = due().filter(pk=erasure_id)
    if not rows.update(lease_until=now + LEASE, attempts=F("attempts") + 1):
        return False
    erasure = Erasure.objects.select_related("contact__account").get(pk=erasure_id)
    try:
        for path in settings.PERSONAL_DATA:
            if path not in erasure.done:
                _erase_part(erasure, path)
    except Exception as error:
        logger.exception("erasure %s stopped", erasure.pk)
        _put_off(erasure, error)
        return False
    _finish(erasure)
    return True


def _erase_part(erasure: Erasure, path: str) -> None:
    if erasure.contact is None:
        removed: dict[str, int] = {}
    else:
        removed = _part(path, "erase")(erasure.contact, conversation_id=erasure.conversation_id_only)
    erasure.done = [*erasure.done, path]
    erasure.receipt = {**erasure.receipt, path.partition(".")[0]: removed}
    erasure.lease_until = timezone.now() + LEASE
    erasure.save(update_fields=["done", "receipt", "lease_until"])


def _part(path: str, name: str) -> Callable[..., dict[str, Any]]:
    function: Callable[..., dict[str, Any]] = getattr(import_module(path), name)
    return function


def _put_off(erasure: Erasure, error: Exception) -> None:
    pause = min(FIRST_PAUSE * 2 ** min(erasure.attempts, 12), LONGEST_PAUSE)
    Erasure.objects.filter(pk=erasure.pk).update(not_before=timezone.now() + pause, lease_until=None)


def _finish(erasure: Erasure) -> None:
    with transaction.atomic():
        rows = Erasure.objects.filter(pk=erasure.pk, state=Erasure.State.REQUESTED)
        if not rows.update(state=Erasure.State.DONE, finished_at=timezone.now(), lease_until=None):
            return
        audit.record(
            erasure.account,
            AuditEntry.ActorKind.SYSTEM,
            "system",
            "erased",
            target=erasure,
            detail=erasure.receipt,
        )


def collect(contact: Contact) -> dict[str, Any]:
    """Everything we hold of a person, by the app that holds it."""
    return {path.partition(".")[0]: _part(path, "collect")(contact) for path in settings.PERSONAL_DATA}
