"""What wakes voice up. Tasks find their work in rows and can run twice."""

from celery import shared_task
from django.utils import timezone

from voice import calls, notices, twilio


@shared_task
def tell(appointment_id: str) -> None:
    """The email of one appointment."""
    notices.tell(appointment_id)


@shared_task
def sweep() -> None:
    """Emails that were not handed over; calls whose end was never reported, which Twilio is asked for."""
    for appointment_id in notices.due():
        tell.delay(str(appointment_id))
    if twilio.missing_settings():
        return
    for call in calls.stale(now=timezone.now()):
        calls.refresh(call)
