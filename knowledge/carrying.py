"""One step of a copy at a vendor: parsed there, trained there, taken away there.

A step is claimed, done outside any transaction, and its outcome written, so that a crash between two
steps goes on with the second.
"""

import json
import logging
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.core.files.storage import default_storage
from django.db.models import F, QuerySet
from django.utils import timezone

from knowledge import remote
from knowledge.models import Document, RemoteCopy
from personas.lyzr_agents import LyzrError
from personas.lyzr_knowledge import LyzrBase, Part, base_of, names_in, part

State = RemoteCopy.State
LEASE = timedelta(minutes=5)  # longer than any one call may take
MOST_ATTEMPTS = 8
FIRST_PAUSE = timedelta(seconds=30)  # doubled with each attempt
LONGEST_PAUSE = timedelta(hours=1)
LONGEST_ANSWER = 4_000  # characters of the vendor's answer that are kept
GIVEN_UP = "It was begun {} times and never ended."
PDF = "application/pdf"

logger = logging.getLogger(__name__)


def carry(copy_id: int) -> bool:
    """Do the step a copy is at, if it is due and nobody else is at it; whether there was one.

    The next step is a task of its own.
    """
    copy = _claimed(copy_id)
    if copy is None:
        return False
    try:
        base = base_of(copy.account, copy.remote_id)
        _STEPS[copy.state](copy, base)
    except LyzrError as error:
        _try_again(copy, error.message, retryable=error.retryable)
    except OSError as error:  # our own storage is away
        _try_again(copy, f"Its file could not be read ({type(error).__name__}).", retryable=True)
    return True


def train_now(document: Document) -> RemoteCopy | None:
    """The copy's steps at once, for a caller that waits; then where it stands. None when it stays here.

    What failed before begins again. Safe to repeat: what is trained is not trained again.
    """
    copy = remote.queue(document)
    if copy is None:
        return None
    remote.repeat(RemoteCopy.objects.filter(pk=copy.pk))
    while carry(copy.pk):
        pass
    return RemoteCopy.objects.filter(pk=copy.pk).first()


def _claimed(copy_id: int) -> RemoteCopy | None:
    claim = RemoteCopy.objects.filter(remote.due(), pk=copy_id)
    claim.filter(attempts__gte=MOST_ATTEMPTS).exclude(state=State.LEAVING).update(
        state=State.FAILED, error=GIVEN_UP.format(MOST_ATTEMPTS), lease_until=None
    )
    if not claim.update(attempts=F("attempts") + 1, lease_until=timezone.now() + LEASE):
        return None
    rows = RemoteCopy.objects.select_related("account", "document__collection").defer(
        "document__given_sections"
    )
    return rows.get(pk=copy_id)


def _parse(copy: RemoteCopy, base: LyzrBase) -> None:
    document = copy.document
    if document is None:  # removed since, and nothing of it is there
        _ours(copy).delete()
        return
    parts = _parts_of(document, base)
    if not parts:
        _end(copy, State.FAILED, error="Lyzr found no text in it.")
        return
    _end(copy, State.PARSED, parts=parts, names=names_in(parts) or [remote_name(document)])
    remote.wake(copy.pk)


def _parts_of(document: Document, base: LyzrBase) -> list[Part]:
    """A PDF as the vendor's parser cuts it; of any other file, the passages that were read here."""
    name = remote_name(document)
    if document.mime == PDF or document.filename.lower().endswith(".pdf"):
        with default_storage.open(str(document.file.name), "rb") as stored:
            return base.parsed(name, stored.read())
    texts = document.chunks.order_by("position").values_list("text", flat=True)
    return [part(text, name) for text in texts]


def _train(copy: RemoteCopy, base: LyzrBase) -> None:
    if copy.train_begun_at is not None and _is_there(copy, base):
        answer = {"message": "It was there already."}
    else:
        if not _ours(copy).update(train_begun_at=timezone.now()):
            return
        answer = base.train(copy.parts or [])
    _end(copy, State.TRAINED, parts=None, answer=_bounded(answer), trained_at=timezone.now())


def _is_there(copy: RemoteCopy, base: LyzrBase) -> bool:
    """Whether an earlier attempt, whose answer was lost, has trained it."""
    there = base.known_names()
    return bool(copy.names) and there.issuperset(copy.names)


def _take_away(copy: RemoteCopy, base: LyzrBase) -> None:
    if copy.train_begun_at is not None:
        base.forget(copy.names)
    _ours(copy).delete()


_STEPS: dict[str, Callable[[RemoteCopy, LyzrBase], None]] = {
    State.WAITING: _parse,
    State.PARSED: _train,
    State.LEAVING: _take_away,
}


def remote_name(document: Document) -> str:
    """What it is called at the vendor: of that document alone, and with nothing a path could be made of."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", document.filename)[-80:].strip("._") or "document"
    return f"{document.pk}-{name}"


def _bounded(answer: dict[str, Any]) -> dict[str, Any]:
    return answer if len(json.dumps(answer)) <= LONGEST_ANSWER else {"message": "The answer was long."}


def _ours(copy: RemoteCopy) -> QuerySet[RemoteCopy]:
    """The row while this attempt holds it: every claim has a lease of its own."""
    return RemoteCopy.objects.filter(pk=copy.pk, state=copy.state, lease_until=copy.lease_until)


def _end(copy: RemoteCopy, state: str, **fields: Any) -> bool:
    fields = {"error": "", **fields}
    return bool(_ours(copy).update(state=state, attempts=0, lease_until=None, **fields))


def _try_again(copy: RemoteCopy, reason: str, *, retryable: bool) -> None:
    logger.warning("Copy %s of account %s: %s", copy.pk, copy.account_id, reason)
    is_leaving = copy.state == State.LEAVING
    if not is_leaving and (not retryable or copy.attempts >= MOST_ATTEMPTS):
        _ours(copy).update(state=State.FAILED, error=reason, lease_until=None)
        return
    # What is to be taken away is asked for until it is gone: it may be what a person told us.
    pause = min(FIRST_PAUSE * 2 ** min(copy.attempts - 1, 10), LONGEST_PAUSE)
    _ours(copy).update(error=reason, lease_until=None, not_before=timezone.now() + pause)
