"""The system's own sweep: figures of the day, and processes that are gone."""

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from config.system import daily, heartbeats
from config.system.models import DailyFigure, RequestFigure

RECOUNT_EVERY = timedelta(minutes=5)
REQUEST_FIGURES_KEPT = timedelta(days=14)


@shared_task(name="config.system.tasks.sweep", ignore_result=True)
def sweep() -> None:
    heartbeats.forget_old()
    RequestFigure.objects.filter(minute__lt=timezone.now() - REQUEST_FIGURES_KEPT).delete()
    if is_time_to_count():
        daily.count_recent_days()


def is_time_to_count() -> bool:
    """Counting scans a day of rows, so that not every sweep does it: once in ten, by the clock."""
    minute = timezone.now()
    return minute.minute % (RECOUNT_EVERY.seconds // 60) == 0 or not DailyFigure.objects.exists()
