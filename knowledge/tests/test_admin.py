"""Staff upload, follow, ask and look behind the search, in the admin."""

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from config.api.models import AuditEntry
from knowledge.admin.questions import parts_of
from knowledge.models import Document, Question
from knowledge.tests.shelves import add_text, handbook
from knowledge.tests.streams import streamed
from personas.models import Persona
from tests.factories import make_account, make_collection

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def staff(client):
    client.force_login(User.objects.create_superuser("grace"))
    return client


def page(client, name, *args, **query):
    response = client.get(reverse(f"admin:{name}", args=args), query)
    assert response.status_code == 200
    return response.content.decode()


def test_lists_cost_the_same_queries_for_any_number_of_rows(staff, django_assert_max_num_queries):
    for slug in ("one", "two"):
        collection = make_collection(make_account(slug))
        for n in range(15):
            Document.objects.create(collection=collection, title=f"d{n}", checksum=f"{n:064}")
            Question.objects.create(account=collection.account, text=f"q{n}")
    for name in ("document", "collection", "question"):
        page(staff, f"knowledge_{name}_changelist")
        with django_assert_max_num_queries(14):
            page(staff, f"knowledge_{name}_changelist")


def test_an_upload_goes_through_ingestion(staff):
    collection = make_collection()
    assert 'type="file"' in page(staff, "knowledge_document_add")

    body = {"collection": collection.pk, "title": "", "file": SimpleUploadedFile("rules.txt", b"Be kind.")}
    response = staff.post(reverse("admin:knowledge_document_add"), body)

    document = Document.objects.get()
    assert response["Location"] == reverse("admin:knowledge_document_change", args=[document.pk])
    assert (document.title, document.state) == ("rules.txt", "ready")
    assert "rules.txt" in page(staff, "knowledge_document_change", document.pk)


def test_without_a_collection_the_upload_page_says_how_to_make_one(staff):
    html = page(staff, "knowledge_document_add")

    assert 'type="file"' not in html
    assert reverse("admin:knowledge_collection_add") in html


def test_the_only_collection_is_chosen_already(staff):
    one = make_collection()
    assert f'value="{one.pk}" selected' in page(staff, "knowledge_document_add")
    make_collection(one.account, slug="another")
    assert f'value="{one.pk}" selected' not in page(staff, "knowledge_document_add")


def test_states_are_said_in_words(staff):
    document = add_text(make_collection())
    question = Question.objects.create(account=document.collection.account, text="Why?")
    pages = (("document", document.pk, "ready"), ("question", question.pk, "unanswered"))
    for name, pk, code in pages:
        assert f"(&#x27;{code}" not in page(staff, f"knowledge_{name}_change", pk)


def test_an_upload_that_is_refused_says_why(staff):
    body = {"collection": make_collection().pk, "file": SimpleUploadedFile("empty.txt", b"")}
    response = staff.post(reverse("admin:knowledge_document_add"), body)

    assert "The file is empty." in response.content.decode()


def test_a_citation_opens_its_passage_and_the_reading_is_noted(staff):
    document = add_text(make_collection())
    chunk = document.chunks.last()
    html = page(staff, "knowledge_document_passage", document.pk, chunk=chunk.pk)

    assert f'id="chunk-{chunk.pk}" class="knowledge-passage" dir="auto" aria-current="true"' in html
    assert AuditEntry.objects.get(action="read passages").target_id == str(document.pk)


@pytest.mark.parametrize("chunk", ["x", "-1", "9" * 30, "²", "1 OR 1=1"])
def test_an_odd_passage_number_is_no_error(staff, chunk):
    page(staff, "knowledge_document_passage", add_text(make_collection()).pk, chunk=chunk)


def test_the_file_is_downloaded_and_the_download_is_noted(staff):
    document = add_text(make_collection(), "Hello there.")
    response = staff.get(reverse("admin:knowledge_document_file", args=[document.pk]))

    assert b"".join(response.streaming_content) == b"Hello there."
    assert AuditEntry.objects.filter(action="download document").exists()


def test_a_failed_document_is_read_again(staff):
    document = add_text(make_collection())
    Document.objects.update(state="failed")
    staff.post(reverse("admin:knowledge_document_retry", args=[document.pk]))

    document.refresh_from_db()
    assert document.state == "ready"


def test_a_get_never_reads_again(staff):
    document = add_text(make_collection())
    Document.objects.update(state="failed")
    staff.get(reverse("admin:knowledge_document_retry", args=[document.pk]))

    document.refresh_from_db()
    assert document.state == "failed"


def test_the_action_reads_again_what_was_refused(staff):
    document = add_text(make_collection())
    Document.objects.update(state="refused")
    body = {"action": "read_again", "_selected_action": [document.pk]}
    staff.post(reverse("admin:knowledge_document_changelist"), body)

    document.refresh_from_db()
    assert document.state == "ready"


@pytest.mark.parametrize("model", ["document", "collection"])
def test_deleting_takes_the_files_too(staff, model):
    document = add_text(make_collection())
    target = document if model == "document" else document.collection
    name = document.file.name
    staff.post(reverse(f"admin:knowledge_{model}_delete", args=[target.pk]), {"post": "yes"})

    assert not Document.objects.exists()
    assert not document.file.storage.exists(name)


def test_a_question_is_answered_without_javascript(staff):
    collection = handbook()
    html = page(staff, "knowledge_ask")
    assert "Your question" in html
    body = {"question": "When are invoices sent?", "account": collection.account.slug}
    html = staff.post(reverse("admin:knowledge_ask"), body).content.decode()

    assert "last Friday" in html
    assert 'href="#source-1"' in html
    assert reverse("admin:knowledge_document_passage", args=[collection.documents.get().pk]) in html
    assert Question.objects.get().user.username == "grace"


@pytest.mark.parametrize("body", [{}, {"question": " "}, {"question": "a", "account": "nobody"}])
def test_a_question_that_cannot_be_asked_says_why(staff, body):
    handbook()
    html = staff.post(reverse("admin:knowledge_ask"), body).content.decode()

    assert 'role="alert"' in html


def test_the_stream_answers_staff_alone(client):
    handbook()
    body = {"question": "When are invoices sent?", "account": "acme"}
    assert client.post("/knowledge/ask/stream", body).status_code == 404

    grace = User.objects.create_superuser("grace")
    assert "event: done" in streamed("/knowledge/ask/stream", body, user=grace)[1]
    client.force_login(grace)
    assert client.get("/knowledge/ask/stream").status_code == 405
    assert client.post("/knowledge/ask/stream", {}).status_code == 400


def test_the_stream_wants_a_csrf_token(client):
    from django.test import Client

    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.create_superuser("grace"))

    assert strict.post("/knowledge/ask/stream", {"question": "a", "account": "acme"}).status_code == 403


def test_thumbs_are_stored(staff):
    question = Question.objects.create(account=make_account(), text="?")
    staff.post(reverse("admin:knowledge_question_rate", args=[question.pk]), {"thumbs": "-1"})

    question.refresh_from_db()
    assert question.thumbs == -1
    assert "?" in page(staff, "knowledge_question_change", question.pk)


def test_the_retrieval_page_shows_weak_passages_too(staff):
    handbook()
    html = page(staff, "knowledge_retrieval", q="invoices quantum gravity theory")

    assert "knowledge-weak" in html
    assert "invoic, quantum" in html


def test_the_retrieval_page_shows_what_a_model_is_sent(staff):
    handbook()
    html = page(staff, "knowledge_retrieval", q="When are invoices paid?")
    sent = html.partition("What a model is sent")[2]
    assert "You answer questions about documents" in sent
    assert "Passages that were retrieved" in sent
    assert "When are invoices paid?" in sent
    assert not Persona.objects.filter(slug="librarian").exists()  # looking makes nothing
    nothing = page(staff, "knowledge_retrieval", q="quantum gravity")
    assert "Nothing: no passage is good enough" in nothing


@pytest.mark.parametrize(("outcome", "text"), [("answered", "q1"), ("unanswered", "q2"), ("failed", "q3")])
def test_questions_are_filtered_by_outcome(staff, outcome, text):
    account = make_account()
    Question.objects.create(account=account, text="q1", answered=True)
    Question.objects.create(account=account, text="q2")
    Question.objects.create(account=account, text="q3", error_code="timeout")
    html = page(staff, "knowledge_question_changelist", outcome=outcome)

    assert [name for name in ("q1", "q2", "q3") if f">{name}<" in html] == [text]


def test_staff_without_the_permission_get_404(client):
    client.force_login(User.objects.create_user("intern", is_staff=True))
    document = add_text(make_collection())

    for path in (
        reverse("admin:knowledge_ask"),
        reverse("admin:knowledge_retrieval"),
        reverse("admin:knowledge_document_passage", args=[document.pk]),
        reverse("admin:knowledge_document_file", args=[document.pk]),
    ):
        assert client.get(path).status_code == 404


def test_an_answer_is_cut_at_its_marks():
    cited = {"number": 1}

    assert parts_of("One [1] two [2].", [cited]) == [("One", cited), (" two [2].", None)]


def test_no_page_holds_an_inline_script_of_ours(staff):
    handbook()
    for name in ("ask", "retrieval", "document_add"):
        body = page(staff, f"knowledge_{name}").split('id="content"')[1]
        assert "<script>" not in body
        assert " onclick=" not in body


def test_the_list_says_how_far_the_reader_is_and_leaves_out_what_was_replaced(staff):
    document = add_text(make_collection())
    replaced = add_text(make_collection(), text="Old.", title="Replaced", filename="old.txt")
    Document.objects.filter(pk=document.pk).update(
        state="reading", progress_percent=37, units_done=740, units_total=2000, unit="pages"
    )
    Document.objects.filter(pk=replaced.pk).update(superseded_at="2026-01-01T00:00Z")
    page = staff.get("/admin/knowledge/document/").content.decode()

    assert "740 of 2,000 pages" in page
    assert "Replaced" not in page
