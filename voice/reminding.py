"""The email before an appointment: due by its row, handed over once."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from voice import notices
from voice.models import Appointment, TimeSlot


def time_for(slot: TimeSlot, *, now: datetime) -> datetime | None:
    """When to remind of a slot; None when reminders are off, or what is agreed now is close enough."""
    at = slot.starts_at - timedelta(hours=settings.REMINDER_HOURS)
    return at if settings.REMINDER_HOURS and at > now else None


def due(*, at: datetime | None = None) -> list[Any]:
    rows = Appointment.objects.filter(state=Appointment.State.BOOKED, remind_at__lte=at or timezone.now())
    return list(rows.order_by("remind_at").values_list("pk", flat=True)[:100])


def remind(appointment_id: Any) -> bool:
    """Whether it was this call that handed the email over.

    Asked anew who may be written to. What is due after the appointment began is only put away.
    """
    now = timezone.now()
    rows = Appointment.objects.filter(pk=appointment_id, state=Appointment.State.BOOKED, remind_at__lte=now)
    one = notices.with_all().filter(pk__in=rows.values("pk")).first()
    if one is None:
        return False
    may = notices.may_be_told(one)
    with transaction.atomic():  # the email is a row too, so that both are there or neither
        claimed = rows.filter(sequence=one.sequence).update(remind_at=None, reminded_at=now if may else None)
        if claimed and may:
            notices.send(one, "reminder", key=f"appointment:{one.pk}:{one.sequence}:reminder")
    return bool(claimed and may)
