"""What wakes voice up. Tasks hold nothing: each finds its work in rows and can run twice."""

import time

from celery import shared_task
from django.utils import timezone

from voice import calls, inbox, inbox_reading, notices, received_data, twilio, webhook_polling

WORK_SECONDS = 20  # of one task; then it hands over to its next self


@shared_task
def read_inbox() -> None:
    """Reads what waits, the oldest first. Several at once share the work; never one task per event."""
    ends = time.monotonic() + WORK_SECONDS
    while ids := inbox.due_ids(limit=50):
        for event_id in ids:
            if time.monotonic() > ends:
                read_inbox.delay()
                return
            inbox_reading.read(event_id)


@shared_task
def ask_vendor() -> None:
    webhook_polling.ask()


@shared_task
def tell(appointment_id: str) -> None:
    """The email of one appointment."""
    notices.tell(appointment_id)


@shared_task
def sweep() -> None:
    """Every 30 s: finds from rows the work whose wake-up was lost."""
    if inbox.due_ids(limit=1):
        read_inbox.delay()
    if webhook_polling.is_due():
        ask_vendor.delay()
    received_data.clear_old()
    _sweep_calls()


def _sweep_calls() -> None:
    """Emails that were not handed over; calls whose end was never reported, which Twilio is asked for."""
    for appointment_id in notices.due():
        tell.delay(str(appointment_id))
    if twilio.missing_settings():
        return
    for call in calls.stale(now=timezone.now()):
        calls.refresh(call)
