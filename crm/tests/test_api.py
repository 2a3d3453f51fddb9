"""The API of people: the account's own, and nobody else's."""

import pytest
from django.test.client import encode_multipart
from django.utils import timezone

from config.api.models import AuditEntry
from crm import erasure, timeline
from crm.models import Contact, Erasure
from crm.tests.test_replies import open_talk
from tests.factories import bearer, make_account, make_contact, make_key

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return bearer(make_key())


@pytest.fixture
def stranger():
    return bearer(make_key(make_account("other")))


def test_contacts_are_listed_newest_first_by_cursor(client, owner):
    made = [make_contact() for _ in range(3)]
    make_contact(make_account("other"))
    first = client.get("/api/v1/contacts?limit=2", headers=owner).json()
    rest = client.get(f"/api/v1/contacts?limit=2&cursor={first['pagination']['next']}", headers=owner).json()
    ids = [row["id"] for row in first["data"] + rest["data"]]
    assert ids == [str(contact.pk) for contact in reversed(made)]


def test_a_list_costs_the_same_queries_for_one_and_for_many(client, owner, django_assert_max_num_queries):
    for _ in range(10):
        make_contact()
    with django_assert_max_num_queries(5):
        assert len(client.get("/api/v1/contacts?limit=10", headers=owner).json()["data"]) == 10


def test_a_contact_is_made_once_for_an_address(client, owner):
    first = client.post("/api/v1/contacts", {"email": "Ada@Example.com", "name": "Ada"}, headers=owner)
    again = client.post("/api/v1/contacts", {"email": "ada@example.COM"}, headers=owner)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["data"]["id"] == again.json()["data"]["id"]
    assert first.json()["data"]["addresses"][0]["value"] == "ada@example.com"


@pytest.mark.parametrize(
    ("body", "field"), [({}, "email"), ({"email": "nobody"}, "email"), ({"phone": "12"}, "phone")]
)
def test_a_bad_address_is_named(client, owner, body, field):
    response = client.post("/api/v1/contacts", body, headers=owner)
    assert response.status_code == 400
    assert response.json()["error"]["field"] == field


def test_facts_are_changed_and_noted(client, owner):
    contact = make_contact()
    url = f"/api/v1/contacts/{contact.pk}"
    response = client.patch(url, {"role": "Nurse"}, headers=owner, content_type="application/json")
    assert response.json()["data"]["role"] == "Nurse"
    assert AuditEntry.objects.filter(action="changed contact", target_id=contact.pk).exists()


@pytest.mark.parametrize("value", ["null", "[1]", '"text"', "{"])
def test_preferences_that_are_no_object_are_refused(client, owner, value):
    """Found by schemathesis: a form field with the JSON null passed, and broke the row."""
    body = encode_multipart("x", {"preferences": value})
    url = f"/api/v1/contacts/{make_contact().pk}"
    response = client.patch(url, body, headers=owner, content_type="multipart/form-data; boundary=x")
    assert response.status_code == 400
    assert response.json()["error"]["field"] == "preferences"


def test_the_timeline_is_paged_newest_first(client, owner):
    contact = make_contact()
    for number in range(3):
        timeline.write(contact, "note", f"Note {number}", at=timezone.now())
    page = client.get(f"/api/v1/contacts/{contact.pk}/timeline?limit=2", headers=owner).json()
    assert [entry["title"] for entry in page["data"]] == ["Note 2", "Note 1"]


def test_a_transcript_is_read_in_order_and_noted(client, owner):
    conversation = open_talk(contact=make_contact())
    assert client.get(f"/api/v1/talks/{conversation.pk}", headers=owner).json()["data"]["last_seq"] == 1
    page = client.get(f"/api/v1/talks/{conversation.pk}/messages", headers=owner).json()
    assert [message["seq"] for message in page["data"]] == [1]
    assert AuditEntry.objects.filter(action="read transcript").count() == 1


def test_an_export_holds_every_part(client, owner):
    contact = make_contact()
    data = client.get(f"/api/v1/contacts/{contact.pk}/export", headers=owner).json()["data"]
    assert data["crm"]["contact"]["id"] == str(contact.pk)
    assert {"campaigns", "interviews", "knowledge"} <= set(data)


def test_an_erasure_is_accepted(client, owner, django_capture_on_commit_callbacks):
    contact = make_contact()
    with django_capture_on_commit_callbacks(execute=True):
        response = client.post(f"/api/v1/contacts/{contact.pk}/erase", headers=owner)
    assert response.status_code == 202
    assert Erasure.objects.get().state == "done"
    assert Contact.objects.get(pk=contact.pk).name == ""


def test_nothing_new_is_kept_of_who_was_erased(client, owner):
    contact = make_contact()
    erasure.run(erasure.request(contact).pk)
    url = f"/api/v1/contacts/{contact.pk}"
    answer = client.patch(url, {"name": "Ada"}, headers=owner, content_type="application/json")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "CONFLICT")
    assert Contact.objects.get(pk=contact.pk).name == ""


@pytest.mark.parametrize("path", ["", "/timeline", "/export"])
def test_a_stranger_gets_404_of_a_contact(client, stranger, path):
    assert client.get(f"/api/v1/contacts/{make_contact().pk}{path}", headers=stranger).status_code == 404


@pytest.mark.parametrize("path", ["", "/messages"])
def test_a_stranger_gets_404_of_a_talk(client, stranger, path):
    assert client.get(f"/api/v1/talks/{open_talk().pk}{path}", headers=stranger).status_code == 404


def test_a_stranger_cannot_change_or_erase(client, stranger):
    url = f"/api/v1/contacts/{make_contact().pk}"
    assert client.patch(url, {}, headers=stranger, content_type="application/json").status_code == 404
    assert client.post(f"{url}/erase", headers=stranger).status_code == 404


def test_a_key_without_the_scope_is_refused(client):
    assert client.get("/api/v1/contacts", headers=bearer(make_key(scopes=["knowledge"]))).status_code == 403
