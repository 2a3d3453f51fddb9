"""Calls of the documented marketing API, as a program makes them."""

import json

from django.test import AsyncClient

from config.api.threads import in_database
from crm.models import Message
from tests.factories import bearer, make_account, make_key

HELLO = "Hello, I'm here for the interview"


class Program:
    """One with the key of an account, or without any."""

    def __init__(self, headers=None):
        self.client, self.headers = AsyncClient(raise_request_exception=False), headers or {}

    @classmethod
    async def of(cls, slug="acme", scopes=("*",)):
        key = await in_database(lambda: make_key(make_account(slug), scopes=scopes))
        return cls(bearer(key))

    async def get(self, path, **query):
        return await self.client.get(path, query, headers=self.headers)

    async def post(self, path, body=None, **headers):
        content = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
        return await self.client.post(
            path, content, content_type="application/json", headers={**self.headers, **headers}
        )

    async def say(self, message=HELLO, session_id="acme+ada@example.com", path="/chat/send", **fields):
        user_id = session_id.partition("+")[0]
        body = {"user_id": user_id, "agent_id": "agent456", "session_id": session_id, "message": message}
        return await self.post(path, {**body, **fields})

    async def stream(self, message=HELLO, path="/chat/interview/send/stream", **fields):
        """The lines of a stream that are data, as text."""
        response = await self.say(message, path=path, **fields)
        assert response.status_code == 200, response.content
        assert response.headers["Content-Type"].startswith("text/event-stream")
        content = b"".join([part async for part in response.streaming_content]).decode()
        frames = content.split("\n\n")
        assert frames.pop() == ""
        return [frame.removeprefix("data: ") for frame in frames if not frame.startswith(":")]


async def said_in(session_id="acme+ada@example.com"):
    email = session_id.partition("+")[2]
    rows = Message.objects.filter(conversation__contact__addresses__value=email).order_by("seq")
    return await in_database(lambda: list(rows))
