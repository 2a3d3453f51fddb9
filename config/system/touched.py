"""Old days whose figures are no longer what the rows say, because people were merged, taken apart or erased.

Each is a row until it is counted again (daily.py), soon after, however many days there are.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from config.system.models import ContactDay, CountingProgress, TouchedDay
from crm.models import ContactMerge

# A merge may be committed a little after the moment it carries.
SETTLED = timedelta(minutes=1)


def note_days_of(contacts: Iterable[UUID]) -> None:
    """The days on which these people did something, in the caller's transaction."""
    days = ContactDay.objects.filter(contact_key__in=list(contacts)).order_by().values_list("day", flat=True)
    note(days.distinct())


def note(days: Iterable[date]) -> None:
    rows = [TouchedDay(day=day) for day in days]
    TouchedDay.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["day"], update_fields=["noted_at"]
    )


def note_merges(progress: CountingProgress) -> None:
    """The days of who was merged or taken apart since the last look; at first, all is as it should be."""
    now = timezone.now()
    since = (progress.merges_seen_until or now) - SETTLED
    with transaction.atomic():
        note_days_of(_merged_since(since))
        progress.merges_seen_until = now
        progress.save(update_fields=["merges_seen_until"])


def _merged_since(since: datetime) -> set[UUID]:
    merged = Q(state=ContactMerge.State.MERGED, merged_at__gte=since)
    undone = Q(state=ContactMerge.State.UNDONE, undone_at__gte=since)
    pairs = ContactMerge.objects.filter(merged | undone).order_by().values_list("kept", "removed")
    return {contact for pair in pairs for contact in pair}
