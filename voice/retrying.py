"""Calls that reached nobody, placed again when their rows are due: each at most once, whatever is killed."""

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from voice import calls, gates
from voice.models import Appointment, PhoneCall

LEASE = timedelta(minutes=5)  # longer than Twilio may take; after a kill the row is due again
LATER = timedelta(hours=1)  # while our own set-up cannot call
OF_OUR_SETUP = {"NOT_CONFIGURED", "WEBHOOK_NOT_PUBLIC"}
FORGOTTEN = timedelta(days=8)


def due(*, at: datetime | None = None, limit: int = 50) -> list[Any]:
    """Those of batches are the batch's, which keeps to its number of calls at once."""
    rows = PhoneCall.objects.filter(retry_at__lte=at or timezone.now(), callee=None)
    return list(rows.order_by("retry_at").values_list("pk", flat=True)[:limit])


def call_again(call_id: Any, *, now: datetime | None = None) -> PhoneCall | None:
    """The next attempt, if it is due and still wanted. Gates are asked anew: consent, hours, how often."""
    at = now or timezone.now()
    if not PhoneCall.objects.filter(pk=call_id, retry_at__lte=at).update(retry_at=at + LEASE):
        return None
    call = PhoneCall.objects.select_related("contact__account").get(pk=call_id)
    if _is_settled(call, now=at):
        _note(call, retry_at=None)
        return None
    about = calls.About(
        company=str(call.invitation.get("company", "")), position=str(call.invitation.get("position", ""))
    )
    try:
        placed = calls.place(call.person, about, by=call.requested_by, now=at, retry_of=call)
    except calls.CannotCall as error:
        _refused(call, error, now=at)
        return None
    _note(call, retry_at=None)
    return placed


def _is_settled(call: PhoneCall, *, now: datetime) -> bool:
    """Somebody called meanwhile (an attempt whose worker died, too), or a time is agreed."""
    later = PhoneCall.objects.filter(contact=call.contact_id, started_at__gt=call.started_at)
    booked = Appointment.objects.filter(
        contact=call.contact_id, state=Appointment.State.BOOKED, slot__starts_at__gt=now
    )
    return later.exists() or booked.exists()


def _refused(call: PhoneCall, error: calls.CannotCall, *, now: datetime) -> None:
    """Nobody was called, or it is not known: an attempt that has a row goes on by itself."""
    if PhoneCall.objects.filter(retry_of=call).exists():
        _note(call, retry_at=None)
    elif error.code == "OUTSIDE_HOURS":
        _note(call, retry_at=gates.next_hour(call.person, call.to_number, after=now))
    elif error.code in OF_OUR_SETUP and call.started_at > now - FORGOTTEN:
        _note(call, retry_at=now + LATER)
    else:
        _note(call, retry_at=None, error=f"Not called again. {error.text}"[:300])


def _note(call: PhoneCall, **changes: Any) -> None:
    """Not over a "stop calling" that came meanwhile: what it cleared stays cleared."""
    PhoneCall.objects.filter(pk=call.pk, retry_at__isnull=False).update(**changes)
