"""Recordings of calls: noted when Twilio reports one, fetched, deleted there, and removed here in time.

Nothing is recorded unless RAPPORT_VOICE_RECORDING is on. The row is the work: each step may be repeated.
"""

import re
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from voice import twilio
from voice.models import CallRecording, PhoneCall

SID = re.compile(r"RE[0-9a-f]{32}")
# After a try that failed; after the last of them staff see that it could not be fetched.
WAITS = tuple(timedelta(minutes=minutes) for minutes in (2, 10, 60, 360, 1440))
LEASE = timedelta(minutes=5)  # of one try; a worker that died leaves it to the next
BATCH = 100
State = CallRecording.State


def note(call: PhoneCall | None, sid: str, *, duration_seconds: int | None) -> CallRecording | None:
    """A recording that is whole at Twilio. Of a call that is gone it is only deleted. Safe to repeat."""
    if not SID.fullmatch(sid):
        return None
    known = {"state": State.DUE if call is not None else State.REMOVED, "due_at": timezone.now()}
    fields = {**known, "call": call, "duration_seconds": duration_seconds}
    row, is_new = CallRecording.objects.get_or_create(sid=sid, defaults=fields)
    return row if is_new else None


def due(*, limit: int = 20) -> list[int]:
    rows = CallRecording.objects.filter(due_at__lte=timezone.now())
    return list(rows.order_by("due_at").values_list("pk", flat=True)[:limit])


def work_on(recording_id: int) -> None:
    """Fetches it, or deletes it at Twilio: one try, by one worker."""
    now = timezone.now()
    row = CallRecording.objects.filter(pk=recording_id, due_at__lte=now).first()
    if row is None:
        return
    seen = CallRecording.objects.filter(pk=row.pk, due_at=row.due_at)
    if not seen.update(due_at=now + LEASE, attempts=F("attempts") + 1):
        return
    row.attempts += 1
    if row.state == State.DUE and not _fetched(row):
        return
    _deleted_there(row)


def _fetched(row: CallRecording) -> bool:
    try:
        sound = twilio.recording(row.sid)
    except twilio.TwilioFailed as error:
        _try_later(row, error.text, gives_up=True)
        return False
    key = f"voice/recordings/{row.sid}.mp3"
    if default_storage.exists(key):
        default_storage.delete(key)  # of a worker that died before its row
    name = default_storage.save(key, ContentFile(sound))
    kept = {"state": State.KEPT, "file": name, "size_bytes": len(sound), "attempts": 0, "error": ""}
    if not CallRecording.objects.filter(pk=row.pk, state=State.DUE).update(**kept):
        default_storage.delete(name)  # removed meanwhile
    row.attempts = 0
    return True


def _deleted_there(row: CallRecording) -> None:
    try:
        twilio.delete_recording(row.sid)
    except twilio.TwilioFailed as error:
        _try_later(row, error.text, gives_up=False)
        return
    CallRecording.objects.filter(pk=row.pk).update(is_at_vendor=False, due_at=None)
    CallRecording.objects.filter(pk=row.pk, state=State.REMOVED, file="").delete()


def _try_later(row: CallRecording, why: str, *, gives_up: bool) -> None:
    """Where it does not give up it goes on once a day: nobody's voice is forgotten at Twilio."""
    wait = WAITS[min(row.attempts, len(WAITS)) - 1]
    fields: dict[str, Any] = {"due_at": timezone.now() + wait, "error": why[:200]}
    if gives_up and row.attempts > len(WAITS):
        fields |= {"due_at": None, "state": State.FAILED}
    CallRecording.objects.filter(pk=row.pk, state=row.state).update(**fields)


# --- Removed ------------------------------------------------------------------------------------


def remove(rows: "QuerySet[CallRecording]") -> int:
    """The sound here now, and at Twilio soon. Safe to repeat; nothing of the person stays in the row."""
    count = 0
    for row in rows.exclude(state=State.REMOVED):
        if row.file:
            default_storage.delete(str(row.file.name))
        gone = {"state": State.REMOVED, "file": "", "call": None, "attempts": 0}
        CallRecording.objects.filter(pk=row.pk).update(**gone, due_at=timezone.now())
        count += 1
    return count


def clear_old(*, at: datetime | None = None) -> None:
    """Those whose time is over, and those of calls that were deleted."""
    before = (at or timezone.now()) - timedelta(days=settings.VOICE_RECORDING_DAYS)
    left = Q(created_at__lt=before) | Q(call=None)
    rows = CallRecording.objects.filter(left).exclude(state=State.REMOVED)
    remove(rows.filter(pk__in=list(rows.order_by("created_at").values_list("pk", flat=True)[:BATCH])))
