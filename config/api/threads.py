"""Database work for async code: whole short functions on one shared, bounded pool of threads.

Under ASGI each request that touches synchronous code gets its own thread and connection until it
ends. Replies live for a minute; on this pool they hold a connection for milliseconds.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from typing import ParamSpec, TypeVar

from django.conf import settings
from django.db import close_old_connections

P = ParamSpec("P")
R = TypeVar("R")


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(settings.DATABASE_THREADS, thread_name_prefix="database")


def _fresh(work: Callable[[], R]) -> R:
    # Drops a connection that the server closed meanwhile (restart, time limit).
    close_old_connections()
    return work()


async def in_database(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """What `work(*args, **kwargs)` returns, run on a pool thread. It must be short and touch no network."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_pool(), _fresh, partial(work, *args, **kwargs))
