"""Tells senders in a worker's child processes that the worker is shutting down.

Celery's signal reaches only the parent; the children it forked share this one byte with it.
"""

import mmap
from typing import Any

from celery.signals import worker_init, worker_shutting_down

_shared = mmap.mmap(-1, 1)


def is_stopping() -> bool:
    return _shared[0] == 1


def stop(**_signal: Any) -> None:
    _shared[0] = 1


def go_on(**_signal: Any) -> None:
    _shared[0] = 0


worker_shutting_down.connect(stop, dispatch_uid="campaigns.stopping.stop")
worker_init.connect(go_on, dispatch_uid="campaigns.stopping.go_on")
