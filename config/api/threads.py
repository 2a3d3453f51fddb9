"""Database work for async code: whole short functions on one shared, bounded pool of threads.

Under ASGI each request that touches synchronous code gets its own thread and connection until it
ends. Replies live for a minute; on this pool they hold a connection for milliseconds.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import copy_context
from functools import lru_cache, partial
from typing import Any, ParamSpec, TypeVar
from weakref import WeakSet

from django.conf import settings
from django.db import close_old_connections, connections
from django.db.backends.base.base import BaseDatabaseWrapper

P = ParamSpec("P")
R = TypeVar("R")

_lock = threading.Condition()
_connections: WeakSet[BaseDatabaseWrapper] = WeakSet()
_at_work: set[int] = set()


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(settings.DATABASE_THREADS, thread_name_prefix="database")


def _fresh(work: Callable[[], R]) -> R:
    with _lock:
        _at_work.add(threading.get_ident())
    # Drops a connection that the server closed meanwhile (restart, time limit).
    close_old_connections()
    try:
        return work()
    finally:
        # Marks a connection that broke just now, so that the next work on this thread gets a new one.
        close_old_connections()
        with _lock:
            _connections.update(connections.all(initialized_only=True))
            _at_work.discard(threading.get_ident())
            _lock.notify_all()


async def in_database(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """What `work(*args, **kwargs)` returns, run on a pool thread. It must be short and touch no network."""
    # The context carries the request's facts, so that its queries are counted there too.
    context = copy_context()
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_pool(), context.run, _fresh, partial(work, *args, **kwargs))


_going_on: set[asyncio.Task[Any]] = set()


async def to_its_end(work: Coroutine[Any, Any, R]) -> R:
    """What `work` returns. It is done to its end, also when the caller is cancelled meanwhile."""
    # A task that nobody holds may be collected before it ends.
    task = asyncio.create_task(work)
    _going_on.add(task)
    task.add_done_callback(_going_on.discard)
    return await asyncio.shield(task)


def close_connections(*, patience: float = 5.0) -> None:
    """Closes what the pool's threads hold open, once they rest. For the end of a process or a test.

    Closing SQLite under a running query would kill the process, so work that takes longer than
    `patience` seconds keeps its connection.
    """
    if not _pool.cache_info().currsize:
        return
    wait([_pool().submit(int) for _ in range(settings.DATABASE_THREADS)], timeout=patience)
    with _lock:
        if not _lock.wait_for(lambda: not _at_work, timeout=patience):
            return
        open_ones = list(_connections)
        _connections.clear()
    for connection in open_ones:
        connection.inc_thread_sharing()
        try:
            connection.close()
        finally:
            connection.dec_thread_sharing()
