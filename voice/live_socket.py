"""The socket of the page of calls in progress: staff are told which call has news, and fetch the page's part.

What the page sends is read and thrown away. While Redis is away there is no news; the page asks by itself.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from django.conf import settings

from config.api.threads import in_database
from crm import watching
from crm.authentication import staff_of
from crm.incoming import LARGEST_FRAME, Pace
from crm.links import cookies_of
from crm.origins import is_own_origin
from voice import news

Frame = dict[str, Any]
Send = Callable[[Frame], Awaitable[None]]
PERMISSION = "voice.view_phonecall"
FORBIDDEN, ENDED, TOO_FAST, TOO_LARGE = 4403, 4401, 4408, 1009


class LiveCalls:
    """One open page."""

    def __init__(self, session_key: str, send: Send) -> None:
        self.session_key, self.put = session_key, send
        self.pace = Pace()
        self.is_closed = False

    @classmethod
    def as_asgi(cls) -> Callable[..., Awaitable[None]]:
        async def application(scope: Frame, receive: Callable[[], Awaitable[Frame]], send: Send) -> None:
            await receive()  # websocket.connect
            key = cookies_of(scope).get(settings.SESSION_COOKIE_NAME, "")
            if not is_own_origin(scope) or not await in_database(_may_watch, key):
                await send({"type": "websocket.close", "code": FORBIDDEN})  # the handshake is refused
                return
            await send({"type": "websocket.accept"})
            await cls(key, send).serve(receive)

        return application

    async def serve(self, receive: Callable[[], Awaitable[Frame]]) -> None:
        hearing = asyncio.create_task(watching.hear(news.GROUP, self._heard, joined=self._joined))
        try:
            await self._read(receive)
        finally:
            hearing.cancel()
            await asyncio.wait({hearing}, timeout=2)

    async def _read(self, receive: Callable[[], Awaitable[Frame]]) -> None:
        while not self.is_closed:
            event = await receive()
            if event["type"] == "websocket.disconnect":
                return
            if self.pace.is_too_fast(time.monotonic()):
                await self._close(TOO_FAST)
            elif len(event.get("text") or event.get("bytes") or "") > LARGEST_FRAME:
                await self._close(TOO_LARGE)

    async def _joined(self) -> None:
        await self._tell({"event": "ready"})

    async def _heard(self, event: Mapping[str, Any]) -> None:
        # Asked again each time: who was signed out, or may see calls no more, is told nothing.
        if not await in_database(_may_watch, self.session_key):
            await self._close(ENDED)
            return
        await self._tell({"event": "call", "call": event["call"]})

    async def _tell(self, frame: Frame) -> None:
        if not self.is_closed:
            await self.put({"type": "websocket.send", "text": json.dumps(frame)})

    async def _close(self, code: int) -> None:
        if not self.is_closed:
            self.is_closed = True
            await self.put({"type": "websocket.close", "code": code})


def _may_watch(session_key: str) -> bool:
    return bool(session_key) and staff_of(session_key, PERMISSION) is not None
