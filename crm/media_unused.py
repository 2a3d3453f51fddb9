"""Uploads that no message took are removed a day later: file, then row, so that a crash between is made good.

`MediaFile.unused_after` is set for an upload, put off by each claim, and cleared here once a message has it.
"""

import logging
from typing import Any

from django.core.files.storage import default_storage
from django.utils import timezone

from crm.models import MediaFile

AT_ONCE = 200

log = logging.getLogger(__name__)


def remove() -> int:
    """Of uploads whose time is over; how many went. Safe to repeat, and for two at once."""
    due = MediaFile.objects.filter(unused_after__lt=timezone.now()).order_by("unused_after")
    rows = list(due[:AT_ONCE])
    taken = MediaFile.objects.filter(pk__in=[row.pk for row in rows], messages__isnull=False)
    used = set(taken.values_list("pk", flat=True))
    for row in rows:
        if row.pk in used:
            _if_unchanged(row).update(unused_after=None)
    return sum(_removed(row) for row in rows if row.pk not in used)


def _if_unchanged(row: MediaFile) -> Any:
    """Nothing to change when a message claimed it at this moment: that moved its time."""
    return MediaFile.objects.filter(pk=row.pk, unused_after=row.unused_after)


def _removed(row: MediaFile) -> bool:
    # From here on it is nobody's, so nobody can claim it while its file goes.
    if not _if_unchanged(row).update(contact=None):
        return False
    try:
        default_storage.delete(str(row.file.name))
    except Exception as error:  # each kind of store has its own
        log.warning("unused media file %s could not be removed yet: %s", row.pk, type(error).__name__)
        return False
    return bool(MediaFile.objects.filter(pk=row.pk).delete()[0])
