"""Chatting with the agents over HTTP, as a program does."""

import json

from django.test import AsyncClient

from config.api.threads import in_database
from crm.models import SessionToken
from knowledge.account_documents import documents_collection
from knowledge.tests.shelves import add_text
from tests.factories import bearer, make_account, make_key

FACTS = (
    "Model X-200 has a warranty of 36 months.\n\nModel X-300 costs 450 euros.\n\n"
    "Refunds are paid within 14 days to the card that was charged."
)


def shelf(account=None, text=FACTS, title="Facts"):
    """The documents that the account's agents answer from."""
    collection = documents_collection(account or make_account())
    add_text(collection, text, title=title, filename=f"{title.lower()}.md")
    return collection


class Caller:
    """Posts to /chat with one credential."""

    def __init__(self, headers=None):
        self.client, self.headers = AsyncClient(raise_request_exception=False), headers or {}

    @classmethod
    async def with_key(cls, account=None, **more):
        key = await in_database(lambda: make_key(account or make_account()))
        return cls({**bearer(key), **more})

    async def post(self, path="/chat", body=None, **headers):
        content = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
        return await self.client.post(
            path, content, content_type="application/json", headers={**self.headers, **headers}
        )

    async def say(self, message="I want a refund", user_id="user123", **fields):
        return await self.post(body={"message": message, "user_id": user_id, **fields})

    async def stream(self, message="I want a refund", user_id="user123", **fields):
        """The frames, as (event, data)."""
        body = {"message": message, "user_id": user_id, **fields}
        response = await self.post(body=body, Accept="text/event-stream")
        content = b"".join([part async for part in response.streaming_content]).decode()
        return [
            (lines[0].removeprefix("event: "), json.loads(lines[1].removeprefix("data: ")))
            for lines in (frame.split("\n") for frame in content.strip().split("\n\n"))
            if lines[0].startswith("event: ")
        ]


def token_of(contact, **lasts):
    from datetime import timedelta

    return SessionToken.issue(contact, lasts=timedelta(**lasts or {"hours": 1}))[1]
