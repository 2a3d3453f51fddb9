"""Synchronous calls for async code: a bounded pool of threads, and a way for each to be given up at once."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import lru_cache
from typing import Any, TypeVar

from django.conf import settings

from personas.providers import gemini_line
from personas.providers.gemini_line import Line
from personas.providers.limits import Patience

T = TypeVar("T")


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(settings.GEMINI_THREADS, thread_name_prefix="gemini")


class _End:
    """The last thing that a call says: it is over, or what it raised."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error


async def pieces(work: Callable[[], Iterator[T]], patience: Patience) -> AsyncGenerator[T, None]:
    """What `work()` yields, on a thread of the pool. Raises what it raises, and TimeoutError.

    Closing it hangs up: the thread's connection is shut down, wherever it waits.
    """
    loop, arrived = asyncio.get_running_loop(), asyncio.Queue[Any]()
    line = Line()
    running = _pool().submit(_run, line, work, lambda one: _tell(loop, arrived, one))
    try:
        # A place in the pool may take as long as the call itself may; after that the next piece is due soon.
        by = patience.ends_at
        while True:
            async with asyncio.timeout_at(by):
                one = await arrived.get()
            if isinstance(one, _End):
                if one.error is not None:
                    raise one.error
                return
            if one is not _BEGUN:
                yield one
            by = patience.next_piece_by()
    finally:
        running.cancel()
        line.hang_up()


_BEGUN = object()


def _tell(loop: asyncio.AbstractEventLoop, arrived: "asyncio.Queue[Any]", one: Any) -> None:
    try:
        loop.call_soon_threadsafe(arrived.put_nowait, one)
    except RuntimeError:  # the loop was closed: nobody listens
        raise gemini_line.HungUp from None


def _run(line: Line, work: Callable[[], Iterator[Any]], tell: Callable[[Any], None]) -> None:
    gemini_line.take(line)
    end = _End()
    try:
        with closing(work()) as found:  # type: ignore[type-var]
            tell(_BEGUN)  # what came before was the import, perhaps
            for one in found:
                tell(one)
    except Exception as error:  # told on the event loop, where it is translated
        end = _End(error)
    finally:
        gemini_line.take(None)
        line.end()
    try:
        tell(end)
    except gemini_line.HungUp:
        return


async def answer(work: Callable[[], T], patience: Patience) -> T:
    """What `work()` returns, in the same way."""

    def once() -> Iterator[T]:
        yield work()

    found = [one async for one in pieces(once, patience)]
    return found[0]
