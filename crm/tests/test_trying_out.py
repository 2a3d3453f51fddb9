"""Staff talk with a draft, by everybody's reply, and nobody else hears of it."""

import pytest
from django.contrib.auth.models import User
from django.test import AsyncClient
from django.urls import reverse
from django.utils import timezone

from config.api.threads import in_database
from config.system import activity, analytics, daily
from crm import trying_out
from crm.models import Conversation, Message
from personas import drafts
from personas.versions import save_persona
from tests.factories import bearer, make_account, make_collection, make_key, make_persona

pytestmark = pytest.mark.django_db(transaction=True)

EXAMPLES = [{"person": "Do you like bread?", "persona": "Only rye."}]


def make_drafted():
    persona = save_persona(make_persona(kind="influencer", greeting="Hello."), author="ada")
    content = {**drafts.content_to_be(persona), "examples": EXAMPLES, "greeting": "Good evening."}
    drafts.keep_draft(persona, content, author="ada")
    return persona


def make_staff(**fields):
    return User.objects.create_superuser("ada", password="x", **fields)


async def tried(user, persona, text="Do you like bread?", client_message_id="one"):
    client = AsyncClient()
    await client.aforce_login(user)
    body = {"text": text, "client_message_id": client_message_id}
    return await client.post(f"/personas/try-out/{persona.pk}/say", body)


async def begun():
    user, persona = await in_database(make_staff), await in_database(make_drafted)
    answer = await tried(user, persona)
    assert answer.status_code == 302
    return user, persona


async def test_the_draft_answers_and_not_what_is_published():
    user, persona = await begun()
    talk = await in_database(trying_out.talk_of, user, persona)
    said = [message.text async for message in talk.messages.order_by("seq")]
    assert said[0] == "Good evening."
    assert said[2].startswith("Only rye.")
    assert (await Message.objects.aget(conversation=talk, seq=3)).persona_version is None


async def test_what_is_published_is_stored_with_its_version():
    from crm import replies, talk, turns
    from tests.factories import make_conversation

    persona = await in_database(lambda: save_persona(make_persona(examples=EXAMPLES), author="ada"))
    conversation = await in_database(
        lambda: make_conversation(persona=persona, planner="crm.persona_plan.plan")
    )
    message, turn = await in_database(turns.take, conversation, "Do you like bread?", None)
    assert message.author == talk.PERSON
    async for _event in replies.stream_reply(message.pk, replies.ensure_reply(message.pk, turn)):
        pass
    assert (await Message.objects.aget(reply_to=message)).persona_version == 1


async def test_the_same_send_twice_is_one_message():
    user, persona = await begun()
    await tried(user, persona)
    assert await Message.objects.filter(author="person").acount() == 1


async def test_it_is_in_no_list_and_no_figure():
    user, persona = await begun()
    await in_database(check_lists, user, persona)


def check_lists(user, persona):
    from django.test import Client

    staff, conversation = Client(), Conversation.objects.get()
    staff.force_login(user)
    shown = staff.get(reverse("admin:crm_conversation_changelist"))
    assert list(shown.context["cl"].result_list) == []
    headers = bearer(make_key(make_account()))
    assert staff.get(f"/api/v1/talks/{conversation.pk}", headers=headers).status_code == 404
    listed = staff.get(f"/crm/conversations/{conversation.contact_id}", headers=headers).json()
    assert listed["data"] == []
    since = conversation.created_at - timezone.timedelta(days=1)
    assert activity.after(since, of=persona.account).messages == 0
    assert analytics.came_since(since, persona.account)["conversations"] == 0
    assert daily.stock_at(timezone.now())["conversations"] == {}


async def test_begin_again_forgets_the_talk():
    user, persona = await begun()
    assert await in_database(trying_out.forget, user, persona)
    assert not await Message.objects.aexists()


async def test_others_may_not(django_user_model):
    persona = await in_database(make_drafted)
    plain = await in_database(lambda: django_user_model.objects.create_user("ben", is_staff=True))
    assert (await tried(plain, persona)).status_code == 403
    assert (await AsyncClient().post(f"/personas/try-out/{persona.pk}/say")).status_code == 403


async def test_an_empty_message_is_refused_in_words():
    user, persona = await in_database(make_staff), await in_database(make_drafted)
    answer = await tried(user, persona, text="  ")
    assert (answer.status_code, "Write something first." in answer.content.decode()) == (400, True)


async def test_the_page_shows_the_talk_and_says_what_it_is():
    user, persona = await begun()
    client = AsyncClient()
    await client.aforce_login(user)
    page = reverse("admin:personas_persona_try_out", args=[persona.pk])
    shown = (await client.get(page)).content.decode()
    assert "you talk with the draft" in shown
    assert "Only rye." in shown
    await client.post(page)
    assert not await Conversation.objects.aexists()


def test_staff_choose_what_a_persona_reads(admin_client):
    persona, other = make_persona(kind="influencer"), make_account("other")
    handbook, menu = make_collection(name="Handbook"), make_collection(name="Menu")
    foreign = make_collection(other)
    persona.collections.add(menu)
    page = reverse("admin:personas_persona_choose_reading", args=[persona.pk])
    assert "can learn what stands in them" in admin_client.get(page).content.decode()
    admin_client.post(page, {"collections": [str(handbook.pk)]})
    assert list(persona.collections.all()) == [handbook]
    admin_client.post(page, {"collections": [str(foreign.pk)]})
    assert list(persona.collections.all()) == [handbook]
