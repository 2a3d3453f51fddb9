"""The knowledge API: documents in, questions answered, strangers get 404."""

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from knowledge.models import Collection, Document, Question
from knowledge.tests import files
from knowledge.tests.shelves import add_text, handbook
from knowledge.tests.streams import streamed
from tests.factories import bearer, make_account, make_collection, make_key

pytestmark = pytest.mark.django_db(transaction=True)
API = "/api/v1/knowledge"


@pytest.fixture
def key():
    return bearer(make_key())


@pytest.fixture
def stranger():
    return bearer(make_key(make_account("stranger")))


def post(client, path, body, headers, **more):
    return client.post(
        f"{API}/{path}", json.dumps(body), content_type="application/json", headers={**headers, **more}
    )


def upload(client, headers, collection, content=b"Invoices are sent on Fridays.", name="a.txt", **fields):
    body = {"file": SimpleUploadedFile(name, content), "collection": collection, **fields}
    return client.post(f"{API}/documents", body, headers=headers)


class TestAsk:
    def test_an_answer_with_citations(self, client, key):
        handbook()
        response = post(client, "ask", {"question": "When are invoices sent?"}, key)

        assert response.status_code == 200
        data = response.json()["data"]
        assert data["answered"] is True
        assert "last Friday" in data["answer"]
        assert data["citations"][0]["document"] == "Handbook"
        assert Question.objects.get().asked_by == "test"

    def test_the_time_it_took_to_find_passages_is_told(self, client, key):
        handbook()
        body = post(client, "ask", {"question": "When are invoices sent?"}, key).json()

        assert body["metadata"]["processing_details"]["rag_retrieval_time"] > 0

    def test_the_same_as_a_stream_of_events(self, client, key):
        handbook()
        headers = {**key, "Accept": "text/event-stream"}
        response, body = streamed(
            f"{API}/ask", json.dumps({"question": "When are invoices sent?"}), headers=headers
        )

        assert response["Content-Type"].startswith("text/event-stream")
        frames = body.strip().split("\n\n")
        events = [dict(line.split(": ", 1) for line in frame.split("\n")) for frame in frames]
        assert [event["event"] for event in events[-2:]] == ["citations", "done"]
        said = "".join(json.loads(event["data"])["text"] for event in events if event["event"] == "delta")
        assert said.strip() == json.loads(events[-1]["data"])["answer"]

    def test_only_the_named_collections_are_searched(self, client, key):
        handbook()
        make_collection(slug="empty")

        assert (
            post(client, "ask", {"question": "invoices?", "collections": ["empty"]}, key).json()["data"][
                "answered"
            ]
            is False
        )

    def test_a_collection_that_staff_may_not_read_is_not_searched_unless_named(self, client, key):
        handbook(slug="closed", staff_may_read=False)

        assert not post(client, "ask", {"question": "When are invoices sent?"}, key).json()["data"][
            "answered"
        ]

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"question": ""},
            {"question": "   "},
            {"question": 7},
            {"question": "x" * 2_001},
            {"question": "a", "collections": "all"},
            {"question": "a", "collections": [1]},
            {"question": "a", "collections": ["x"] * 101},
            [],
            "text",
            {"question": "a\x00b"},
        ],
    )
    def test_bad_bodies_are_400(self, client, key, body):
        response = post(client, "ask", body, key)

        assert response.status_code == 400
        assert response.json()["error"]["code"] == "VALIDATION_ERROR"

    def test_a_body_that_is_not_json_is_400(self, client, key):
        assert client.post(f"{API}/ask", "{", content_type="application/json", headers=key).status_code == 400

    def test_a_strangers_collection_is_404(self, client, stranger):
        handbook(slug="handbook")

        assert (
            post(client, "ask", {"question": "a", "collections": ["handbook"]}, stranger).status_code == 404
        )

    def test_it_asks_for_a_key_with_the_scope(self, client):
        assert post(client, "ask", {"question": "a"}, {}).status_code == 401
        assert post(client, "ask", {"question": "a"}, bearer(make_key(scopes=["crm"]))).status_code == 403

    def test_only_post_is_answered(self, client, key):
        assert client.get(f"{API}/ask", headers=key).status_code == 405


class TestRating:
    def test_thumbs_are_stored(self, client, key):
        question = Question.objects.create(account=make_account(), text="?")
        response = post(client, f"questions/{question.pk}/rating", {"thumbs": -1, "comment": "No."}, key)

        question.refresh_from_db()
        assert (response.status_code, question.thumbs, question.comment) == (200, -1, "No.")

    @pytest.mark.parametrize("body", [{}, {"thumbs": 2}, {"thumbs": 1, "comment": "x" * 2_001}])
    def test_other_ratings_are_400(self, client, key, body):
        question = Question.objects.create(account=make_account(), text="?")

        assert post(client, f"questions/{question.pk}/rating", body, key).status_code == 400

    def test_a_strangers_question_is_404(self, client, stranger):
        question = Question.objects.create(account=make_account(), text="?")

        assert post(client, f"questions/{question.pk}/rating", {"thumbs": 1}, stranger).status_code == 404


class TestCollections:
    def test_made_and_listed(self, client, key):
        made = post(client, "collections", {"slug": "hr", "name": "HR"}, key)
        make_collection(make_account("stranger"))

        assert made.status_code == 201
        listed = client.get(f"{API}/collections", headers=key).json()["data"]
        assert [row["slug"] for row in listed] == ["hr"]

    def test_a_slug_is_given_once(self, client, key):
        post(client, "collections", {"slug": "hr", "name": "HR"}, key)

        assert post(client, "collections", {"slug": "hr", "name": "HR"}, key).status_code == 409
        assert Collection.objects.count() == 1

    @pytest.mark.parametrize(
        "body", [{}, {"slug": "a b", "name": "x"}, {"slug": "ok", "name": ""}, {"slug": "x" * 101}]
    )
    def test_bad_ones_are_400(self, client, key, body):
        assert post(client, "collections", body, key).status_code == 400


class TestDocuments:
    def test_an_upload_is_read_and_can_be_followed(self, client, key):
        make_collection(slug="hr")
        made = upload(client, key, "hr", title="Rules")
        assert made.status_code == 201

        document = client.get(f"{API}/documents/{made.json()['data']['id']}", headers=key).json()["data"]
        assert (document["title"], document["state"], document["chunk_count"]) == ("Rules", "ready", 1)

    def test_the_same_content_again_is_the_same_document(self, client, key):
        make_collection(slug="hr")
        first, second = upload(client, key, "hr"), upload(client, key, "hr", name="b.txt")

        assert (first.status_code, second.status_code) == (201, 200)
        assert first.json()["data"]["id"] == second.json()["data"]["id"]

    def test_a_hostile_file_says_why_it_was_refused(self, client, key):
        make_collection(slug="hr")
        made = upload(client, key, "hr", files.pdf("x", password="pw"), name="a.pdf").json()["data"]

        document = client.get(f"{API}/documents/{made['id']}", headers=key).json()["data"]
        assert document["state"] == "refused"
        assert "encrypted" in document["reason"]

    def test_what_is_missing_or_wrong_is_400(self, client, key):
        make_collection(slug="hr")

        assert client.post(f"{API}/documents", {"collection": "hr"}, headers=key).status_code == 400
        assert upload(client, key, "hr", content=b"").status_code == 400
        assert upload(client, key, "hr", title="x" * 301).status_code == 400
        assert client.get(f"{API}/documents?state=odd", headers=key).status_code == 400

    def test_too_large_is_413(self, client, key, settings):
        settings.MAX_DOCUMENT_BYTES = 1024 * 1024
        make_collection(slug="hr")

        assert upload(client, key, "hr", content=b"x" * (1024 * 1024 + 1)).status_code == 413

    def test_a_strangers_collection_and_documents_are_404(self, client, stranger):
        document = add_text(make_collection(slug="hr"))

        assert upload(client, stranger, "hr").status_code == 404
        assert client.get(f"{API}/documents?collection=hr", headers=stranger).status_code == 404
        for path in (f"documents/{document.pk}", f"documents/{document.pk}/file"):
            assert client.get(f"{API}/{path}", headers=stranger).status_code == 404
        assert client.delete(f"{API}/documents/{document.pk}", headers=stranger).status_code == 404
        assert client.get(f"{API}/documents", headers=stranger).json()["data"] == []

    def test_the_file_comes_back_as_a_download(self, client, key):
        make_collection(slug="hr")
        made = upload(client, key, "hr", b"<!doctype html><script>alert(1)</script><p>Hello</p>", "page.html")

        response = client.get(f"{API}/documents/{made.json()['data']['id']}/file", headers=key)
        assert response["Content-Disposition"] == 'attachment; filename="page.html"'
        assert response["Content-Type"] == "application/octet-stream"
        assert b"".join(response.streaming_content).startswith(b"<!doctype")

    def test_removing_one_removes_its_passages(self, client, key):
        document = add_text(make_collection(slug="hr"))

        assert client.delete(f"{API}/documents/{document.pk}", headers=key).status_code == 204
        assert client.delete(f"{API}/documents/{document.pk}", headers=key).status_code == 404
        assert not Document.objects.exists()

    def test_lists_page_with_a_constant_number_of_queries(self, client, key, django_assert_max_num_queries):
        collection = make_collection(slug="hr")
        for n in range(30):
            Document.objects.create(collection=collection, title=f"d{n}", checksum=f"{n:064}")
        first = client.get(f"{API}/documents?limit=20", headers=key).json()
        with django_assert_max_num_queries(4):
            rest = client.get(
                f"{API}/documents?limit=20&cursor={first['pagination']['next']}", headers=key
            ).json()

        assert len({row["id"] for row in first["data"] + rest["data"]}) == 30

    def test_a_reader_can_filter_by_state_and_collection(self, client, key):
        collection = make_collection(slug="hr")
        add_text(collection)
        Document.objects.create(collection=collection, title="x", checksum="x", state="failed")

        rows = client.get(f"{API}/documents?collection=hr&state=failed", headers=key).json()["data"]
        assert [row["title"] for row in rows] == ["x"]
