"""Kept async clients: one for each event loop, because their sockets belong to it."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Generic, Protocol, TypeVar


class Closable(Protocol):
    async def close(self) -> None: ...


Client = TypeVar("Client", bound=Closable)


class LoopClients(Generic[Client]):
    """Makes the client of the running loop when first asked, and closes it when the loop shuts down.

    A client refers to its loop, so a weak mapping alone would keep both for ever. Instead each client is
    held by an async generator: `loop.shutdown_asyncgens()`, which asyncio.run calls last, closes it.
    """

    def __init__(self, new_client: Callable[[], Client]) -> None:
        self._new_client = new_client
        self._kept: dict[asyncio.AbstractEventLoop, tuple[Client, AsyncGenerator[Client, None]]] = {}

    async def of_this_loop(self) -> Client:
        loop = asyncio.get_running_loop()
        if loop not in self._kept:
            self._forget_closed_loops()
            keeper = self._keep(loop)
            client = await anext(keeper)  # does not let go of the loop: nothing can come between
            self._kept[loop] = client, keeper
        return self._kept[loop][0]

    async def _keep(self, loop: asyncio.AbstractEventLoop) -> AsyncGenerator[Client, None]:
        client = self._new_client()
        try:
            yield client
        finally:
            self._kept.pop(loop, None)
            await client.close()

    def _forget_closed_loops(self) -> None:
        """Of loops that ended without shutting their generators down."""
        for loop in [loop for loop in list(self._kept) if loop.is_closed()]:
            self._kept.pop(loop, None)
