"""The one timeline of a contact: whichever app something happened in writes its entry here."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.utils import timezone

from config.api.prepared import PreparedInsert
from crm.models import Contact, TimelineEntry

_insert = PreparedInsert(TimelineEntry)


def write(
    contact: Contact,
    kind: str,
    title: str,
    *,
    direction: str = TimelineEntry.Direction.NONE,
    channel: str = "",
    ref: dict[str, Any] | None = None,
    at: datetime | None = None,
) -> TimelineEntry:
    """Adds an entry in the caller's transaction: it is there exactly when the caller's own row is."""
    entry = TimelineEntry(
        contact=contact,
        kind=kind,
        title=title[:300],
        direction=direction,
        channel=channel,
        ref=ref or {},
        at=at or timezone.now(),
    )
    return _insert(entry)


def write_many(entries: Iterable[TimelineEntry]) -> None:
    """Adds what many people have in common in one INSERT, in the caller's transaction."""
    _insert.many(entries)
