"""The system's own sweep: figures of the day, and processes that are gone."""

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from config.system import daily, heartbeats, providers_probe
from config.system.models import RequestFigure

REQUEST_FIGURES_KEPT = timedelta(days=14)


@shared_task(name="config.system.tasks.sweep", ignore_result=True)
def sweep() -> None:
    heartbeats.forget_old()
    RequestFigure.objects.filter(minute__lt=timezone.now() - REQUEST_FIGURES_KEPT).delete()
    if providers_probe.is_due():
        providers_probe.look()
    if daily.is_due():
        daily.catch_up()
    else:
        daily.follow_changes()
