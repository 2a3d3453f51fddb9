"""What wakes voice up. Tasks hold nothing: each finds its work in rows and can run twice."""

import time
from uuid import UUID

from celery import shared_task
from django.utils import timezone

from voice import (
    calls,
    dialling,
    inbox,
    inbox_reading,
    kept_talks,
    notices,
    practice,
    prices,
    received_data,
    recordings,
    reminding,
    retrying,
    twilio,
    webhook_polling,
)

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
    """The email about how one appointment stands."""
    notices.tell(appointment_id)


@shared_task
def remind(appointment_id: str) -> None:
    """The email before one appointment."""
    reminding.remind(appointment_id)


@shared_task
def call_again() -> None:
    """Places the next attempts that are due, the oldest first; several at once share them."""
    ends = time.monotonic() + WORK_SECONDS
    while ids := retrying.due(limit=20):
        for call_id in ids:
            if time.monotonic() > ends:
                call_again.delay()
                return
            retrying.call_again(call_id)


@shared_task
def dial(batch_id: str) -> None:
    """Calls the people of one batch who are due; several at once share them."""
    if dialling.dial(UUID(batch_id), seconds=WORK_SECONDS):
        dial.delay(batch_id)


@shared_task
def keep_talk(call_id: str) -> None:
    """What was said in one call, as a conversation."""
    kept_talks.keep(UUID(call_id))


@shared_task
def ask_prices() -> None:
    """What calls cost, asked one by one; the rest is left to the next sweep."""
    ends = time.monotonic() + WORK_SECONDS
    for call_id in prices.due():
        if time.monotonic() > ends:
            return
        prices.ask(call_id)


@shared_task
def fetch_recordings() -> None:
    """Recordings that wait at Twilio, one by one; the rest is left to the next sweep."""
    ends = time.monotonic() + WORK_SECONDS
    for recording_id in recordings.due():
        if time.monotonic() > ends:
            return
        recordings.work_on(recording_id)


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
    """Emails, batches and next attempts that are due; calls whose end was never reported: Twilio is asked."""
    for appointment_id in notices.due():
        tell.delay(str(appointment_id))
    for appointment_id in reminding.due():
        remind.delay(str(appointment_id))
    for batch_id in dialling.at_work():
        dial.delay(str(batch_id))
    for call_id in kept_talks.due():
        keep_talk.delay(str(call_id))
    practice.clear_old()
    recordings.clear_old()
    if twilio.missing_settings():
        return
    if retrying.due(limit=1):
        call_again.delay()
    for call in calls.stale(now=timezone.now()):
        calls.refresh(call)
    if prices.due(limit=1):
        ask_prices.delay()
    if recordings.due(limit=1):
        fetch_recordings.delay()
