"""What crm's tests share."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from channels.layers import get_channel_layer


@pytest.fixture
async def flushed_layer() -> AsyncIterator[None]:
    """The channel layer's connections end with the test's event loop."""
    yield
    layer = get_channel_layer()
    if layer is not None:
        async with asyncio.timeout(5):
            await layer.flush()
