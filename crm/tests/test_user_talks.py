"""Conversations of the CRM API's users: listed, read, filed, searched, counted, put away."""

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from config.api.models import AuditEntry
from crm import contacts, sessions
from crm.api import talk_search, user_talks
from crm.models import Contact, Conversation, Message
from tests.factories import bearer, make_account, make_contact, make_conversation, make_key

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return bearer(make_key())


@pytest.fixture
def stranger():
    return bearer(make_key(make_account("other")))


def talk_with(contact=None, texts=("Hello", "How can I help?"), **fields):
    """A talk in which the person and the persona spoke in turns."""
    talk = make_conversation(contact or make_contact(), last_seq=len(texts), **fields)
    authors = ("person", "persona")
    for seq, text in enumerate(texts, start=1):
        Message.objects.create(conversation=talk, seq=seq, text=text, author=authors[(seq - 1) % 2])
    return talk


def test_conversations_have_the_documented_fields(client, owner):
    talk = talk_with(title="Prices", category="sales")
    (item,) = client.get(f"/crm/conversations/{talk.contact_id}", headers=owner).json()["data"]
    assert item["id"] == str(talk.pk)
    assert (item["title"], item["status"], item["category"], item["message_count"]) == (
        "Prices",
        "active",
        "sales",
        2,
    )
    assert item["last_message"]["content"] == "How can I help?"
    assert item["last_message"]["type"] == "assistant"
    assert item["created_at"].endswith("Z")
    assert item["updated_at"].endswith("Z")
    assert item["last_message"]["created_at"].endswith("Z")


def test_a_talk_without_words_has_no_last_message(client, owner):
    talk = make_conversation()
    (item,) = client.get(f"/crm/conversations/{talk.contact_id}", headers=owner).json()["data"]
    assert (item["last_message"], item["message_count"], item["category"]) == (None, 0, "general")


def test_the_latest_conversation_comes_first(client, owner):
    contact = make_contact()
    old = talk_with(contact)
    new = talk_with(contact)
    Conversation.objects.filter(pk=old.pk).update(last_activity_at=timezone.now())
    body = client.get(f"/crm/conversations/{contact.pk}?per_page=1", headers=owner).json()
    assert (body["data"][0]["id"], body["total"], body["pages"]) == (str(old.pk), 2, 2)
    onward = f"/crm/conversations/{contact.pk}?per_page=1&cursor={body['pagination']['next']}"
    assert client.get(onward, headers=owner).json()["data"][0]["id"] == str(new.pk)


@pytest.mark.parametrize(
    ("query", "found"),
    [("status=archived", 1), ("category=sales", 1), ("category=general", 1), ("status=active", 1)],
)
def test_conversations_are_narrowed_down(client, owner, query, found):
    contact = make_contact()
    talk_with(contact, category="sales")
    talk_with(contact, status="archived")
    assert client.get(f"/crm/conversations/{contact.pk}?{query}", headers=owner).json()["total"] == found


def test_a_status_that_is_none_is_named(client, owner):
    response = client.get(f"/crm/conversations/{make_contact().pk}?status=lost", headers=owner)
    assert (response.status_code, response.json()["error"]["field"]) == (400, "status")


def test_the_callers_own_ids_are_echoed_and_understood(client, owner):
    contact, _ = contacts.resolve(make_account(), external_id="user123")
    talk_with(contact, external_id="conv456")
    (item,) = client.get("/crm/conversations/user123", headers=owner).json()["data"]
    assert (item["id"], item["user_id"]) == ("conv456", "user123")
    detail = client.get("/crm/conversations/user123/conv456", headers=owner).json()["data"]
    assert [message["content"] for message in detail["messages"]] == ["Hello", "How can I help?"]


def test_a_conversation_is_read_in_order_and_noted(client, owner):
    talk = talk_with(texts=("Hi", "Hello", "Prices?"))
    url = f"/crm/conversations/{talk.contact_id}/{talk.pk}"
    messages = client.get(url, headers=owner).json()["data"]["messages"]
    assert [(said["role"], said["content"]) for said in messages] == [
        ("user", "Hi"),
        ("assistant", "Hello"),
        ("user", "Prices?"),
    ]
    assert {"id", "conversation_id", "role", "content", "metadata", "timestamp"} <= set(messages[0])
    assert AuditEntry.objects.get(action="read transcript").target_id == str(talk.pk)


def test_earlier_messages_are_asked_for_by_number(client, owner):
    talk = talk_with(texts=[f"Line {number}" for number in range(1, 8)])
    url = f"/crm/conversations/{talk.contact_id}/{talk.pk}"
    last = client.get(f"{url}?limit=3", headers=owner).json()["data"]["messages"]
    before = client.get(f"{url}?limit=3&before={last[0]['seq']}", headers=owner).json()["data"]["messages"]
    assert [said["seq"] for said in [*before, *last]] == [2, 3, 4, 5, 6, 7]


def test_a_conversation_of_somebody_else_is_not_there(client, owner):
    talk = talk_with()
    other = make_contact()
    assert client.get(f"/crm/conversations/{other.pk}/{talk.pk}", headers=owner).status_code == 404
    assert client.get(f"/crm/conversations/{talk.contact_id}/nothing", headers=owner).status_code == 404


def test_a_conversation_is_filed(client, owner):
    talk = talk_with()
    url = f"/crm/conversations/{talk.contact_id}/{talk.pk}"
    body = {"status": "archived", "category": "support", "title": "Broken door"}
    data = client.patch(url, body, content_type="application/json", headers=owner).json()["data"]
    assert {key: data[key] for key in body} == body
    bad = client.patch(url, {"status": "lost"}, content_type="application/json", headers=owner)
    assert (bad.status_code, bad.json()["error"]["field"]) == (400, "status")


def test_a_chat_user_does_not_file(client):
    talk = talk_with()
    _session, token = sessions.begin(talk.contact)
    url = f"/crm/conversations/{talk.contact_id}/{talk.pk}"
    response = client.patch(url, {}, content_type="application/json", headers={"X-Session-Token": token})
    assert response.status_code == 403


def test_analytics_count_by_status_and_category(client, owner):
    contact = make_contact()
    talk_with(contact, category="sales")
    talk_with(contact, status="archived")
    talk_with()
    data = client.get(f"/crm/analytics?user_id={contact.pk}", headers=owner).json()["data"]
    assert data["total_conversations"] == 2
    assert data["status_breakdown"] == {"active": 1, "completed": 0, "archived": 1}
    assert data["category_breakdown"] == {"general": 1, "sales": 1}
    assert len(data["recent_conversations"]) == 2
    assert client.get("/crm/analytics", headers=owner).json()["data"]["total_conversations"] == 3


def test_a_chat_users_analytics_are_their_own(client):
    mine = talk_with()
    talk_with()
    _session, token = sessions.begin(mine.contact)
    data = client.get("/crm/analytics", headers={"X-Session-Token": token}).json()["data"]
    assert [talk["id"] for talk in data["recent_conversations"]] == [str(mine.pk)]


def test_words_are_found_in_messages_and_titles(client, owner):
    said = talk_with(texts=["What does the blue DOOR cost?", "Ten"])
    titled = talk_with(title="A new door")
    talk_with(texts=["Nothing of it"])
    body = client.get("/crm/search", {"q": "door"}, headers=owner).json()
    assert {talk["id"] for talk in body["data"]} == {str(said.pk), str(titled.pk)}
    assert (body["total"], body["pagination"]["looked_at"]) == (2, 3)


@pytest.mark.parametrize("text", ["%", "_", "10_", "\\"])
def test_wildcards_of_a_search_are_characters(client, owner, text):
    talk_with(texts=["plain 100 words"])
    assert client.get("/crm/search", {"q": text}, headers=owner).json()["total"] == 0


def test_a_percent_sign_is_found(client, owner):
    talk_with(texts=["It is 10% off"])
    assert client.get("/crm/search", {"q": "10%"}, headers=owner).json()["total"] == 1


def test_a_search_goes_on_with_the_conversations_before(client, owner, monkeypatch):
    monkeypatch.setattr(talk_search, "WINDOW", 2)
    contact = make_contact()
    oldest = talk_with(contact, texts=["door"])
    for _ in range(3):
        talk_with(contact)
    first = client.get("/crm/search", {"q": "door"}, headers=owner).json()
    again = {"q": "door", "cursor": first["pagination"]["next"]}
    second = client.get("/crm/search", again, headers=owner).json()
    assert first["data"] == []
    assert [talk["id"] for talk in second["data"]] == [str(oldest.pk)]
    assert second["pagination"]["next"] is None


def test_of_long_conversations_fewer_are_looked_through(client, owner, monkeypatch):
    monkeypatch.setattr(talk_search, "WINDOW_MESSAGES", 3)
    contact = make_contact()
    for _ in range(3):
        talk_with(contact, texts=["door", "yes"])
    looked_at, query = [], {"q": "door"}
    while query is not None:
        pages = client.get("/crm/search", query, headers=owner).json()["pagination"]
        looked_at.append((pages["looked_at"], pages["total"]))
        query = {"q": "door", "cursor": pages["next"]} if pages["next"] else None
    assert looked_at == [(1, 1), (1, 1), (1, 1)]


def test_figures_of_many_talks_are_remembered_for_a_while(client, owner, monkeypatch):
    cache.clear()
    monkeypatch.setattr(user_talks, "EXACT_UP_TO", 0)
    talk_with()
    assert client.get("/crm/analytics", headers=owner).json()["data"]["total_conversations"] == 1
    talk_with()
    assert client.get("/crm/analytics", headers=owner).json()["data"]["total_conversations"] == 1
    cache.clear()
    assert client.get("/crm/analytics", headers=owner).json()["data"]["total_conversations"] == 2


def test_a_search_is_narrowed_to_a_user(client, owner):
    mine = talk_with(texts=["door"])
    talk_with(texts=["door"])
    found = client.get("/crm/search", {"q": "door", "user_id": mine.contact_id}, headers=owner).json()["data"]
    assert [talk["id"] for talk in found] == [str(mine.pk)]
    _session, token = sessions.begin(mine.contact)
    own = client.get("/crm/search", {"q": "door"}, headers={"X-Session-Token": token}).json()["data"]
    assert [talk["id"] for talk in own] == [str(mine.pk)]


@pytest.mark.parametrize("query", ["", "q=", "q=%20", "q=" + "x" * 201, "q=a&cursor=x", "q=a&per_page=0"])
def test_a_search_that_makes_no_sense_is_a_400(client, owner, query):
    assert client.get(f"/crm/search?{query}", headers=owner).status_code == 400


def reset(client, headers, **body):
    return client.post("/reset", body, content_type="application/json", headers=headers)


def test_a_reset_archives_and_deletes_nothing(client, owner):
    talk = talk_with()
    body = reset(client, owner, user_id=str(talk.contact_id)).json()
    assert (body["reset_type"], body["affected_records"], body["success"]) == ("conversation", 1, True)
    talk.refresh_from_db()
    assert (talk.status, Message.objects.count()) == ("archived", 2)
    assert reset(client, owner, user_id=str(talk.contact_id)).json()["affected_records"] == 0


def test_a_reset_of_a_user_deactivates(client, owner):
    contact = make_contact()
    assert reset(client, owner, user_id=str(contact.pk), reset_type="user").status_code == 200
    assert Contact.objects.get().is_active is False


@pytest.mark.parametrize("body", [{}, {"reset_type": "all"}, {"user_id": "x", "reset_type": "everything"}])
def test_nothing_resets_all_at_once(client, owner, body):
    assert reset(client, owner, **body).status_code == 400


def test_a_chat_user_resets_only_their_own(client):
    mine, other = talk_with(), talk_with()
    headers = {"X-Session-Token": sessions.begin(mine.contact)[1]}
    assert reset(client, headers, user_id=str(other.contact_id)).status_code == 404
    assert reset(client, headers).json()["affected_records"] == 1
    assert reset(client, headers, reset_type="user").status_code == 403
    assert Conversation.objects.get(pk=other.pk).status == "active"


def test_a_stranger_gets_404_everywhere(client, stranger):
    talk = talk_with(texts=["door"])
    user_id = talk.contact_id
    for path in (
        f"/crm/conversations/{user_id}",
        f"/crm/conversations/{user_id}/{talk.pk}",
        f"/crm/analytics?user_id={user_id}",
        f"/crm/search?q=door&user_id={user_id}",
    ):
        assert client.get(path, headers=stranger).status_code == 404
    assert client.get("/crm/search?q=door", headers=stranger).json()["data"] == []
    assert client.get("/crm/analytics", headers=stranger).json()["data"]["total_conversations"] == 0
    assert reset(client, stranger, user_id=str(user_id)).status_code == 404
    url = f"/crm/conversations/{user_id}/{talk.pk}"
    assert client.patch(url, {}, content_type="application/json", headers=stranger).status_code == 404


@pytest.mark.parametrize(
    "path", ["/crm/conversations/{}", "/crm/analytics?user_id={}", "/crm/search?q=o&user_id={}"]
)
def test_lists_cost_the_same_for_one_and_for_many(client, owner, path):
    contact = make_contact()
    talk_with(contact)
    client.get(path.format(contact.pk), headers=owner)
    with CaptureQueriesContext(connection) as one:
        client.get(path.format(contact.pk), headers=owner)
    for _ in range(8):
        talk_with(contact)
    with CaptureQueriesContext(connection) as nine:
        client.get(path.format(contact.pk), headers=owner)
    assert len(nine) <= len(one) <= 10
