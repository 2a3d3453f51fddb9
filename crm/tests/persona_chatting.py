"""Chatting with influencers over HTTP, as a program of their users does."""

import json

from django.test import AsyncClient, Client

from config.api.threads import in_database
from tests.factories import make_account, make_persona
from tests.user_tokens import as_user

CHATS = "/api/v1/chat/conversations"
INBOX = "/api/v2/chat/conversations"
GREETING = "Good morning!\nWhat shall we bake?"


def make_influencer(account=None, **fields):
    fields.setdefault("kind", "influencer")
    fields.setdefault("name", "Tomasz")
    fields.setdefault("instructions", "You are a baker. The secret word is marzipan.")
    return make_persona(account or make_account("default"), **fields)


class User:
    """One user of the API, who asks from plain code."""

    def __init__(self, user_id="alice", **claims):
        self.user_id, self.headers = user_id, as_user(user_id, **claims)
        self.client = Client(raise_request_exception=False)

    def get(self, path, **query):
        return self.client.get(path, query, headers=self.headers)

    def post(self, path, body=None):
        content = body if isinstance(body, bytes) else json.dumps(body or {})
        return self.client.post(path, content, content_type="application/json", headers=self.headers)

    def put(self, path, body):
        headers = self.headers
        return self.client.put(path, json.dumps(body), content_type="application/json", headers=headers)

    def delete(self, path):
        return self.client.delete(path, headers=self.headers)

    def begin(self, influencer):
        """The id of the chat."""
        return self.post(CHATS, {"influencer_id": str(influencer.pk)}).json()["id"]

    def messages(self, chat, **query):
        return self.get(f"{CHATS}/{chat}/messages", **query)


class Talker:
    """The same user in async code, where replies are written."""

    def __init__(self, user_id="alice", **claims):
        self.user = User(user_id, **claims)
        self.client = AsyncClient(raise_request_exception=False)

    async def begin(self, influencer=None, **fields):
        if influencer is None:
            influencer = await in_database(lambda: make_influencer(**fields))
        return await in_database(self.user.begin, influencer)

    async def post(self, path, body, **headers):
        content = body if isinstance(body, bytes) else json.dumps(body)
        whole = {**self.user.headers, **headers}
        return await self.client.post(path, content, content_type="application/json", headers=whole)

    async def say(self, chat, content="Hello", **fields):
        body = {"message_type": "text", "content": content, **fields}
        return await self.post(f"{CHATS}/{chat}/messages", body)

    async def send(self, chat, body, **headers):
        return await self.post(f"{CHATS}/{chat}/messages", body, **headers)

    async def history(self, chat, **query):
        return await self.client.get(f"{CHATS}/{chat}/messages", query, headers=self.user.headers)

    async def stream(self, chat, content="Hello", **fields):
        """The frames, as (event, data)."""
        body = {"message_type": "text", "content": content, **fields}
        response = await self.send(chat, body, Accept="text/event-stream")
        whole = b"".join([part async for part in response.streaming_content]).decode()
        return [
            (lines[0].removeprefix("event: "), json.loads(lines[1].removeprefix("data: ")))
            for lines in (frame.split("\n") for frame in whole.strip().split("\n\n"))
            if lines[0].startswith("event: ")
        ]
