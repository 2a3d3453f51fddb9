"""A page that is opened while an answer is being written follows it."""

import json
import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import AsyncClient, Client
from django.utils import timezone

from config.api.threads import in_database
from crm.models import Message
from crm.tests.persona_chatting import make_influencer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("flushed_layer")]
PAGE = "/personas/tomasz/"
REPLIES = Message.objects.filter(reply_to__isnull=False)


@pytest.fixture
def baker():
    return make_influencer(slug="tomasz", greeting="Good morning!")


def signed_in(name):
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.create_superuser(name))
    return client


@pytest.fixture
def client(baker):
    return signed_in("ada")


def asynchronous(client):
    found = AsyncClient(raise_request_exception=False)
    found.cookies = client.cookies
    return found


async def hello(client):
    answer = await asynchronous(client).post(f"{PAGE}say", {"text": "Hello"})
    assert answer.status_code == 302


async def being_written(client, text, **fields):
    """A reply that another process writes."""
    await hello(client)
    now = {"heartbeat_at": timezone.now(), "completed_at": None, **fields}
    await REPLIES.aupdate(state="streaming", text=text, **now)


class Followed:
    """The events of the reply, read one after the other."""

    def __init__(self, answer):
        assert answer.status_code == 200
        self.parts = aiter(answer.streaming_content)

    async def next(self):
        """The name and data of the next event; comments only keep the connection."""
        while (part := (await anext(self.parts)).decode()).startswith(":"):
            pass
        name, data = part.strip().split("\n")
        return name.removeprefix("event: "), json.loads(data.removeprefix("data: "))

    async def rest(self):
        return b"".join([part async for part in self.parts]).decode()


async def followed(client, **query):
    answer = await asynchronous(client).get(f"{PAGE}reply", query, headers={"Accept": "text/event-stream"})
    return Followed(answer)


async def test_the_page_says_which_message_is_being_answered(client):
    await being_written(client, "One")
    shown = (await in_database(client.get, PAGE)).content.decode()
    asked = re.search(r'data-asked="(\d+)"', shown)[1]
    assert int(asked) == await REPLIES.values_list("reply_to__seq", flat=True).aget()
    assert f'data-reply="{PAGE}reply"' in shown


@pytest.mark.usefixtures("endless_words")
async def test_a_second_page_gets_the_words_of_this_process_and_how_they_end(client):
    form = {"text": "Hello"}
    said = await asynchronous(client).post(f"{PAGE}say", form, headers={"Accept": "text/event-stream"})
    first = Followed(said)
    assert (await first.next())[0] == "accepted"
    assert (await first.next())[0] == "delta"
    second = await followed(client)
    name, data = await second.next()
    assert (name, "Hello" in data["html"]) == ("accepted", True)
    name, data = await second.next()
    assert (name, data["text"].startswith("word ")) == ("delta", True)
    stopped = await asynchronous(client).post(f"{PAGE}stop", headers={"Accept": "application/json"})
    assert stopped.status_code == 204
    assert '"stopped": true' in (await second.rest()).splitlines()[-2]
    await first.rest()


async def test_the_words_of_another_process_come_from_their_row(client):
    await being_written(client, "One ")
    events = await followed(client, asked="2")
    assert (await events.next())[0] == "accepted"
    assert await events.next() == ("delta", {"text": "One "})
    await REPLIES.aupdate(text="One two ")
    assert await events.next() == ("delta", {"text": "two "})
    await REPLIES.aupdate(text="Something else")
    await REPLIES.aupdate(state="complete", completed_at=timezone.now())
    name, data = await events.next()
    assert (name, "Something else" in data["html"], data["stopped"]) == ("done", True, False)
    assert await events.rest() == ""


async def test_a_reply_whose_process_is_gone_can_be_asked_for_again(client):
    await being_written(client, "One", heartbeat_at=timezone.now() - timedelta(minutes=1))
    rest = await (await followed(client)).rest()
    assert "event: done" in rest
    assert "Try again" in rest
    assert (await REPLIES.aget()).attempts == 1  # looking began nothing


async def test_a_reply_that_is_whole_meanwhile_comes_at_once(client):
    await hello(client)
    rest = await (await followed(client, asked="2")).rest()
    assert [line for line in rest.splitlines() if line.startswith("event")] == [
        "event: accepted",
        "event: done",
    ]


@pytest.mark.parametrize("query", ["", "asked=9", "asked=x", "asked=99999999999999999999"])
async def test_where_nothing_is_written_there_is_nothing_to_follow(client, query):
    answer = await asynchronous(client).get(f"{PAGE}reply?{query}")
    assert answer.status_code == 204
    await hello(client)
    assert (await asynchronous(client).get(f"{PAGE}reply?{query}")).status_code == 204


async def test_somebody_else_follows_nothing(client):
    await being_written(client, "One")
    bob = await in_database(signed_in, "bob")
    assert (await asynchronous(bob).get(f"{PAGE}reply", {"asked": "2"})).status_code == 204
    assert (await AsyncClient().get(f"{PAGE}reply")).status_code == 403
    assert (await asynchronous(client).post(f"{PAGE}reply")).status_code == 405


async def test_who_looks_too_often_is_told(client, settings):
    await being_written(client, "One")
    settings.PERSONA_PER_MINUTE = 1
    answer = await asynchronous(client).get(f"{PAGE}reply", headers={"Accept": "text/event-stream"})
    assert answer.status_code == 400
