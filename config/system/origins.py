"""Websockets are opened by our own pages only, and only on paths there are."""

from collections.abc import Awaitable, Callable
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer

from crm.origins import is_own_origin

Application = Callable[[dict[str, Any], Any, Any], Awaitable[None]]


class Denied(AsyncWebsocketConsumer):
    """Closes before it opens; the handshake is answered with 403."""

    async def websocket_connect(self, message: dict[str, Any]) -> None:
        await self.close()


class NoSuchSocket(AsyncWebsocketConsumer):
    """There is nothing at this path for you (docs/live-chat.md)."""

    async def connect(self) -> None:
        await self.accept()
        await self.close(code=4404)


class OurPagesOnly:
    """Refuses a websocket whose Origin is missing or another site's: a browser sends cookies along to us.

    Not at paths that begin with one of `by_ticket`: there no cookie is believed.
    """

    def __init__(self, application: Application, *, by_ticket: tuple[str, ...] = ()) -> None:
        self.application, self.by_ticket = application, by_ticket

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["path"].startswith(self.by_ticket) or is_own_origin(scope):
            await self.application(scope, receive, send)
            return
        await Denied.as_asgi()(scope, receive, send)
