"""The inbox socket of a persona-chat user (docs/persona-chat-api.md): news of all their chats.

An ASGI application of its own like crm/consumers.py. What the client sends is read and thrown away.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

from config.api.threads import in_database
from crm import inbox_tickets, persona_news, watching
from crm.api import persona_events
from crm.incoming import LARGEST_FRAME, Pace

Frame = dict[str, Any]
Send = Callable[[Frame], Awaitable[None]]
LINK_ENDED, ANOTHER_USER, TOO_FAST, TOO_LARGE = 4401, 4003, 4408, 1009


class InboxSocket:
    """One open inbox."""

    def __init__(self, contact_id: UUID, send: Send) -> None:
        self.contact_id, self.put = contact_id, send
        self.pace = Pace()
        self.is_closed = False

    @classmethod
    def as_asgi(cls) -> Callable[..., Awaitable[None]]:
        async def application(scope: Frame, receive: Callable[[], Awaitable[Frame]], send: Send) -> None:
            await receive()  # websocket.connect
            ticket = parse_qs(scope.get("query_string", b"").decode("latin1")).get("ticket", [""])[0]
            admitted = await in_database(inbox_tickets.redeem, ticket)
            if admitted is None:
                await send({"type": "websocket.close", "code": LINK_ENDED})  # the handshake is refused
                return
            await send({"type": "websocket.accept"})
            if admitted.user_id != scope["url_route"]["kwargs"]["user_id"]:
                await send({"type": "websocket.close", "code": ANOTHER_USER})
                return
            await cls(admitted.contact_id, send).serve(receive)

        return application

    async def serve(self, receive: Callable[[], Awaitable[Frame]]) -> None:
        group = persona_news.group_of(self.contact_id)
        # While Redis is away there is no news: lists tell what was missed.
        hearing = asyncio.create_task(watching.hear(group, self._heard, joined=self._joined))
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
        await self._tell({"event": "ready", "data": {}})

    async def _heard(self, news: Frame) -> None:
        try:
            event = await in_database(persona_events.event_of, self.contact_id, news)
        except PermissionError:
            await self._close(LINK_ENDED)
            return
        if event is not None:
            await self._tell(event)

    async def _tell(self, event: Frame) -> None:
        if not self.is_closed:
            await self.put({"type": "websocket.send", "text": json.dumps(event, ensure_ascii=False)})

    async def _close(self, code: int) -> None:
        if not self.is_closed:
            self.is_closed = True
            await self.put({"type": "websocket.close", "code": code})
