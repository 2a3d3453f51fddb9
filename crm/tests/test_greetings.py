"""Another greeting, as long as nothing else was said; and a book that joins the prompt of a chat."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from config.api.threads import in_database
from crm.models import Conversation, Message
from crm.tests.model_server import model_server
from crm.tests.persona_chatting import CHATS, Talker, make_influencer
from crm.tests.persona_chatting import User as ApiUser

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("flushed_layer", "signed_tokens"),
]
PAGE = "/personas/tomasz/"
GREETINGS = {"greeting": "Good morning!", "alternate_greetings": ["You again, {{user}}.", "Ah."]}


@pytest.fixture
def baker():
    return make_influencer(slug="tomasz", **GREETINGS)


@pytest.fixture
def client(baker):
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.create_superuser("ada"))
    return client


def greeting():
    return Message.objects.get(seq=1).text


def shown(client):
    return client.get(PAGE).content.decode()


def ask(client, number):
    return client.post(f"{PAGE}greeting", {"greeting": number})


def test_a_person_asks_for_another_greeting_round_and_round(client):
    assert "Good morning!" in shown(client)
    for number, words in ((1, "You again, "), (2, "Ah."), (0, "Good morning!"), (1, "You again, ")):
        assert f'name="greeting" value="{number}"' in shown(client)
        assert ask(client, number).status_code == 302
        assert greeting().startswith(words)
    assert Conversation.objects.count() == Message.objects.count() == 1


def test_once_something_was_said_the_greeting_stays(client):
    ask(client, 0)
    talk = Conversation.objects.get()
    Message.objects.create(conversation=talk, seq=2, author="person", text="Hello")
    Conversation.objects.update(last_seq=2)
    assert "Another greeting" not in shown(client)
    assert ask(client, 1).status_code == 302
    assert greeting() == "Good morning!"


@pytest.mark.parametrize("number", ["x", "", "-1", "9" * 30])
def test_a_number_that_is_none_is_the_first(client, number):
    assert ask(client, number).status_code == 302
    assert greeting() == "Good morning!"


def test_where_there_is_one_greeting_there_is_no_choice(client, baker):
    type(baker).objects.update(alternate_greetings=[])
    assert "Another greeting" not in shown(client)


def test_a_stranger_and_a_get_change_nothing(client, baker):
    assert "/login" in Client().post(f"{PAGE}greeting").headers["Location"]
    assert client.get(f"{PAGE}greeting").status_code == 405
    type(baker).objects.update(status="coming_soon")
    assert ask(client, 1).status_code == 404
    type(baker).objects.update(status="active", adults_only=True)
    assert "Good morning" not in ask(client, 1).content.decode()
    assert not Message.objects.exists()


def test_a_program_begins_with_the_greeting_it_names(baker):
    user = ApiUser("alice")

    def begin(number):
        return user.post(CHATS, {"influencer_id": str(baker.pk), "greeting": number})

    begun = begin(2)
    assert (begun.status_code, greeting()) == (201, "Ah.")
    assert begun.json()["recent_messages"][0]["content"] == "Ah."
    assert (begin(4).status_code, greeting()) == (201, "You again, you.")
    assert (begin(None).status_code, greeting()) == (201, "You again, you.")
    assert begin("x").status_code == 422
    assert begin(-1).status_code == 422


async def test_what_of_the_book_the_talk_comes_to_is_in_the_prompt(settings):
    book = {"entries": [{"keys": ["rye"], "content": "Rye is kept in the cellar."}]}
    with model_server(settings, "Good.") as server:
        talker = Talker()
        chat = await talker.begin(provider_chain=["openai"], character_book=book)
        await talker.say(chat, "Hello")
        await talker.say(chat, "Where is the rye?")
        first, second = [str(one.json["messages"][0]) for one in server.requests if "chat" in one.path]
    assert "cellar" not in first
    assert "Rye is kept in the cellar." in second


async def test_a_draft_is_tried_out_with_its_book():
    from crm import trying_out
    from personas import drafts, prompts

    def content():
        persona = make_influencer(greeting="")
        book = {"entries": [{"keys": [], "constant": True, "content": "The sea is near."}]}
        drafts.keep_draft(persona, {**drafts.content_to_be(persona), "character_book": book}, author="ada")
        user = User.objects.create_superuser("ada")
        _message, turn = trying_out.receive(user, persona, "Hello", "one")
        return prompts.system_prompt(turn.persona, said=["Hello"])

    assert "The sea is near." in await in_database(content)
