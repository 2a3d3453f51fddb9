"""Each process of the installation says that it is alive, as a row."""

import logging
import os
import socket
import threading
from collections.abc import Callable, Iterable
from datetime import timedelta

from django.db import Error as DatabaseError
from django.db import connection
from django.utils import timezone

from config.system.models import Heartbeat

EVERY_SECONDS = 15
FRESH = timedelta(seconds=50)  # three beats and a slow database
FORGOTTEN = timedelta(hours=1)

log = logging.getLogger(__name__)


def instance() -> str:
    return f"{socket.gethostname()[:80]}:{os.getpid()}"


def beat(part: str) -> None:
    Heartbeat.objects.update_or_create(part=part, instance=instance(), defaults={"at": timezone.now()})


def beat_and_disconnect(*parts: str) -> None:
    """One beat that never fails its caller and leaves no connection for a forked pool process to inherit."""
    try:
        for part in parts:
            beat(part)
    except DatabaseError as error:
        log.warning("The heartbeat of %s was not written: %s", " and ".join(parts), type(error).__name__)
    finally:
        connection.close()


def parts_of_worker(queues: Iterable[str]) -> list[str]:
    """Which parts a worker of these queues is: one that only sends email does not stand for the other."""
    mail, others = {"mail"} & set(queues), set(queues) - {"mail"}
    return [*(["worker"] if others else []), *mail]


def keep_beating(part: str, *, also: Callable[[], None] | None = None) -> threading.Event:
    """Beat from a thread until the returned event is set; `also` runs with every beat."""
    stop = threading.Event()

    def run() -> None:
        while True:
            beat_and_disconnect(part)
            if also:
                also()
            if stop.wait(EVERY_SECONDS):
                return

    threading.Thread(target=run, name=f"heartbeat-{part}", daemon=True).start()
    return stop


def alive(part: str) -> bool:
    return Heartbeat.objects.filter(part=part, at__gte=timezone.now() - FRESH).exists()


def is_fresh(heartbeat: Heartbeat) -> bool:
    return heartbeat.at >= timezone.now() - FRESH


def forget_this_host() -> None:
    """Before a start: what an earlier run on this machine left must not look alive."""
    Heartbeat.objects.filter(instance__startswith=f"{socket.gethostname()[:80]}:").delete()


def forget_old() -> int:
    return Heartbeat.objects.filter(at__lt=timezone.now() - FORGOTTEN).delete()[0]
