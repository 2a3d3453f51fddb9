"""The Celery application. Tasks only wake work up: the truth is in rows (docs/architecture.md)."""

import logging.config
import os
from typing import Any

from celery import Celery, bootsteps, signals

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("rapport")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


class WorkerHeartbeat(bootsteps.StartStopStep):  # type: ignore[misc]
    """Writes the worker's heartbeat from its main loop: once it consumes, then every 15 s."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def start(self, consumer: Any) -> None:
        from config.system import heartbeats

        parts = heartbeats.parts_of_worker(consumer.app.amqp.queues.consume_from)
        heartbeats.beat_and_disconnect(*parts)
        self.timer = consumer.timer.call_repeatedly(
            heartbeats.EVERY_SECONDS, heartbeats.beat_and_disconnect, tuple(parts)
        )

    def stop(self, consumer: Any) -> None:
        """Also called when the broker is lost, before a new start."""
        self.timer.cancel()


app.steps["consumer"].add(WorkerHeartbeat)


@signals.setup_logging.connect
def keep_our_logging(**_: Any) -> None:
    """Celery's own set-up would lose the filter that keeps secrets out of the logs."""
    from django.conf import settings

    logging.config.dictConfig(settings.LOGGING)


@signals.beat_init.connect
def start_beat_heartbeat(**_: Any) -> None:
    from config.system import heartbeats

    heartbeats.keep_beating("beat")


@signals.worker_process_init.connect
def die_with_the_worker(**_: Any) -> None:
    """A pool process must not outlive a worker that was killed."""
    from config.system import processes

    processes.die_with_parent()
