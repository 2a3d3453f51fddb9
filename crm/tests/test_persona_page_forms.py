"""The forms of a persona's page, as they work without a script, and what else is shown there."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import AsyncClient, Client
from django.utils import timezone

from config.api.threads import in_database
from crm import persona_chats
from crm.models import Contact, Conversation, MediaFile, MemoryFact, Message, MessageVersion
from crm.tests.media_samples import HTML, picture, wav
from crm.tests.persona_chatting import make_influencer
from personas import avatars
from personas.influencers import influencer_body

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("flushed_layer"),
]
PAGE = "/personas/tomasz/"


@pytest.fixture
def baker():
    return make_influencer(slug="tomasz", greeting="Good morning!", category="food")


@pytest.fixture
def client(baker):
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.create_superuser("ada"))
    return client


async def post(client, path, form=None, *, accept="text/html"):
    asynchronous = AsyncClient(raise_request_exception=False)
    asynchronous.cookies = client.cookies
    return await asynchronous.post(f"/personas/tomasz/{path}", form or {}, headers={"Accept": accept})


async def page(client, path=PAGE, **query):
    def got():
        answer = client.get(path, query)
        assert answer.status_code == 200, answer
        return answer.content.decode()

    return await in_database(got)


def send(client, path, form=None):
    return in_database(lambda: client.post(path, form or {}))


async def hello(client, text="Hello"):
    assert (await post(client, "say", {"text": text})).status_code == 302


# --- Said anew ----------------------------------------------------------------------------------


async def test_another_answer_is_asked_for_by_a_form(client):
    await hello(client)
    assert 'action="/personas/tomasz/again"' in await page(client)
    answer = await post(client, "again", {"seq": "3"})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/personas/tomasz/#latest")
    version = await MessageVersion.objects.aget()
    assert (version.why, version.number) == ("regenerated", 1)


async def test_only_the_last_answer_and_message_have_their_forms(client):
    await hello(client)
    await hello(client, "And then?")
    shown = await page(client)
    assert shown.count("data-again") == 1
    assert shown.count("data-edit") == 1


async def test_the_form_of_an_old_page_changes_nothing_newer(client):
    await hello(client)
    await hello(client, "And then?")
    refused = await post(client, "again", {"seq": "3"})
    assert (refused.status_code, "last" in refused.content.decode()) == (400, True)
    assert not await MessageVersion.objects.aexists()


async def test_the_last_message_is_edited_on_a_page_of_its_own(client):
    await hello(client, "Helo")
    form = await page(client, f"{PAGE}edit")
    assert ">Helo</textarea>" in form
    seq = re.search(r'name="seq" value="(\d+)"', form)[1]
    assert (await post(client, "reword", {"text": "Hello <b>", "seq": seq})).status_code == 302
    shown = await page(client)
    assert "Hello &lt;b&gt;" in shown
    assert "Helo" not in shown
    assert "Edited" in shown


async def test_words_that_cannot_be_taken_come_back_with_the_reason(client):
    await hello(client)
    refused = await post(client, "reword", {"text": " "})
    assert (refused.status_code, "Write something" in refused.content.decode()) == (400, True)


@pytest.mark.parametrize("path", ["again", "reword", "stop"])
async def test_without_a_chat_there_is_nothing_to_say_anew(client, path):
    assert (await post(client, path, {"text": "Hello"})).status_code == 400


async def test_a_reply_that_is_being_written_can_be_stopped_by_a_form(client):
    await hello(client)
    rows = Message.objects.filter(reply_to__isnull=False)
    await rows.aupdate(state="streaming", text="One two", heartbeat_at=timezone.now())
    assert 'action="/personas/tomasz/stop"' in await page(client)
    assert (await post(client, "stop")).status_code == 302
    assert "You stopped this answer." in await page(client)
    assert (await post(client, "stop", accept="application/json")).status_code == 204


# --- Deleted ------------------------------------------------------------------------------------


async def test_a_chat_is_deleted_after_it_was_asked_once(client):
    await hello(client)
    assert "All 3 messages with Tomasz" in await page(client, f"{PAGE}delete")
    answer = await send(client, f"{PAGE}delete")
    assert answer.headers["Location"] == "/personas/?note=deleted"
    assert "The chat was deleted." in await page(client, "/personas/", note="deleted")
    assert not await Conversation.objects.aexists()


async def test_where_no_chat_is_there_is_none_to_delete_or_edit(client):
    for path in ("delete", "edit"):
        assert (await in_database(client.get, PAGE + path)).status_code == 404


def test_a_stranger_deletes_and_sees_nothing(baker):
    stranger = Client(raise_request_exception=False)
    for path in (f"{PAGE}delete", f"{PAGE}edit", "/personas/memory"):
        assert "/login" in stranger.get(path).headers["Location"]
    for path in (f"{PAGE}delete", "/personas/memory/forget", "/personas/memory/switch"):
        assert "/login" in stranger.post(path).headers["Location"]


# --- Files --------------------------------------------------------------------------------------


async def test_a_voice_note_is_sent_by_a_form_and_shown_as_a_player(client):
    file = SimpleUploadedFile("note.wav", wav(2))
    assert (await post(client, "say", {"text": "Listen", "recording": file})).status_code == 302
    message = await Message.objects.aget(author="person")
    assert (message.type, message.act) == ("audio", "unheard")
    shown = await page(client)
    assert "<audio controls" in shown
    assert ">Listen</div>" in shown
    assert "[Voice message]" not in shown


async def test_what_was_heard_stands_below_its_player(client):
    await post(client, "say", {"recording": SimpleUploadedFile("note.wav", wav(2))})
    heard = {"act": "heard", "text": "[Transcribed: Two loaves]"}
    await Message.objects.filter(author="person").aupdate(**heard)
    shown = await page(client)
    assert "Two loaves</p>" in shown
    assert "Transcribed" not in shown


async def test_one_file_goes_with_a_message(client):
    both = {
        "picture": SimpleUploadedFile("a.jpg", picture()),
        "recording": SimpleUploadedFile("a.wav", wav()),
    }
    refused = await post(client, "say", both)
    assert (refused.status_code, "either" in refused.content.decode()) == (400, True)
    assert not await MediaFile.objects.aexists()


async def test_no_more_files_wait_than_can_be_stored_soon(client, settings):
    settings.MEDIA_THREADS = 0
    refused = await post(client, "say", {"picture": SimpleUploadedFile("a.jpg", picture())})
    assert (refused.status_code, "Too many files" in refused.content.decode()) == (400, True)


# --- Unread, pictures of personas ----------------------------------------------------------------


async def test_the_catalogue_tells_what_is_new_in_one_query(client, baker, django_assert_max_num_queries):
    assert "new message" not in await page(client, "/personas/")
    await hello(client)
    assert "2 new messages" in await page(client, "/personas/")
    await page(client)
    assert "new message" not in await page(client, "/personas/")

    def counted():
        with django_assert_max_num_queries(7):
            client.get("/personas/")
        user = type("User", (), {"contact": Contact.objects.get()})
        with django_assert_max_num_queries(1):
            persona_chats.unread_of(user, [baker])

    await in_database(counted)


def admin_form(baker, **more):
    fields = ("account", "name", "slug", "kind", "status", "language", "temperature", "max_tokens")
    values = {name: getattr(baker, f"{name}_id" if name == "account" else name) for name in fields}
    lists = {"suggested_messages": "[]", "examples": "[]", "traits": "{}", "provider_chain": "[]"}
    return {**values, **lists, **more}


def test_staff_give_a_persona_a_picture_and_take_it_away(client, baker):
    path = f"/admin/personas/persona/{baker.pk}/change/"
    assert "No picture" not in client.get(path).content.decode()
    file = SimpleUploadedFile("face.png", picture("PNG", size=(900, 900)))
    answer = client.post(path, admin_form(baker, picture=file))
    assert answer.status_code == 302, answer.content.decode()
    baker.refresh_from_db()
    address = avatars.path_of(baker)
    assert address in client.get("/personas/").content.decode()
    served = Client().get(address)
    assert (served.status_code, served.headers["Content-Type"]) == (200, "image/png")
    assert "max-age" in served.headers["Cache-Control"]
    assert influencer_body(baker)["avatar_url"].endswith(address)
    assert client.post(path, admin_form(baker, without_picture="on")).status_code == 302
    assert Client().get(address).status_code == 404
    assert ">T</span>" in client.get("/personas/").content.decode()


def test_a_picture_of_a_persona_is_checked_as_any_other(client, baker):
    path = f"/admin/personas/persona/{baker.pk}/change/"
    answer = client.post(path, admin_form(baker, picture=SimpleUploadedFile("face.png", HTML)))
    assert (answer.status_code, "format is not allowed" in answer.content.decode()) == (200, True)


@pytest.mark.parametrize("changed", [{"status": "discontinued"}, {"kind": "interviewer"}])
def test_who_is_not_public_shows_no_picture(client, baker, changed):
    avatars.put(baker, avatars.checked(picture()))
    type(baker).objects.update(**changed)
    assert Client().get(avatars.path_of(baker)).status_code == 404


# --- What is remembered ---------------------------------------------------------------------------


@pytest.fixture
def remembered(client, baker):
    contact = Contact.objects.create(account=baker.account)
    contact.addresses.create(
        account=baker.account, kind="external_id", value=f"staff:{User.objects.get().pk}", as_given="x"
    )
    chat = Conversation.objects.create(account=baker.account, contact=contact, persona=baker, pair_key="x")
    message = Message.objects.create(conversation=chat, seq=1, author="person", text="I bake.")
    facts = [
        MemoryFact(contact=contact, persona=baker, message=message, text=f"Fact {n}.") for n in range(60)
    ]
    return MemoryFact.objects.bulk_create(facts)


def test_the_person_sees_what_is_remembered_and_takes_it_away(
    client, remembered, django_assert_max_num_queries
):
    with django_assert_max_num_queries(6):
        shown = client.get("/personas/memory").content.decode()
    assert "Fact 59." in shown
    assert "Fact 9." not in shown
    older = re.search(r'href="\?before=(\d+)"', shown)[1]
    assert "Fact 9." in client.get("/personas/memory", {"before": older}).content.decode()
    answer = client.post("/personas/memory/forget", {"memory": remembered[59].pk})
    assert answer.headers["Location"] == "/personas/memory?note=forgotten"
    assert MemoryFact.objects.count() == 59
    client.post("/personas/memory/forget", {"memory": "nonsense"})
    assert MemoryFact.objects.count() == 59
    client.post("/personas/memory/forget", {"all": "1"})
    assert "Nothing is remembered of you." in client.get("/personas/memory").content.decode()


def test_remembering_is_switched_off_and_on(client, settings):
    client.post("/personas/memory/switch", {"enabled": "0"})
    assert "Remembering is off" in client.get("/personas/memory").content.decode()
    client.post("/personas/memory/switch", {"enabled": "1"})
    assert "Remembering is on" in client.get("/personas/memory").content.decode()
    settings.PERSONA_MEMORY = False
    assert "Nothing new is remembered on this site" in client.get("/personas/memory").content.decode()


def test_another_persons_memory_is_not_touched(client, remembered, baker):
    other = Contact.objects.create(account=baker.account)
    MemoryFact.objects.filter(pk=remembered[0].pk).update(contact=other)
    client.post("/personas/memory/forget", {"memory": remembered[0].pk})
    client.post("/personas/memory/forget", {"all": "1"})
    assert MemoryFact.objects.get().contact == other


def test_staff_look_at_memories_and_take_them_away(client, remembered):
    listed = client.get("/admin/crm/memoryfact/")
    assert (listed.status_code, "Fact 59." in listed.content.decode()) == (200, True)
    address = f"/admin/crm/memoryfact/{remembered[0].pk}/delete/"
    assert client.post(address, {"post": "yes"}).status_code == 302
    assert MemoryFact.objects.count() == 59
    everything = {"action": "forget_people", "_selected_action": [str(remembered[1].pk)]}
    assert client.post("/admin/crm/memoryfact/", everything).status_code == 302
    assert not MemoryFact.objects.exists()


async def test_staff_see_what_messages_said_before(client):
    await hello(client)
    await post(client, "again")
    version = await MessageVersion.objects.aget()
    assert version.said_at > timezone.now() - timedelta(minutes=5)
    assert "another answer" in await page(client, "/admin/crm/messageversion/")
    await page(client, f"/admin/crm/messageversion/{version.pk}/change/")
