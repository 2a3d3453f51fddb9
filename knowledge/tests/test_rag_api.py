"""`/rag/…`: what an account's documents come to, page by page, and how they go."""

import pytest

from config.api.models import AuditEntry
from knowledge.account_documents import documents_collection
from knowledge.ingestion import add_document, read_document
from knowledge.models import Collection, Document
from knowledge.search import readable_collections
from knowledge.tests import files
from tests.factories import bearer, make_account, make_collection, make_key, make_persona

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def key():
    return bearer(make_key())


@pytest.fixture
def stranger():
    return bearer(make_key(make_account("stranger")))


def add(name="a.txt", content=b"Travel is booked by the office manager.", account=None):
    collection = documents_collection(account or make_account())
    document = add_document(collection, title="", filename=name, content=content)
    read_document(document.pk)
    document.refresh_from_db()
    return document


def get(client, path, headers):
    response = client.get(path, headers=headers)
    assert response.status_code == 200, response.content
    return response.json()


class TestStats:
    def test_every_figure_is_of_the_accounts_documents(self, client, key):
        text = b"Travel is booked by the office manager."
        add("a.txt", text)
        add("b.csv", b"Name,City\nAda,London\nGrace,New York\n")
        data = get(client, "/rag/stats", key)["data"]

        assert (data["total_documents"], data["total_chunks"]) == (2, 3)
        assert data["total_size_bytes"] == len(text) + 36
        assert data["file_types"] == {"pdf": 0, "csv": 1, "txt": 1, "json": 0}
        assert data["avg_chunk_size"] == round((len(text) + 23 + 27) / 3)
        assert data["collection_health"] == "healthy"
        assert data["last_updated"].endswith("Z")
        assert (data["collection_name"], data["embedding_model"]) == ("documents", "")

    def test_an_account_without_documents_has_zeros_and_looking_makes_nothing(self, client, key):
        data = get(client, "/rag/stats", key)["data"]

        assert (data["total_documents"], data["avg_chunk_size"], data["last_updated"]) == (0, 0, None)
        assert not Collection.objects.exists()

    def test_health_says_when_a_document_failed_or_waits_for_a_worker(self, client, key):
        document = add()
        assert get(client, "/rag/stats", key)["data"]["collection_health"] == "healthy"
        Document.objects.filter(pk=document.pk).update(state="failed")
        assert get(client, "/rag/stats", key)["data"]["collection_health"] == "degraded"
        Document.objects.filter(pk=document.pk).update(state="queued", not_before="2026-01-01T00:00Z")
        assert get(client, "/rag/stats", key)["data"]["collection_health"] == "degraded"

    def test_transcripts_and_strangers_are_not_counted(self, client, key, stranger):
        add()
        interviews = make_collection(slug="interviews-1")
        read_document(add_document(interviews, title="", filename="t.txt", content=b"Private.").pk)

        assert get(client, "/rag/stats", key)["data"]["total_documents"] == 1
        assert get(client, "/rag/stats", stranger)["data"]["total_documents"] == 0
        assert [row["filename"] for row in get(client, "/rag/documents", key)["data"]] == ["a.txt"]

    def test_it_costs_the_same_queries_for_any_number_of_documents(
        self, client, key, django_assert_max_num_queries
    ):
        for number in range(12):
            add(f"{number}.txt", b"Text number %d." % number)
        with django_assert_max_num_queries(6):
            get(client, "/rag/stats", key)


class TestList:
    def test_an_item_has_the_fields_of_both_readers(self, client, key):
        document = add("report.pdf", files.pdf("Page one", "Page two"))
        (item,) = get(client, "/rag/documents", key)["data"]

        assert item["id"] == str(document.pk)
        assert (item["filename"], item["content_type"]) == ("report.pdf", "application/pdf")
        assert item["size"] == item["file_size"] == document.size_bytes
        assert (item["chunks"], item["status"], item["is_active"], item["error"]) == (
            2,
            "processed",
            True,
            None,
        )
        assert item["uploaded_at"].endswith("Z")
        assert item["indexed_at"].endswith("Z")
        assert item["metadata"]["total_pages"] == 2
        assert item["progress"]["percent"] == 100

    def test_a_refused_one_says_why(self, client, key):
        add("a.pdf", files.pdf("x", password="pw"))
        (item,) = get(client, "/rag/documents", key)["data"]

        assert (item["status"], item["is_active"], item["indexed_at"]) == ("failed", False, None)
        assert "encrypted" in item["error"]

    def test_one_that_is_being_read_says_how_far(self, client, key):
        document = add()
        Document.objects.filter(pk=document.pk).update(
            state="reading", progress_percent=37, units_done=740, units_total=2000, unit="pages"
        )
        (item,) = get(client, "/rag/documents", key)["data"]

        assert item["status"] == "processing"
        assert item["progress"] == {"percent": 37, "done": 740, "total": 2000, "unit": "pages"}

    def test_pages_have_totals_in_both_forms(self, client, key):
        for number in range(5):
            add(f"{number}.txt", b"Text number %d." % number)
        body = get(client, "/rag/documents?page=2&per_page=2", key)

        assert [row["filename"] for row in body["data"]] == ["2.txt", "1.txt"]
        pagination = body["pagination"]
        assert (pagination["page"], pagination["per_page"]) == (2, 2)
        assert (pagination["total"], pagination["pages"]) == (5, 3)
        assert (body["total"], body["page"], body["per_page"], body["pages"]) == (5, 2, 2, 3)

    def test_a_cursor_goes_on_where_a_page_ended(self, client, key):
        for number in range(5):
            add(f"{number}.txt", b"Text number %d." % number)
        first = get(client, "/rag/documents?per_page=2", key)
        add("newest.txt", b"It came meanwhile.")
        second = get(client, f"/rag/documents?limit=2&cursor={first['pagination']['next']}", key)
        third = get(client, f"/rag/documents?limit=2&cursor={second['pagination']['next']}", key)

        names = [row["filename"] for body in (first, second, third) for row in body["data"]]
        assert names == ["4.txt", "3.txt", "2.txt", "1.txt", "0.txt"]
        assert third["pagination"]["next"] is None

    @pytest.mark.parametrize(
        "query", ["page=0", "page=x", "per_page=101", "per_page=0", "cursor=x", "page=99999999"]
    )
    def test_what_makes_no_page_is_400(self, client, key, query):
        add()
        assert client.get(f"/rag/documents?{query}", headers=key).status_code == 400

    def test_it_costs_the_same_queries_for_any_number_of_documents(
        self, client, key, django_assert_max_num_queries
    ):
        for number in range(12):
            add(f"{number}.txt", b"Text number %d." % number)
        with django_assert_max_num_queries(5):
            get(client, "/rag/documents?per_page=12", key)


class TestDelete:
    def test_by_name(self, client, key):
        document = add()
        body = client.delete("/rag/documents/a.txt", headers=key).json()

        assert body["data"] == {
            "filename": "a.txt",
            "documents_removed": 1,
            "chunks_removed": 1,
            "size_freed": document.size_bytes,
        }
        assert get(client, "/rag/stats", key)["data"]["total_documents"] == 0
        assert AuditEntry.objects.get().action == "delete document"

    def test_by_id(self, client, key):
        document = add("a name.txt")

        assert client.delete(f"/rag/documents/{document.pk}", headers=key).status_code == 200
        assert not Document.objects.exists()

    def test_a_name_that_looks_like_an_id_is_a_name_first(self, client, key):
        document = add()
        named = add(str(document.pk), b"Its name is an id.")
        client.delete(f"/rag/documents/{document.pk}", headers=key)

        assert [d.pk for d in Document.objects.all()] == [document.pk]
        assert named.pk != document.pk

    def test_a_name_that_a_client_encoded_twice(self, client, key):
        add("a b.txt")

        assert client.delete("/rag/documents/a%2520b.txt", headers=key).status_code == 200

    @pytest.mark.parametrize("name", ["no.txt", "%01", "%ff", "..%2F..", "x" * 2000])
    def test_unknown_names_are_404(self, client, key, name):
        add()
        response = client.delete(f"/rag/documents/{name}", headers=key)

        assert (response.status_code, response.json()["error"]["code"]) == (404, "NOT_FOUND")
        assert Document.objects.count() == 1

    def test_a_strangers_document_is_not_there_by_name_or_id(self, client, key, stranger):
        document = add()

        for name in ("a.txt", document.pk):
            assert client.delete(f"/rag/documents/{name}", headers=stranger).status_code == 404
        assert get(client, "/rag/documents", stranger)["data"] == []
        assert Document.objects.exists()

    def test_a_transcript_cannot_be_removed_here(self, client, key):
        add()
        interviews = make_collection(slug="interviews-1")
        transcript = add_document(interviews, title="", filename="t.pdf", content=b"Private.")

        for name in ("t.pdf", transcript.pk):
            assert client.delete(f"/rag/documents/{name}", headers=key).status_code == 404


def test_every_path_asks_for_a_key_with_the_scope(client):
    other = bearer(make_key(scopes=["crm"]))
    for path in ("/rag/stats", "/rag/documents"):
        assert client.get(path).status_code == 401
        assert client.get(path, headers=other).status_code == 403
    assert client.delete("/rag/documents/a.txt").status_code == 401
    assert client.delete("/rag/documents/a.txt", headers=other).status_code == 403


class TestReaders:
    def test_assistants_read_the_documents_and_no_transcripts(self):
        account = make_account()
        documents = documents_collection(account)
        make_collection(account, slug="interviews-1")
        documents_collection(make_account("other"))
        assistant = make_persona(account, kind="assistant")

        assert readable_collections(account, persona=assistant) == [documents]
        assert readable_collections(account, persona=make_persona(account)) == []

    def test_a_linked_collection_is_read_too_and_once(self, django_assert_num_queries):
        account = make_account()
        documents = documents_collection(account)
        interviews = make_collection(account, slug="interviews-1")
        assistant = make_persona(account, kind="assistant")
        interviews.personas.add(assistant)
        documents.personas.add(assistant)
        with django_assert_num_queries(1):
            found = readable_collections(account, persona=assistant)

        assert set(found) == {documents, interviews}

    def test_a_collection_that_staff_named_so_before_stays_closed(self):
        account = make_account()
        make_collection(account, slug="documents", name="Board papers")
        documents_collection(account)

        assert readable_collections(account, persona=make_persona(account, kind="assistant")) == []
