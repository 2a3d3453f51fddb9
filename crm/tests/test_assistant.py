"""The assistant page for staff, without a browser; and thumbs over the API."""

import asyncio
import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import AsyncClient, Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from config.api.threads import in_database
from crm import agents_chat, assistant
from crm.assistant_values import pieces_of, shown
from crm.models import Conversation, Message, Rating
from crm.tests.chatting import shelf, token_of
from crm.tests.model_server import model_server
from tests.factories import bearer, make_account, make_contact, make_conversation, make_key
from tests.fakes.openai_server import Behaviour, Fault

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("flushed_layer")]
NOW = timezone.now()
QUESTION = "What is the warranty of model X-200?"


def make_staff(name="grace", *permissions):
    user = User.objects.create_user(name, password="secret", is_staff=True)
    codes = permissions or ("view_conversation",)
    user.user_permissions.set(Permission.objects.filter(codename__in=codes))
    return user


def signed_in(user):
    client = Client(raise_request_exception=False)
    client.force_login(user)
    return client


@pytest.fixture
def staff():
    make_account()
    shelf()
    return make_staff()


@pytest.fixture
def page(staff):
    return signed_in(staff)


def ask(client, text=QUESTION, **fields):
    return client.post("/assistant/ask", {"text": text, "client_message_id": "m1", **fields})


def events(user, text=QUESTION, **fields):
    async def read():
        client = AsyncClient()
        await client.aforce_login(user)
        body = {"text": text, "client_message_id": "m1", **fields}
        response = await client.post("/assistant/ask", body, headers={"Accept": "text/event-stream"})
        if response.status_code != 200:
            return response
        return b"".join([piece async for piece in response.streaming_content]).decode()

    return asyncio.run(read())


# --- the page ---------------------------------------------------------------------------------


def test_it_offers_to_ask(page):
    html = page.get("/assistant/").content.decode()
    assert "What would you like to know?" in html
    assert "No AI model is connected" in html
    assert '<textarea id="text"' in html
    assert "Sales agent" in html


def test_without_a_script_the_form_asks_and_comes_back_with_the_answer(page, staff):
    response = ask(page)
    conversation = Conversation.objects.get()
    assert response.status_code == 302
    assert response["Location"] == f"/assistant/{conversation.pk}#latest"
    html = page.get(response["Location"]).content.decode()
    assert "36 months" in html
    assert "Support agent" in html
    assert "The message says “warranty”" in html
    assert re.search(r'<a class="mark" href="#m2-s1"[^>]*>\[1\]</a>', html)
    assert conversation.contact.name == "grace"


def test_who_may_not_open_a_passage_gets_no_link_to_it(page):
    html = page.get(ask(page)["Location"]).content.decode()
    assert "36 months" in html
    assert "/admin/knowledge/" not in html


def test_the_source_link_opens_the_passage(page, staff):
    admin = make_staff("linus", "view_conversation", "view_document", "view_chunk", "view_question")
    client = signed_in(admin)
    html = client.get(ask(client)["Location"]).content.decode()
    link = re.search(r'href="(/admin/knowledge/[^"]+)"', html)[1].replace("&amp;", "&")
    assert client.get(link).status_code == 200


def test_a_talk_goes_on(page):
    ask(page)
    conversation = Conversation.objects.get()
    ask(page, "I want a refund", client_message_id="m2", conversation=str(conversation.pk))
    assert Conversation.objects.get().last_seq == 4


def test_the_same_form_twice_is_one_question(page):
    assert ask(page)["Location"] == ask(page)["Location"]
    assert Message.objects.count() == 2


def test_the_agent_that_staff_choose_answers(page):
    ask(page, agent="technical_agent")
    conversation = Conversation.objects.select_related("persona").get()
    assert (conversation.persona.slug, conversation.agent_is_pinned) == ("technical_agent", True)
    reply = Message.objects.select_related("persona").get(author="persona")
    assert (reply.persona.slug, reply.routing["by"]) == ("technical_agent", "staff")


def test_the_account_is_chosen_once(page):
    make_account("other")
    ask(page, account="other")
    assert Conversation.objects.get().account.slug == "other"
    html = page.get("/assistant/?account=other").content.decode()
    assert 'value="other" selected' in html


def test_the_history_shows_own_talks_newest_first_and_goes_on(page, staff, monkeypatch):
    monkeypatch.setattr(assistant, "PER_PERSON", {name: 1_000 for name in assistant.PER_PERSON})
    for number in range(23):
        ask(page, f"I want a refund, please, number {number}", client_message_id=f"m{number}")
    html = page.get("/assistant/").content.decode()
    shown_numbers = [int(found) for found in re.findall(r"please, number (\d+)", html)]
    assert shown_numbers == list(range(22, 2, -1))
    cursor = re.search(r"cursor=([\w-]+)", html)[1]
    more = page.get(f"/assistant/?cursor={cursor}").content.decode()
    assert [int(found) for found in re.findall(r"please, number (\d+)", more)] == [2, 1, 0]
    assert "cursor=" not in more


def test_chats_with_influencers_are_no_talks_with_agents(page):
    ask(page)
    own = Conversation.objects.get().contact
    chat = make_conversation(own, pair_key=f"{own.pk}:tomasz", title="With Tomasz")
    assert "With Tomasz" not in page.get("/assistant/").content.decode()
    assert page.get(f"/assistant/{chat.pk}").status_code == 404
    refused = ask(page, "And bread?", client_message_id="m2", conversation=str(chat.pk))
    assert "This talk was not found." in refused.content.decode()
    assert not Message.objects.filter(conversation=chat).exists()


def test_a_long_talk_is_shown_in_pages(page, staff):
    ask(page)
    conversation = Conversation.objects.get()
    Message.objects.bulk_create(
        Message(conversation=conversation, seq=number, author="system", text=f"Note {number}.")
        for number in range(3, 123)
    )
    html = page.get(f"/assistant/{conversation.pk}").content.decode()
    assert "Note 122." in html
    assert "Note 72." not in html
    earlier = re.search(r"\?before=(\d+)", html)[1]
    assert "Note 72." in page.get(f"/assistant/{conversation.pk}?before={earlier}").content.decode()


@pytest.mark.parametrize("query", ["cursor=junk", "cursor=WyJhIiwiYiJd", "before=x", "before=-1"])
def test_junk_in_the_address_shows_the_page(page, query):
    assert page.get(f"/assistant/?{query}").status_code == 200


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"text": " "}, "Write something first."),
        ({"text": "x" * 4001}, "at most 4000 characters"),
        ({"client_message_id": "x" * 65}, "client message id"),
        ({"conversation": "01890000-0000-7000-8000-000000000000"}, "not found"),
        ({"conversation": "junk"}, "not found"),
    ],
)
def test_what_is_not_taken_says_why(page, staff, fields, words):
    response = ask(page, **fields)
    assert response.status_code == 400
    assert words in response.content.decode()
    assert events(staff, **fields).json()["message"]
    assert not Conversation.objects.exists()


def test_what_people_write_is_escaped(page):
    location = ask(page, "<script>alert(1)</script> refund")["Location"]
    html = page.get(location).content.decode()
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)" in html


def test_the_number_of_queries_does_not_grow(page):
    ask(page)
    conversation = Conversation.objects.get()

    def queries():
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert page.get(f"/assistant/{conversation.pk}").status_code == 200
        return len(captured)

    few = queries()
    for number in range(2, 8):
        ask(page, client_message_id=f"m{number}", conversation=str(conversation.pk))
        ask(page, client_message_id=f"n{number}")
    assert queries() == few <= 14


def test_the_page_has_nothing_inline(page):
    html = page.get(ask(page)["Location"]).content.decode()
    assert not re.search(r"<style|style=|onclick=|javascript:", html)
    scripts = re.findall(r"<script[^>]*>", html)
    assert all("src=" in tag or 'type="application/json"' in tag for tag in scripts)


# --- as it is written -------------------------------------------------------------------------


def test_a_stream_brings_the_parts_of_the_page(staff):
    body = events(staff)
    names = re.findall(r"^event: (\w+)$", body, re.MULTILINE)
    assert (names[0], names[-1]) == ("accepted", "done")
    assert set(names[1:-1]) <= {"delta"}
    assert "36 months" in body.rpartition("event: done")[2]
    assert "Support agent" in body
    assert str(Conversation.objects.get().pk) in body


def test_an_answer_that_failed_is_not_begun_again_unasked(staff, settings):
    """It cost twice, and whoever waited, waited twice."""
    settings.DEFAULT_PROVIDER_CHAIN = ["openai"]
    with model_server(settings, "") as server:
        server.behaviour = Behaviour(fault=Fault.STATUS, status=500)
        body = events(staff, "I want a refund")
    assert "The answer could not be written" in body.rpartition("event: done")[2]
    assert Message.objects.get(author="persona").attempts == 1


# --- stopped and followed ---------------------------------------------------------------------


def being_written(staff, text="One "):
    """A talk whose reply another process writes, as far as this one can tell."""
    events(staff)
    later = timezone.now() + timedelta(minutes=5)
    Message.objects.filter(author="persona").update(state="streaming", text=text, heartbeat_at=later)
    return Conversation.objects.get()


def test_a_page_that_is_opened_meanwhile_says_so_and_offers_to_stop(page, staff):
    talk = being_written(staff)
    html = page.get(f"/assistant/{talk.pk}").content.decode()
    assert f'data-asked="1" method="post" action="/assistant/{talk.pk}/stop"' in html
    answer = page.post(f"/assistant/{talk.pk}/stop")
    assert (answer.status_code, answer["Location"]) == (302, f"/assistant/{talk.pk}#latest")
    html = page.get(f"/assistant/{talk.pk}").content.decode()
    assert "You stopped this answer." in html
    assert "being-written" not in html


def test_what_was_stopped_before_its_first_word_can_be_asked_again(page, staff):
    talk = being_written(staff, text="")
    assert page.post(f"/assistant/{talk.pk}/stop", headers={"Accept": "application/json"}).status_code == 204
    assert "Stopped before the first word" in page.get(f"/assistant/{talk.pk}").content.decode()


def followed(staff, talk, query="", then=None):
    async def read():
        client = AsyncClient()
        await client.aforce_login(staff)
        response = await client.get(f"/assistant/{talk.pk}/reply{query}")
        if response.status_code != 200:
            return response.status_code
        parts = []
        async for part in response.streaming_content:
            parts.append(part.decode())
            if "event: delta" in parts[-1] and then:
                await in_database(then)
        return "".join(parts)

    return asyncio.run(read())


def test_a_reply_is_followed_to_its_end(staff):
    talk = being_written(staff)
    replies = Message.objects.filter(author="persona")
    body = followed(
        staff, talk, then=lambda: replies.update(state="complete", text="One two", completed_at=NOW)
    )
    assert [name for name in re.findall(r"^event: (\w+)$", body, re.MULTILINE)] == [
        "accepted", "delta", "done",
    ]  # fmt: skip
    assert '"text": "One "' in body
    assert "One two" in body.rpartition("event: done")[2]


def test_following_begins_nothing(staff):
    talk = being_written(staff)
    Message.objects.filter(author="persona").update(state="failed", error_code="timeout")
    assert followed(staff, talk) == 204
    assert "event: done" in followed(staff, talk, "?asked=1")
    assert Message.objects.get(author="persona").state == "failed"


def test_a_colleague_neither_follows_nor_stops(staff):
    talk, eve = being_written(staff), make_staff("eve")
    assert followed(eve, talk) == 404
    assert signed_in(eve).post(f"/assistant/{talk.pk}/stop").status_code == 404
    assert Client().get(f"/assistant/{talk.pk}/reply").status_code == 401
    assert "/login" in Client().post(f"/assistant/{talk.pk}/stop")["Location"]
    assert signed_in(staff).get(f"/assistant/{talk.pk}/stop").status_code == 405


# --- ratings ----------------------------------------------------------------------------------


def test_staff_rate_an_answer_and_change_their_mind(page, staff):
    location = ask(page)["Location"]
    reply = Message.objects.get(author="persona")
    path = f"/assistant/messages/{reply.pk}/rating"
    assert page.post(path, {"thumbs": "1"}).status_code == 204
    back = page.post(path, {"thumbs": "-1"}, headers={"Accept": "text/html"})
    assert back["Location"].startswith(location.partition("#")[0])
    assert [(row.thumbs, row.staff) for row in Rating.objects.all()] == [(-1, staff)]
    html = page.get(location).content.decode()
    assert re.search(r'value="-1" aria-pressed="true"', html)


@pytest.mark.parametrize("thumbs", ["", "0", "2", "x"])
def test_no_other_rating_is_taken(page, thumbs):
    ask(page)
    reply = Message.objects.get(author="persona")
    assert page.post(f"/assistant/messages/{reply.pk}/rating", {"thumbs": thumbs}).status_code == 404
    assert not Rating.objects.exists()


# --- strangers --------------------------------------------------------------------------------


def test_whoever_is_not_signed_in_is_sent_to_sign_in():
    response = Client().get("/assistant/?account=acme")
    assert (response.status_code, response["Location"]) == (
        302, "/admin/login/?next=%2Fassistant%2F%3Faccount%3Dacme",
    )  # fmt: skip
    assert Client().post("/assistant/ask", {"text": "Hello"}).status_code == 404


def test_staff_without_the_permission_get_a_404(staff):
    other = User.objects.create_user("eve", is_staff=True)
    client = signed_in(other)
    assert client.get("/assistant/").status_code == 404
    assert ask(client).status_code == 404
    assert not Conversation.objects.exists()


def test_the_talk_of_a_colleague_is_not_there(page):
    ask(page)
    conversation, reply = Conversation.objects.get(), Message.objects.get(author="persona")
    other = signed_in(make_staff("eve"))
    assert other.get(f"/assistant/{conversation.pk}").status_code == 404
    assert other.post(f"/assistant/messages/{reply.pk}/rating", {"thumbs": "1"}).status_code == 404
    assert ask(other, conversation=str(conversation.pk), client_message_id="x").status_code == 400
    assert "warranty" not in other.get("/assistant/").content.decode()
    assert Message.objects.count() == 2


def test_a_talk_that_is_not_an_assistants_is_not_there(page):
    conversation = make_conversation()
    assert page.get(f"/assistant/{conversation.pk}").status_code == 404


def test_a_form_of_another_site_is_refused(staff):
    client = Client(enforce_csrf_checks=True)
    client.force_login(staff)
    assert client.post("/assistant/ask", {"text": "Hello"}).status_code == 403


# --- what is shown ----------------------------------------------------------------------------


def test_a_number_that_was_not_retrieved_is_plain_text():
    conversation = make_conversation()
    source = {
        "number": 1,
        "title": "Facts",
        "text": "…",
        "document_id": str(conversation.pk),
        "locator": {"page": 3},
    }
    message = Message(conversation=conversation, seq=1, author="persona", plan={"sources": [source]})
    one = shown(message)
    pieces = pieces_of("It is blue [1]. Or red [7].", one.sources)
    assert [(piece.text, bool(piece.source)) for piece in pieces] == [
        ("It is blue", True), (". Or red [7].", False),
    ]  # fmt: skip
    assert one.sources[0].place == "page 3"


# --- thumbs over the API ----------------------------------------------------------------------


@pytest.fixture
def reply():
    contact = make_contact()
    account = contact.account
    asked = agents_chat.Asked("I want a refund", "m1", user_id=str(contact.pk))
    from asgiref.sync import async_to_sync

    async def answered():
        received = await agents_chat.begin(account, asked)
        from crm.api.chat import ended

        await ended(received.message.pk)

    async_to_sync(answered)()
    return Message.objects.select_related("conversation__contact").get(author="persona")


def rate(reply, headers, **body):
    path = f"/api/v1/chat/messages/{reply.pk}/rating"
    return Client().post(path, {"thumbs": 1, **body}, content_type="application/json", headers=headers)


def test_an_integration_rates_for_the_person(reply):
    response = rate(reply, bearer(make_key()), comment="Quick.")
    data = response.json()["data"]
    assert response.status_code == 200
    assert (data["message_id"], data["thumbs"], data["comment"]) == (str(reply.pk), 1, "Quick.")
    assert rate(reply, bearer(make_key()), thumbs=-1).json()["data"]["thumbs"] == -1
    assert Rating.objects.get().staff is None


def test_a_chat_user_rates_what_was_written_to_them(reply):
    own, other = token_of(reply.conversation.contact), token_of(make_contact())
    assert rate(reply, bearer(own)).status_code == 200
    assert rate(reply, bearer(other)).status_code == 404


def test_a_stranger_rates_nothing(reply):
    assert rate(reply, {}).status_code == 401
    assert rate(reply, bearer(make_key(make_account("other")))).status_code == 404
    assert rate(reply, bearer(make_key(scopes=("crm",)))).status_code == 403
    assert not Rating.objects.exists()


@pytest.mark.parametrize("body", [{"thumbs": 2}, {"thumbs": None}, {"thumbs": "up"}, {"comment": "x" * 2001}])
def test_a_bad_rating_is_refused(reply, body):
    assert rate(reply, bearer(make_key()), **body).status_code == 422


def test_only_replies_are_rated(reply):
    question = Message.objects.get(author="person")
    assert rate(question, bearer(make_key())).status_code == 404
    question.pk = 2**70
    assert rate(question, bearer(make_key())).status_code == 404
