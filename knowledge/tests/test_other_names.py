"""Content that was uploaded under several names is one document; each name can be deleted and replaced."""

import pytest
from django.urls import reverse

from knowledge import tasks
from knowledge.models import Document, OtherName
from knowledge.tests.test_upload_docs import TEXT, found, upload
from tests.factories import bearer, make_account, make_key

pytestmark = pytest.mark.django_db(transaction=True)
OTHER = b"Invoices are sent on Mondays."


@pytest.fixture
def key():
    return bearer(make_key())


def delete(client, key, name):
    response = client.delete(f"/rag/documents/{name}", headers=key)
    assert response.status_code == 200, response.content
    return response.json()["data"]


def listed(client, key):
    return [
        (row["filename"], row["also_known_as"])
        for row in client.get("/rag/documents", headers=key).json()["data"]
    ]


def test_the_list_shows_every_name(client, key):
    upload(client, key, ("a.txt", TEXT), ("b.txt", TEXT))
    upload(client, key, ("b.txt", TEXT), ("a.txt", TEXT))

    assert listed(client, key) == [("a.txt", ["b.txt"])]


def test_deleting_the_second_name_leaves_the_first(client, key):
    upload(client, key, ("a.txt", TEXT), ("b.txt", TEXT))
    told = delete(client, key, "b.txt")

    assert (told["filename"], told["documents_removed"], told["kept_as"]) == ("b.txt", 0, "a.txt")
    assert listed(client, key) == [("a.txt", [])]
    assert found("When are invoices sent?")
    assert client.delete("/rag/documents/b.txt", headers=key).status_code == 404


def test_deleting_the_first_name_leaves_the_second(client, key):
    upload(client, key, ("a.txt", TEXT), ("b.txt", TEXT))

    assert delete(client, key, "a.txt")["kept_as"] == "b.txt"
    assert listed(client, key) == [("b.txt", [])]
    assert found("When are invoices sent?")[0].title == "b.txt"


def test_with_its_last_name_the_document_goes(client, key):
    upload(client, key, ("a.txt", TEXT), ("b.txt", TEXT))
    delete(client, key, "a.txt")
    told = delete(client, key, "b.txt")

    assert (told["documents_removed"], told.get("kept_as")) == (1, None)
    assert not Document.objects.exists()


def test_by_its_id_it_goes_with_all_its_names(client, key):
    upload(client, key, ("a.txt", TEXT), ("b.txt", TEXT))

    assert delete(client, key, Document.objects.get().pk)["documents_removed"] == 1
    assert not OtherName.objects.exists()


@pytest.mark.parametrize(("replaced", "left"), [("a.txt", "b.txt"), ("b.txt", "a.txt")])
def test_another_content_of_one_name_leaves_the_content_its_other_name(client, key, replaced, left):
    upload(client, key, ("a.txt", TEXT), ("b.txt", TEXT))
    upload(client, key, (replaced, OTHER))
    tasks.sweep()

    assert sorted(listed(client, key)) == sorted([(replaced, []), (left, [])])
    assert len(found("When are invoices sent?")) == 2


def test_a_second_name_given_while_the_content_waits_replaces_once_it_is_read(client, key, monkeypatch):
    upload(client, key, ("b.txt", OTHER))
    monkeypatch.setattr("knowledge.uploading.PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr("knowledge.arriving.wake", lambda _: None)  # the worker is busy
    upload(client, key, ("a.txt", TEXT), ("b.txt", TEXT))

    assert "Mondays" in found("When are invoices sent?")[0].text
    tasks.sweep()
    tasks.sweep()
    assert listed(client, key) == [("a.txt", ["b.txt"])]


def test_staff_see_the_other_names(client, key, admin_client):
    upload(client, key, ("a.txt", TEXT), ("b.txt", TEXT))
    page = admin_client.get(reverse("admin:knowledge_document_change", args=[Document.objects.get().pk]))

    assert "b.txt" in page.content.decode()


def test_a_strangers_second_name_is_not_there(client, key):
    upload(client, key, ("a.txt", TEXT), ("b.txt", TEXT))
    stranger = bearer(make_key(make_account("stranger")))

    assert client.delete("/rag/documents/b.txt", headers=stranger).status_code == 404
    assert listed(client, key) == [("a.txt", ["b.txt"])]
