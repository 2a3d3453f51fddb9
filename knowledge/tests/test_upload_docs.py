"""`/upload_docs`: several files, each with its own outcome; a file of a known name replaces the older one."""

import asyncio
from urllib.parse import quote

import pytest
from asgiref.sync import async_to_sync
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile

from config.api import threads
from knowledge import replacing, tasks, uploading
from knowledge.account_documents import documents_collection
from knowledge.ingestion import Origin, add_document, read_document
from knowledge.models import Chunk, Collection, Document
from knowledge.search import passages_for
from knowledge.tests import files
from tests.factories import bearer, make_account, make_key

pytestmark = pytest.mark.django_db(transaction=True)
TEXT = b"Invoices are sent on the last Friday of each month."


@pytest.fixture
def key():
    return bearer(make_key())


def upload(client, headers, *named):
    """`named`: pairs of a name and its content."""
    parts = [SimpleUploadedFile(name, content) for name, content in named]
    return client.post("/upload_docs", {"files": parts}, headers=headers)


def raw_upload(client, headers, name, content):
    """As curl writes it: Django's own test client would cut the name."""
    body = (
        b'--xx\r\nContent-Disposition: form-data; name="files"; filename="%s"\r\n'
        b"Content-Type: text/plain\r\n\r\n%s\r\n--xx--\r\n" % (name.encode(), content)
    )
    kind = "multipart/form-data; boundary=xx"
    return client.generic("POST", "/upload_docs", body, content_type=kind, headers=headers)


def found(question, slug="acme"):
    account = make_account(slug)
    collections = [documents_collection(account)]
    return async_to_sync(passages_for)(question, account=account, collections=collections)


class TestOutcomes:
    def test_each_file_says_what_became_of_it(self, client, key):
        response = upload(
            client,
            key,
            ("rules.txt", TEXT),
            ("locked.pdf", files.pdf("x", password="pw")),
            ("nothing.txt", b""),
            ("table.csv", b"Name,City\nAda,London\nGrace,New York\n"),
        )

        body = response.json()
        assert (response.status_code, body["success"], body["error"]) == (200, True, None)
        told = [
            (f["filename"], f["type"], f["status"], f["chunks_created"])
            for f in body["data"]["uploaded_files"]
        ]
        assert told == [
            ("rules.txt", "text/plain", "success", 1),
            ("locked.pdf", "text/plain", "failed", 0),
            ("nothing.txt", "text/plain", "failed", 0),
            ("table.csv", "text/csv", "success", 2),
        ]
        assert "encrypted" in body["data"]["uploaded_files"][1]["error"]
        assert "empty" in body["data"]["uploaded_files"][2]["error"]

    def test_the_sums_and_the_words_agree(self, client, key):
        body = upload(client, key, ("a.txt", TEXT), ("b.txt", b"")).json()

        data = body["data"]
        assert (data["total_uploaded"], data["total_failed"], data["total_chunks"]) == (1, 1, 1)
        assert (data["total_processed"], data["replaced_documents"]) == (1, [])
        assert data["uploaded_documents"][0]["filename"] == "a.txt"
        assert body["message"] == "1 file uploaded, 1 failed."
        assert body["metadata"]["processing_time"] > 0

    def test_the_type_is_told_by_the_content(self, client, key):
        (told,) = upload(client, key, ("report.csv", files.pdf("Quarterly report"))).json()["data"][
            "uploaded_files"
        ]

        assert (told["type"], told["status"]) == ("application/pdf", "success")

    @pytest.mark.parametrize(
        ("name", "content", "kind"),
        [
            ("a.pdf", files.pdf("Hello there"), "application/pdf"),
            ("a.docx", files.docx("Hello there"), "wordprocessingml"),
            ("a.xlsx", files.xlsx([["Name"], ["Ada"]]), "spreadsheetml"),
            ("a.json", b'[{"name": "Ada"}]', "application/json"),
            ("a.md", b"# Hello\n\nThere.", "text/markdown"),
            ("a.html", b"<!doctype html><p>Hello there</p>", "text/html"),
            ("a.csv", b"a,b\n1,2\n3,4\n", "text/csv"),
            ("a.txt", b"Hello there.", "text/plain"),
        ],
    )
    def test_every_documented_type_is_read(self, client, key, name, content, kind):
        (told,) = upload(client, key, (name, content)).json()["data"]["uploaded_files"]

        assert told["status"] == "success"
        assert kind in told["type"]

    def test_a_file_that_is_too_large_fails_alone(self, client, key, settings):
        settings.MAX_DOCUMENT_BYTES = 1024 * 1024
        told = upload(client, key, ("big.txt", b"x" * (1024 * 1024 + 1)), ("a.txt", TEXT)).json()["data"]

        assert [file["status"] for file in told["uploaded_files"]] == ["failed", "success"]
        assert "1 MB" in told["uploaded_files"][0]["error"]

    def test_a_storage_that_is_away_fails_the_file_and_says_to_try_again(self, client, key, monkeypatch):
        def away(*_):
            raise OSError("bucket credentials are sk-secret")

        monkeypatch.setattr(type(default_storage._wrapped), "_save", away)
        (told,) = upload(client, key, ("a.txt", TEXT)).json()["data"]["uploaded_files"]

        assert (told["status"], told["error"]) == ("failed", "It could not be stored. Try again.")
        monkeypatch.undo()
        monkeypatch.setattr(uploading, "PATIENCE_SECONDS", 0)  # it is read later
        assert upload(client, key, ("a.txt", TEXT)).json()["data"]["total_processed"] == 1


class TestRefusedRequests:
    @pytest.mark.parametrize(
        ("body", "kind"),
        [
            (b"{}", "application/json"),
            (b"", "multipart/form-data"),
            (b"--nothing", "multipart/form-data; boundary=x"),
            (b"a=1", "application/x-www-form-urlencoded"),
        ],
    )
    def test_bodies_without_files_are_400(self, client, key, body, kind):
        response = client.generic("POST", "/upload_docs", body, content_type=kind, headers=key)

        assert response.status_code == 400
        assert response.json()["error"]["code"] == "VALIDATION_ERROR"

    def test_another_part_name_is_400_and_says_which_is_right(self, client, key):
        response = client.post("/upload_docs", {"file": SimpleUploadedFile("a.txt", TEXT)}, headers=key)

        assert response.status_code == 400
        assert "files" in response.json()["detail"]

    def test_more_files_than_django_takes_are_413(self, client, key, settings):
        settings.DATA_UPLOAD_MAX_NUMBER_FILES = 2

        assert upload(client, key, *((f"{n}.txt", TEXT) for n in range(3))).status_code == 413

    def test_it_asks_for_a_key_with_the_scope(self, client):
        assert upload(client, {}, ("a.txt", TEXT)).status_code == 401
        assert upload(client, bearer(make_key(scopes=["crm"])), ("a.txt", TEXT)).status_code == 403
        assert client.get("/upload_docs").status_code == 405


class TestReplacing:
    def test_a_new_content_of_a_name_replaces_the_old(self, client, key):
        upload(client, key, ("rules.txt", b"Travel is booked by the office manager."))
        body = upload(client, key, ("rules.txt", b"Travel is booked by everybody alone.")).json()

        assert [told["filename"] for told in body["data"]["replaced_documents"]] == ["rules.txt"]
        assert body["data"]["uploaded_documents"] == []
        (passage,) = found("Who books travel?")
        assert "everybody" in passage.text
        assert Document.objects.count() == 1

    def test_the_old_file_and_its_counts_are_gone(self, client, key):
        upload(client, key, ("a.txt", b"Travel is booked by the office manager."))
        old = Document.objects.get().file.name
        upload(client, key, ("a.txt", TEXT))

        assert not default_storage.exists(old)
        collection = Collection.objects.get()
        assert (collection.document_count, collection.chunk_count) == (1, 1)
        assert (collection.size_bytes, collection.character_count) == (len(TEXT), len(TEXT))

    def test_one_that_cannot_be_read_replaces_nothing(self, client, key):
        upload(client, key, ("a.txt", TEXT))
        told = upload(client, key, ("a.txt", files.pdf("x", password="pw"))).json()["data"]

        assert told["total_failed"] == 1
        assert "Friday" in found("When are invoices sent?")[0].text
        upload(client, key, ("a.txt", b"Invoices are sent on Mondays."))
        assert [d.state for d in Document.objects.all()] == ["ready"]

    def test_until_the_new_one_is_read_the_old_one_is_found(self, client, key, monkeypatch):
        upload(client, key, ("a.txt", TEXT))
        monkeypatch.setattr(uploading, "PATIENCE_SECONDS", 0.1)
        monkeypatch.setattr("knowledge.arriving.wake", lambda _: None)  # the worker is busy
        (told,) = upload(client, key, ("a.txt", b"Invoices are sent on Mondays.")).json()["data"][
            "uploaded_files"
        ]

        assert told["status"] == "processing"
        assert "Friday" in found("When are invoices sent?")[0].text
        tasks.sweep()
        (passage,) = found("When are invoices sent?")
        assert "Mondays" in passage.text

    def test_the_same_content_twice_is_one_document(self, client, key):
        first = upload(client, key, ("a.txt", TEXT)).json()["data"]["uploaded_files"][0]
        again = upload(client, key, ("a.txt", TEXT), ("copy.txt", TEXT)).json()["data"]["uploaded_files"]

        assert {told["document_id"] for told in again} == {first["document_id"]}
        assert [told.get("same_content_as") for told in again] == [None, "a.txt"]
        assert all(told["status"] == "success" for told in again)
        assert (Document.objects.count(), Collection.objects.get().document_count) == (1, 1)

    def test_a_name_whose_content_is_known_under_another_name_loses_its_old_content(self, client, key):
        upload(client, key, ("a.txt", TEXT), ("b.txt", b"Travel is booked by the office manager."))
        upload(client, key, ("b.txt", TEXT))

        assert found("Who books travel?") == []
        tasks.sweep()
        assert Document.objects.count() == 1

    def test_of_two_versions_the_one_given_last_stays_whichever_is_read_first(self, client, key, monkeypatch):
        monkeypatch.setattr(uploading, "PATIENCE_SECONDS", 0.0)
        monkeypatch.setattr("knowledge.arriving.wake", lambda _: None)
        upload(client, key, ("a.txt", b"Travel is booked by the office manager."))
        upload(client, key, ("a.txt", b"Travel is booked by everybody alone."))
        older, newer = Document.objects.order_by("uploaded_at")

        read_document(newer.pk)
        read_document(older.pk)

        (passage,) = found("Who books travel?")
        assert "everybody" in passage.text
        assert Document.objects.get().pk == newer.pk

    def test_an_older_content_given_again_replaces_the_newer_one(self, client, key):
        upload(client, key, ("a.txt", TEXT))
        upload(client, key, ("a.txt", b"Invoices are sent on Mondays."))
        upload(client, key, ("a.txt", TEXT))

        (passage,) = found("When are invoices sent?")
        assert "Friday" in passage.text

    def test_what_a_killed_reader_left_is_removed_by_the_sweep(self, client, key, monkeypatch):
        upload(client, key, ("a.txt", TEXT))
        with monkeypatch.context() as killed:
            killed.setattr(replacing, "remove_document", _dies)
            upload(client, key, ("a.txt", b"Invoices are sent on Mondays."))
        assert len(found("When are invoices sent?")) == 1
        assert Document.objects.count() == 2

        tasks.sweep()

        assert Document.objects.count() == 1
        assert Collection.objects.get().document_count == 1

    def test_an_upload_never_replaces_what_another_app_gave(self, client, key):
        collection = documents_collection(make_account())
        given = add_document(
            collection, title="t", filename="a.txt", content=b"From an interview.", origin=Origin("interview")
        )
        read_document(given.pk)
        upload(client, key, ("a.txt", TEXT))

        assert Document.objects.count() == 2


def _dies(document):
    raise OSError("killed")


class TestNames:
    @pytest.mark.parametrize(
        "name", ["../../etc/passwd", "a b/ü.txt", "C:\\files\\x.txt", "100%25.txt", ".."]
    )
    def test_a_name_is_shown_as_given_stored_safely_and_deletable(self, client, key, name):
        (told,) = raw_upload(client, key, name, TEXT).json()["data"]["uploaded_files"]
        document = Document.objects.get()

        assert (told["filename"], document.filename) == (name, name)
        assert document.file.name.startswith(f"knowledge/{make_account().pk}/{document.pk}/")
        assert ".." not in document.file.name
        gone = client.delete(f"/rag/documents/{quote(name, safe='')}", headers=key)
        assert (gone.status_code, gone.json()["data"]["filename"]) == (200, name)
        assert not Document.objects.exists()

    def test_a_name_without_anything_to_show_gets_one(self, client, key):
        (told,) = raw_upload(client, key, "\x01\x02", TEXT).json()["data"]["uploaded_files"]

        assert told["filename"] == "document"

    def test_a_very_long_name_is_cut_and_can_be_named_whole(self, client, key):
        name = "x" * 900 + ".txt"
        raw_upload(client, key, name, TEXT)

        assert Document.objects.get().filename.endswith("x.txt")
        assert client.delete(f"/rag/documents/{name}", headers=key).status_code == 200


class TestAccounts:
    def test_two_accounts_with_the_same_names_never_see_each_other(self, client, key):
        other = bearer(make_key(make_account("other")))
        upload(client, key, ("rules.txt", b"Travel is booked by the office manager."))
        upload(client, other, ("rules.txt", b"Travel is booked by the pilot herself."))

        assert "office" in found("Who books travel?")[0].text
        assert "pilot" in found("Who books travel?", "other")[0].text
        client.delete("/rag/documents/rules.txt", headers=other)
        assert "office" in found("Who books travel?")[0].text
        assert found("Who books travel?", "other") == []

    def test_the_same_content_in_two_accounts_is_two_documents(self, client, key):
        upload(client, key, ("a.txt", TEXT))
        upload(client, bearer(make_key(make_account("other"))), ("a.txt", TEXT))

        assert Document.objects.count() == 2
        assert Chunk.objects.values("collection").distinct().count() == 2

    def test_a_collection_of_another_account_gives_no_passage(self, client, key):
        upload(client, key, ("a.txt", TEXT))
        mine, theirs = make_account("other"), [documents_collection(make_account())]

        assert async_to_sync(passages_for)("When are invoices sent?", account=mine, collections=theirs) == []


def test_while_it_waits_it_holds_no_database_thread(client, key, monkeypatch):
    at_work = []
    sleep = asyncio.sleep

    async def noted(seconds):
        at_work.append(set(threads._at_work))
        await sleep(0.01)

    monkeypatch.setattr(uploading, "PATIENCE_SECONDS", 0.5)
    monkeypatch.setattr("knowledge.arriving.wake", lambda _: None)
    monkeypatch.setattr(uploading.asyncio, "sleep", noted)
    upload(client, key, ("a.txt", TEXT))

    assert len(at_work) > 3
    assert not any(at_work)
