"""What wakes voice up. Tasks hold nothing: each finds its work in rows and can run twice."""

import time

from celery import shared_task

from voice import inbox, inbox_reading, received_data, webhook_polling

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
def sweep() -> None:
    """Every 30 s: finds from rows the work whose wake-up was lost."""
    if inbox.due_ids(limit=1):
        read_inbox.delay()
    if webhook_polling.is_due():
        ask_vendor.delay()
    received_data.clear_old()
