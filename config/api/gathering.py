"""Calls that come at the same time become one piece of work: one thread, one transaction, one answer each."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

from config.api.threads import in_database

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST_AT_ONCE = 64  # calls in one piece of work: it must stay short


class Gathered(Generic[Item, Result]):
    """`await gathered(item)` is what `work([…, item, …])` gives for it. An exception there is raised here.

    While one batch is worked on, whatever comes waits for the next: a call that is alone waits for nothing,
    and the busier the process, the larger the batches. What `work` raises is raised to its whole batch.
    """

    def __init__(
        self,
        work: Callable[[list[Item]], Sequence[Result | Exception]],
        *,
        run: Callable[..., Awaitable[Sequence[Result | Exception]]] = in_database,
        most: int = MOST_AT_ONCE,
    ) -> None:
        self._work, self._run, self._most = work, run, most
        self._queues: WeakKeyDictionary[asyncio.AbstractEventLoop, _Queue[Item, Result]] = WeakKeyDictionary()

    async def __call__(self, item: Item) -> Result:
        loop = asyncio.get_running_loop()
        queue = self._queues.get(loop)
        if queue is None:
            queue = self._queues[loop] = _Queue()
        future: asyncio.Future[Result] = loop.create_future()
        queue.waiting.append((item, future))
        if queue.working is None or queue.working.done():
            # Of no single request: what it does is counted as nobody's.
            queue.working = loop.create_task(self._work_off(queue), context=Context())
        return await future

    async def _work_off(self, queue: "_Queue[Item, Result]") -> None:
        while queue.waiting:
            batch, queue.waiting = queue.waiting[: self._most], queue.waiting[self._most :]
            try:
                results = await self._run(self._work, [item for item, _future in batch])
            except Exception as error:
                results = [error] * len(batch)
            except asyncio.CancelledError:  # the process ends
                for _item, future in batch + queue.waiting:
                    future.cancel()
                raise
            for (_item, future), result in zip(batch, results, strict=True):
                _settle(future, result)


class _Queue(Generic[Item, Result]):
    """The calls of one event loop."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self.working: asyncio.Task[None] | None = None


def _settle(future: "asyncio.Future[Result]", result: Result | Exception) -> None:
    if future.done():  # who asked has left
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
