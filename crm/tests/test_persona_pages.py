"""The pages of persona chat, for staff and for users who come with a ticket."""

import json
import re
from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import AsyncClient, Client
from django.utils import timezone

from config.api.threads import in_database
from crm.models import Conversation, MediaFile, Message
from crm.tests.media_samples import HTML, picture
from crm.tests.model_server import model_server
from crm.tests.persona_chatting import make_influencer
from tests.factories import make_account
from tests.fakes.openai_server import Behaviour, Fault
from tests.user_tokens import as_user

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("flushed_layer", "signed_tokens"),
]
SITE = "https://site.example"


@pytest.fixture
def baker():
    return make_influencer(
        slug="tomasz", greeting="Good morning!", suggested_messages=["What do you bake?"], category="food"
    )


@pytest.fixture
def client(baker):
    return Client(raise_request_exception=False)


@pytest.fixture
def staff(client):
    client.force_login(User.objects.create_superuser("ada"))
    return client


def ticket(client, user="alice"):
    return client.post("/api/v1/chat/ticket", headers=as_user(user)).json()


def enter(client, given, origin=SITE, **fields):
    return client.post("/personas/enter", {"ticket": given, **fields}, headers={"Origin": origin})


@pytest.fixture
def alice(client, settings):
    settings.CORS_ALLOWED_ORIGINS = [SITE]
    assert enter(client, ticket(client)["ticket"]).status_code == 302
    return client


async def say(client, text="", slug="tomasz", *, stream=True, file=None, **fields):
    asynchronous = AsyncClient(raise_request_exception=False)
    asynchronous.cookies = client.cookies
    form = {"text": text, **fields, **({"picture": file} if file else {})}
    headers = {"Accept": "text/event-stream"} if stream else {"Accept": "text/html"}
    return await asynchronous.post(f"/personas/{slug}/say", form, headers=headers)


async def frames(answer):
    assert answer.status_code == 200, answer.content
    whole = b"".join([part async for part in answer.streaming_content]).decode()
    return [
        (lines[0].removeprefix("event: "), json.loads(lines[1].removeprefix("data: ")))
        for lines in (frame.split("\n") for frame in whole.strip().split("\n\n"))
        if lines[0].startswith("event: ")
    ]


def a_picture(data=None, name="loaf.jpg"):
    return SimpleUploadedFile(name, picture() if data is None else data)


# --- Who comes in -------------------------------------------------------------------------------
@pytest.mark.parametrize("path", ["/personas/", "/personas/tomasz/", "/personas/nobody/"])
def test_a_stranger_may_sign_in_and_learns_nothing(client, path):
    answer = client.get(path)
    assert (answer.status_code, "/login" in answer.headers["Location"]) == (302, True)


def test_somebody_signed_in_without_the_right_learns_nothing(client):
    client.force_login(User.objects.create_user("bob", is_staff=True))
    assert client.get("/personas/").status_code == 404


def test_staff_who_may_read_talks_come_in(client):
    user = User.objects.create_user("bob", is_staff=True)
    user.user_permissions.add(*Permission.objects.filter(codename="view_conversation"))
    client.force_login(user)
    assert client.get("/personas/").status_code == 200


def test_a_ticket_lets_its_user_in_once(client, settings):
    settings.CORS_ALLOWED_ORIGINS = [SITE]
    given = ticket(client)
    answer = enter(client, given["ticket"], influencer="tomasz")
    assert answer.headers["Location"] == "/personas/tomasz/#latest"
    assert client.get("/personas/tomasz/").status_code == 200
    assert enter(Client(), given["ticket"]).status_code == 403
    assert given["action"] == "http://testserver/personas/enter"


def test_a_ticket_is_good_for_a_minute(client, settings):
    settings.CORS_ALLOWED_ORIGINS = [SITE]
    given = ticket(client)["ticket"]
    with time_machine.travel(timezone.now() + timedelta(seconds=61)):
        assert enter(client, given).status_code == 403


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
def test_a_ticket_from_a_site_that_is_not_listed_is_refused(client, settings, origin):
    settings.CORS_ALLOWED_ORIGINS = [SITE]
    assert enter(client, ticket(client)["ticket"], origin=origin).status_code == 403


@pytest.mark.parametrize("given", ["", "nonsense", "a:b:c", "x" * 5000])
def test_what_is_no_ticket_is_refused(client, settings, given):
    settings.CORS_ALLOWED_ORIGINS = [SITE]
    assert enter(client, given).status_code == 403
    assert "sessionid" not in client.cookies


def test_who_comes_with_a_ticket_is_nobody_else_any_more(staff, settings):
    settings.CORS_ALLOWED_ORIGINS = [SITE]
    enter(staff, ticket(staff)["ticket"])
    assert "/login" in staff.get("/admin/").headers["Location"]


def test_a_get_enters_nothing(client):
    assert client.get("/personas/enter").status_code == 405


# --- The catalogue ------------------------------------------------------------------------------
def names(client, **query):
    return re.findall(r"<h2[^>]*>(?:<a[^>]*>)?([^<]+)", client.get("/personas/", query).content.decode())


def test_the_catalogue_is_searched_and_sorted_into_categories(staff):
    make_influencer(name="Grace", slug="grace", category="science", description="Compilers")
    make_influencer(name="Soon", slug="soon", status="coming_soon")
    make_influencer(name="Gone", slug="gone", status="discontinued")
    make_influencer(make_account("other"), name="Foreign", slug="foreign")
    assert names(staff) == ["Grace", "Tomasz", "Soon"]
    assert names(staff, category="food") == ["Tomasz"]
    assert names(staff, q="compil") == ["Grace"]
    assert names(staff, q="compil", category="food") == []
    page = staff.get("/personas/").content.decode()
    assert "science" in page
    assert "marzipan" not in page, "instructions are nobody's business"
    assert 'href="/personas/soon/"' not in page


def test_the_catalogue_costs_the_same_however_many_there_are(staff, django_assert_max_num_queries):
    for number in range(30):
        make_influencer(name=f"One {number}", slug=f"one-{number}")
    with django_assert_max_num_queries(6):
        assert len(names(staff)) == 24
    assert len(names(staff, page="2")) == 7
    assert names(staff, page="99999999999") == names(staff)


# --- A chat ---------------------------------------------------------------------------------------
def test_opening_a_chat_begins_nothing(alice):
    page = alice.get("/personas/tomasz/").content.decode()
    assert "Good morning!" in page
    assert "What do you bake?" in page
    assert not Conversation.objects.exists()


@pytest.mark.parametrize("slug", ["nobody", "%00", "x" * 300])
def test_a_persona_that_is_not_there_is_a_404(staff, slug):
    assert staff.get(f"/personas/{slug}/").status_code in (400, 404)


async def test_a_message_is_answered_as_it_is_written(alice):
    events = await frames(await say(alice, "Hello <b>you</b>", client_message_id="one"))
    assert (events[0][0], events[-1][0]) == ("accepted", "done")
    assert "Hello &lt;b&gt;you&lt;/b&gt;" in events[0][1]["html"]
    assert "No AI model" in events[-1][1]["html"]
    page = await in_database(lambda: alice.get("/personas/tomasz/").content.decode())
    assert "Good morning!" in page
    assert "Hello &lt;b&gt;you&lt;/b&gt;" in page


async def test_the_same_message_again_is_the_same(alice):
    for _ in range(2):
        await frames(await say(alice, "Hello", client_message_id="one"))
    assert await Message.objects.filter(author="person").acount() == 1


async def test_an_answer_that_failed_is_not_begun_again_unasked(alice, baker, settings):
    """It cost twice, and whoever waited, waited twice."""
    await in_database(lambda: type(baker).objects.filter(pk=baker.pk).update(provider_chain=["openai"]))
    with model_server(settings, "") as server:
        server.behaviour = Behaviour(fault=Fault.STATUS, status=500)
        told = await frames(await say(alice, "Hello"))
    assert "could not be written" in told[-1][1]["html"]
    assert (await Message.objects.aget(reply_to__isnull=False)).attempts == 1


async def test_without_a_script_the_page_comes_back_with_the_answer(alice):
    answer = await say(alice, "Hello", stream=False)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/personas/tomasz/#latest")
    assert await Message.objects.filter(author="persona", state="complete").acount() == 2


async def test_a_picture_is_sent_and_shown(alice):
    events = await frames(await say(alice, "What is this?", file=a_picture()))
    (url,) = re.findall(r'<img class="picture" src="([^"]+)"', events[0][1]["html"])
    assert url.startswith("/api/v1/media/files/")

    def fetched():
        answer = alice.get(url)
        try:
            return answer.headers["Content-Type"]
        finally:
            answer.close()

    assert await in_database(fetched) == "image/jpeg"
    message = await Message.objects.aget(author="person")
    assert (message.type, message.text) == ("multimodal", "What is this?")


async def test_a_picture_needs_no_words(alice):
    await frames(await say(alice, file=a_picture()))
    assert (await Message.objects.aget(author="person")).type == "image"


@pytest.mark.parametrize(
    ("text", "file", "words"),
    [("", None, "Write something"), ("x" * 5000, None, "at most"), ("Look", HTML, "format")],
)
async def test_what_is_not_taken_is_said_and_nothing_is_stored(alice, text, file, words):
    given = a_picture(file) if file else None
    answer = await say(alice, text, file=given)
    assert (answer.status_code, words in answer.json()["message"]) == (400, True)
    given = a_picture(file) if file else None
    page = await say(alice, text, file=given, stream=False)
    assert (page.status_code, words in page.content.decode()) == (400, True)
    assert not await Message.objects.filter(author="person").aexists()
    assert not await MediaFile.objects.aexists()


async def test_a_persona_that_comes_soon_does_not_answer(alice):
    await in_database(lambda: make_influencer(name="Soon", slug="soon", status="coming_soon"))
    assert (await say(alice, "Hello", slug="soon")).status_code == 400


async def test_a_stranger_says_nothing(client):
    assert (await say(client, "Hello")).status_code == 403
    assert not await Conversation.objects.aexists()


async def test_each_sees_their_own_chat_alone(alice, settings):
    await frames(await say(alice, "I am Alice", client_message_id="one"))
    bob = Client()

    def page_of_bob():
        enter(bob, ticket(bob, "bob")["ticket"])
        return bob.get("/personas/tomasz/").content.decode()

    assert "I am Alice" not in await in_database(page_of_bob)


def test_saying_needs_the_forms_token():
    strict = Client(enforce_csrf_checks=True, raise_request_exception=False)
    strict.force_login(User.objects.create_superuser("eve"))
    make_influencer(slug="tomasz")
    assert strict.post("/personas/tomasz/say", {"text": "Hello"}).status_code == 403
