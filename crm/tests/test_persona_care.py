"""Replies are reported, people banned, and influencers for adults ask for their age."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User as Staff
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from config.api.models import AuditEntry
from crm import persona_care, reports, talk
from crm.api.persona_events import event_of
from crm.models import AgeConfirmation, Ban, Contact, Conversation, Message, MessageReport
from crm.persona_messages import message_id
from crm.tests.persona_chatting import CHATS, Talker, User, make_influencer
from tests.factories import make_account, make_contact

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("signed_tokens")]


@pytest.fixture
def alice():
    return User()


def chat_with_reply(alice, **fields):
    """The chat's id, and that of its one reply: the greeting."""
    chat = alice.begin(make_influencer(greeting="You should not say this.", **fields))
    return chat, message_id(Conversation.objects.get().pk, 1)


def reported(alice, chat, reply, **body):
    return alice.post(f"{CHATS}/{chat}/messages/{reply}/report", {"reason": "hate", **body})


# --- Reports ----------------------------------------------------------------------------------


def test_a_reply_is_reported_once(alice):
    chat, reply = chat_with_reply(alice)
    first, second = reported(alice, chat, reply, comment="Rude."), reported(alice, chat, reply)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]
    row = MessageReport.objects.get()
    assert (row.reason, row.comment, row.text) == ("hate", "Rude.", "You should not say this.")


def test_only_replies_of_ones_own_chat_are_reported(alice):
    chat, reply = chat_with_reply(alice)
    talk.record_message(Conversation.objects.get(), "My own words.")
    own = message_id(Conversation.objects.get().pk, 2)
    assert reported(alice, chat, own).status_code == 400
    assert reported(User("bob"), chat, reply).status_code == 404
    assert reported(alice, chat, "x").status_code == 404
    wrong = reported(alice, chat, reply, reason="boring")
    assert (wrong.status_code, wrong.json()["error"]) == (422, "validation_error")


def test_staff_remove_a_reply_and_put_it_back(alice, admin_client):
    chat, reply = chat_with_reply(alice)
    reported(alice, chat, reply)
    page = reverse("admin:crm_messagereport_changelist")
    key = MessageReport.objects.get().pk
    admin_client.post(page, {"action": "remove_replies", "_selected_action": [key]})
    assert alice.messages(chat).json()["messages"][0]["content"] == "[This message was removed.]"
    admin_client.post(page, {"action": "keep_replies", "_selected_action": [key]})
    assert alice.messages(chat).json()["messages"][0]["content"] == "You should not say this."
    assert MessageReport.objects.get().state == "kept"
    assert AuditEntry.objects.filter(action__contains="reported reply").count() == 2


def test_a_decision_is_made_once(alice):
    chat, reply = chat_with_reply(alice)
    reported(alice, chat, reply)
    row = MessageReport.objects.get()
    assert reports.remove(row, by="ada")
    assert not reports.remove(row, by="ben")


def test_the_queue_asks_a_constant_number_of_queries(alice, admin_client, django_assert_max_num_queries):
    page = reverse("admin:crm_messagereport_changelist")
    chat, reply = chat_with_reply(alice)
    reported(alice, chat, reply)
    admin_client.get(page)
    with django_assert_max_num_queries(14) as few:
        assert admin_client.get(page).status_code == 200
    asked = len(few)  # the requests below begin a new count
    for number in range(3):
        other = User(f"user{number}")
        chat = other.begin(make_influencer(greeting="Hm."))
        conversation = Conversation.objects.get(pk=chat)
        reported(other, chat, message_id(conversation.pk, 1))
    assert MessageReport.objects.count() == 4
    with django_assert_max_num_queries(asked):
        admin_client.get(page)


# --- Bans -------------------------------------------------------------------------------------


def ban(contact, **fields):
    fields.setdefault("until", None)
    return persona_care.ban(contact, reason="spam", by="ada", **fields)


def test_a_banned_user_gets_403_everywhere(alice):
    chat, reply = chat_with_reply(alice)
    ban(Contact.objects.get(), until=timezone.now() + timedelta(days=1))
    answers = [
        alice.get(CHATS),
        alice.messages(chat),
        alice.post(f"{CHATS}/{chat}/messages", {"message_type": "text", "content": "Hello"}),
        reported(alice, chat, reply),
        alice.post("/api/v1/chat/ticket"),
        alice.post("/api/v1/chat/ws/ticket"),
    ]
    assert {answer.status_code for answer in answers} == {403}
    body = answers[2].json()
    assert (body["error"], body["details"]["reason"]) == ("forbidden", "banned")
    assert body["details"]["until"]


async def test_a_stream_is_refused_too():
    talker = Talker()
    chat = await talker.begin(greeting="Hello.")
    await Ban.objects.acreate(contact=await Contact.objects.aget(), reason="spam")
    body = {"message_type": "text", "content": "Hello"}
    refused = await talker.send(chat, body, Accept="text/event-stream")
    assert (refused.status_code, refused.json()["error"]) == (403, "forbidden")


def test_an_open_inbox_hears_no_more(alice):
    chat, _reply = chat_with_reply(alice)
    contact = Contact.objects.get()
    news = {"what": "new_message", "conversation": chat, "seq": 1}
    assert event_of(contact.pk, news) is not None
    ban(contact)
    with pytest.raises(PermissionError):
        event_of(contact.pk, news)


def test_a_ban_ends_by_itself_and_by_being_lifted(alice):
    chat_with_reply(alice)
    row = ban(Contact.objects.get(), until=timezone.now() - timedelta(seconds=1))
    assert alice.get(CHATS).status_code == 200
    row = ban(row.contact)
    assert alice.get(CHATS).status_code == 403
    assert persona_care.lift(row)
    assert alice.get(CHATS).status_code == 200


def test_others_of_the_account_and_the_same_id_elsewhere_are_not_banned(alice):
    chat_with_reply(alice)
    ban(Contact.objects.get())
    assert User("bob").get(CHATS).status_code == 200
    assert User(iss="https://other.example").get(CHATS).status_code == 200


def test_staff_ban_who_was_never_here_by_the_id_of_their_token(admin_client, alice):
    page = reverse("admin:crm_ban_add")
    form = {"account": make_account("default").pk, "person": "alice", "reason": "spam"}
    answer = admin_client.post(page, {**form, "until_0": "", "until_1": ""})
    assert answer.status_code == 302
    assert alice.get(CHATS).status_code == 403
    admin_client.post(
        reverse("admin:crm_ban_changelist"),
        {"action": "lift_bans", "_selected_action": [Ban.objects.get().pk]},
    )
    assert alice.get(CHATS).status_code == 200
    assert admin_client.get(reverse("admin:crm_ban_change", args=[Ban.objects.get().pk])).status_code == 200


# --- Ages -------------------------------------------------------------------------------------


def test_an_influencer_for_adults_asks_for_the_claim():
    influencer = make_influencer(adults_only=True)
    begin = {"influencer_id": str(influencer.pk)}
    for user, status in ((User(), 403), (User(is_adult=False), 403), (User(is_adult="yes"), 403)):
        answer = user.post(CHATS, begin)
        assert (answer.status_code, answer.json()["details"]["reason"]) == (status, "adults_only")
    assert User(is_adult=True).post(CHATS, begin).status_code == 201


def test_the_name_of_the_claim_is_a_setting(settings):
    settings.JWT_ADULT_CLAIM = "https://id.example/adult"
    begin = {"influencer_id": str(make_influencer(adults_only=True).pk)}
    assert User(**{"https://id.example/adult": True}).post(CHATS, begin).status_code == 201


def test_what_became_for_adults_alone_is_said_to_adults_alone(alice):
    influencer = make_influencer()
    chat = alice.begin(influencer)
    influencer.adults_only = True
    influencer.save()
    sent = alice.post(f"{CHATS}/{chat}/messages", {"message_type": "text", "content": "Hello"})
    assert (sent.status_code, sent.json()["details"]["reason"]) == (403, "adults_only")
    assert not Message.objects.filter(author="person").exists()


def test_a_person_confirms_their_age_for_good(alice):
    contact = make_contact(make_account("default"))
    influencer = make_influencer(adults_only=True)
    persona_care.confirm_age(contact, claim=None)
    persona_care.refuse_minor(influencer, claim=None, contact=contact)
    assert AgeConfirmation.objects.count() == 1


# --- On the page ------------------------------------------------------------------------------


@pytest.fixture
def page_of(db):
    client = Client()
    client.force_login(Staff.objects.create_superuser("ada", password="x"))
    return client


@pytest.mark.parametrize(("has_model", "said"), [(True, "with an AI,"), (False, "with a program,")])
def test_the_page_says_that_nobody_human_answers(page_of, monkeypatch, has_model, said):
    make_influencer(slug="tomasz")
    monkeypatch.setattr("personas.speaking.has_model", lambda _persona: has_model)
    page = page_of.get("/personas/tomasz/").content.decode()
    assert f"You are talking {said} not with a person." in page


def test_a_reply_is_reported_on_the_page(page_of):
    influencer = make_influencer(slug="tomasz", greeting="Hello.")
    contact = persona_care.person_called(influencer.account, f"staff:{Staff.objects.get().pk}")
    from crm.persona_chats import _begun

    _begun(contact, influencer, f"{contact.pk}:{influencer.pk}", 0)
    assert "Send the report" in page_of.get("/personas/tomasz/").content.decode()
    answer = page_of.post("/personas/tomasz/report", {"seq": "1", "reason": "untrue"}, follow=True)
    assert "Somebody of our team looks at it" in answer.content.decode()
    assert MessageReport.objects.get().reason == "untrue"
    assert page_of.post("/personas/tomasz/report", {"seq": "7"}).status_code == 404


def test_the_page_asks_for_the_age_once(page_of):
    make_influencer(slug="tomasz", adults_only=True)
    asked = page_of.get("/personas/tomasz/").content.decode()
    assert "I am 18 or older" in asked
    assert 'name="text"' not in asked
    page_of.post("/personas/tomasz/adult")
    assert 'name="text"' in page_of.get("/personas/tomasz/").content.decode()


def test_a_banned_person_sees_why_the_page_is_closed(page_of):
    make_influencer(slug="tomasz")
    account = make_account("default")
    ban(persona_care.person_called(account, f"staff:{Staff.objects.get().pk}"))
    answer = page_of.get("/personas/tomasz/")
    assert (answer.status_code, "may not use the chat" in answer.content.decode()) == (403, True)
    assert page_of.post("/personas/tomasz/say", {"text": "Hello"}).status_code == 403
