"""Tells everyone who watches a conversation, in whichever process, that something in it is new. Ids only."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

logger = logging.getLogger(__name__)

Event = dict[str, Any]
TELLING_SECONDS = 2
REDIS_PAUSE = 2.0  # seconds before the layer is asked again


def group_of(conversation_id: UUID | str) -> str:
    return f"talk.{conversation_id}"


async def tell(conversation_id: UUID | str, what: str, *, seq: int | None = None, by: str = "") -> None:
    """`what`: message, closed, changed.

    A watcher who misses it sees it at the next `resume`: never an error.
    """
    await send(group_of(conversation_id), {"type": "talk.news", "what": what, "seq": seq, "by": by})


async def send(group: str, event: Event) -> None:
    """To whoever listens. What is lost while Redis is away is in the rows."""
    layer = get_channel_layer()
    if layer is None:
        return
    try:
        async with asyncio.timeout(TELLING_SECONDS):
            await layer.group_send(group, event)
    except (OSError, ConnectionError) as error:
        logger.warning("watchers were not told: %s", type(error).__name__)
    except Exception as error:
        # redis-py's errors are no OSError; the chat does not depend on them.
        if not type(error).__module__.startswith("redis"):
            raise
        logger.warning("watchers were not told: %s", type(error).__name__)


def tell_from_sync(conversation_id: UUID | str, what: str, *, seq: int | None = None) -> None:
    """The same for a plain view. It makes an event loop of its own: not for hot paths."""
    async_to_sync(tell)(conversation_id, what, seq=seq)


async def hear(
    group: str,
    heard: Callable[[Event], Awaitable[None]],
    *,
    joined: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Passes on what is told to a group, until it is cancelled. While Redis is away there is no news.

    `joined` is called each time that listening begins.
    """
    layer = get_channel_layer()
    while layer is not None:
        try:
            await _listen(layer, group, heard, joined)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            logger.warning("no news from other watchers: %s", type(error).__name__)
            await asyncio.sleep(REDIS_PAUSE)


async def _listen(
    layer: Any,
    group: str,
    heard: Callable[[Event], Awaitable[None]],
    joined: Callable[[], Awaitable[None]] | None,
) -> None:
    channel = await layer.new_channel()
    try:
        await layer.group_add(group, channel)
        if joined is not None:
            await joined()
        while True:
            await heard(await layer.receive(channel))
    finally:
        await layer.group_discard(group, channel)
