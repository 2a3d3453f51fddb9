"""Reading a streamed answer as an ASGI server would."""

from asgiref.sync import async_to_sync
from django.test import AsyncClient


def streamed(path, body, *, user=None, headers=None):
    """The response, and all it said as text."""

    async def read():
        client = AsyncClient()
        if user is not None:
            await client.aforce_login(user)
        kind = {"content_type": "application/json"} if isinstance(body, str) else {}
        response = await client.post(path, body, headers=headers, **kind)
        return response, "".join([piece.decode() async for piece in response.streaming_content])

    return async_to_sync(read)()
