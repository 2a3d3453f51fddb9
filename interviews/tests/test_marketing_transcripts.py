"""/interview/process, /knowledge-base/… and presigned addresses: what comes of an interview."""

import json
import urllib.error
import urllib.request
from datetime import timedelta

import boto3
import pytest
from django.test import Client
from django.utils import timezone
from moto.server import ThreadedMotoServer

from interviews.models import Interview
from interviews.tests.holding import begin, hold, say
from interviews.tests.test_processing import run_to_the_end
from knowledge.models import Collection
from tests.factories import bearer, make_account, make_contact, make_guide, make_key

EMAIL = "ada@example.com"
BUCKET = "transcripts"
BODY = {"user_id": "acme", "email": EMAIL}


@pytest.fixture(autouse=True)
def _own_folders(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    settings.MEDIA_ROOT = tmp_path / "files"
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": "config.storage.PrivateFolderStorage"}}


@pytest.fixture
def guide(db):
    return make_guide(make_account("acme"))


@pytest.fixture
def api(guide):
    return Client(headers=bearer(make_key(guide.account)), raise_request_exception=False)


@pytest.fixture
def processed(guide):
    return run_to_the_end(hold(guide, make_contact(guide.account, email=EMAIL)))


def post(api, path, body=BODY):
    return api.post(path, json.dumps(body), content_type="application/json")


# --- processing -------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_processing_gives_both_documented_forms(api, guide):
    run_to_the_end(hold(guide, make_contact(guide.account, email=EMAIL)))
    done = post(api, "/interview/process").json()

    assert done["workflow_completed"] is True
    assert done["session_id"] == "acme+ada@example.com"
    assert done["interview_token"] == "acme-ada@example.com"
    result = done["processing_result"]
    assert result["pdf_generated"] is result["kb_trained"] is result["s3_upload_success"] is True
    assert result["chat_messages_count"] == done["step_1_chat_history"]["messages_count"] == 7
    assert result["pdf_size_bytes"] == done["step_3_pdf_creation"]["pdf_size_bytes"] > 1000
    assert result["train_response"]["passages"] >= 2
    assert done["step_2_categorization"]["categorization"]["category"] == "General Discussion"
    assert done["step_4_s3_upload"]["s3_url"] == result["pdf_s3_url"]
    assert done["step_4_s3_upload"]["error"] is None


@pytest.mark.django_db(transaction=True)
def test_processing_twice_makes_one_pdf_and_one_document(api, guide):
    interview = run_to_the_end(hold(guide, make_contact(guide.account, email=EMAIL)))
    first, again = [post(api, "/interview/process").json() for _ in range(2)]

    assert first["processing_result"] == again["processing_result"]
    assert first["processing_result"]["train_response"]["document_id"] == str(interview.document_id)
    assert list(interview.steps.values_list("attempts", flat=True)) == list(
        Interview.objects.get().steps.values_list("attempts", flat=True)
    )


@pytest.mark.django_db(transaction=True)
def test_an_interview_under_way_is_ended_and_the_wait_is_bounded(api, guide, monkeypatch):
    monkeypatch.setattr("interviews.api.marketing.processing.PATIENCE", 0.3)
    monkeypatch.setattr("interviews.processing.wake", lambda interview_id: None)  # no worker today
    interview = begin(guide, make_contact(guide.account, email=EMAIL))
    say(interview, "I am a nurse on a busy children's ward and plan the shifts.")
    answer = post(api, "/interview/process")

    assert answer.status_code == 200
    assert answer.json()["workflow_completed"] is False
    assert answer.json()["processing_result"]["kb_trained"] is False
    interview.refresh_from_db()
    assert interview.state == "completed"


@pytest.mark.django_db(transaction=True)
def test_a_rag_id_names_the_knowledge_base(api, guide):
    interview = begin(guide, make_contact(guide.account, email=EMAIL))
    say(interview, "I am a nurse on a busy children's ward and plan the shifts.")
    post(api, "/interview/process", {**BODY, "rag_id": "rag789"})
    run_to_the_end(interview)

    assert post(api, "/interview/process").json()["processing_result"]["rag_id"] == "rag789"
    assert interview.document.collection == Collection.objects.get(slug="rag789", account=guide.account)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["/interview/process", "/interview/kb-training"])
def test_nobody_is_a_404_and_nothing_said_a_400(api, guide, path):
    assert post(api, path).status_code == 404
    begin(guide, make_contact(guide.account, email=EMAIL))
    assert post(api, path).status_code == 400
    assert post(api, path, {"user_id": "acme"}).status_code == 422
    assert post(api, path, {**BODY, "email": "nonsense"}).status_code == 422
    stranger = Client(headers=bearer(make_key(make_account("other"))))
    assert post(stranger, path).status_code == 404


@pytest.mark.django_db(transaction=True)
def test_training_tells_that_the_knowledge_base_has_it(api, guide):
    run_to_the_end(hold(guide, make_contact(guide.account, email=EMAIL)))
    trained = post(api, "/interview/kb-training").json()

    assert trained["training_success"] is True
    assert trained["training_error"] is None
    assert trained["chat_messages_processed"] == 7
    assert trained["text_content_length"] > 200
    assert trained["rag_id"]


# --- the lists --------------------------------------------------------------------------------


def test_the_transcripts_of_an_account_are_listed(api, processed):
    listed = api.get("/knowledge-base/pdfs/acme").json()
    item = listed["pdfs"][0]

    assert (listed["user_id"], listed["pdf_count"]) == ("acme", 1)
    assert (item["email"], item["session_id"]) == (EMAIL, "acme+ada@example.com")
    assert (item["type"], item["kb_trained"], item["message_count"]) == ("interview", True, 3)
    assert item["category"] == "General Discussion"
    assert item["title"] == "How people work"
    assert "Spreadsheets" in item["subheading"] or "nurse" in item["subheading"]
    assert item["signed_url_expires_at"].endswith("Z")


def test_they_are_listed_by_heading_too(api, processed):
    assert api.get("/knowledge-base/pdfs-categorized/acme").json()["total_pdfs"] == 1
    headings = api.get("/knowledge-base/categories/acme").json()["categories"]
    assert [(one["category"], one["count"]) for one in headings] == [("General Discussion", 1)]
    found = api.get("/knowledge-base/pdfs/acme/category/General%20Discussion").json()
    assert (found["category"], found["pdf_count"]) == ("General Discussion", 1)
    assert api.get("/knowledge-base/pdfs/acme/category/100%25").json()["pdf_count"] == 0


def test_the_lists_cost_the_same_queries_however_long_they_are(api, guide, processed):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def queries(path):
        with CaptureQueriesContext(connection) as found:
            assert api.get(path).status_code == 200
        return len(found)

    paths = ("/knowledge-base/pdfs/acme", "/chat/sessions/acme", "/interview/status/acme")
    queries(paths[0])  # notes that the key was used
    few = [queries(path) for path in paths]
    for _ in range(3):
        run_to_the_end(hold(guide))
    assert [queries(path) for path in paths] == few


# --- addresses that open ----------------------------------------------------------------------


def inside(address):
    return address.removeprefix("http://testserver")


def test_in_the_data_folder_a_signed_address_opens_the_pdf_while_it_lasts(api, processed):
    item = api.get("/knowledge-base/pdfs/acme").json()["pdfs"][0]
    opened = Client().get(inside(item["signed_url"]))

    assert opened.status_code == 200
    assert b"".join(opened.streaming_content).startswith(b"%PDF")
    assert "no-store" in opened.headers["Cache-Control"]
    assert Client().get(inside(item["signed_url"])[:-3] + "abc").status_code == 404
    assert Client().get(inside(item["pdf_url"])).status_code == 404


def test_a_signed_address_ends(api, processed, monkeypatch):
    signed = api.get(f"/knowledge-base/pdfs/{processed.pk}/signed-url").json()["signed_url"]
    later = timezone.now() + timedelta(hours=2, minutes=1)
    monkeypatch.setattr("interviews.pdf_links.timezone.now", lambda: later)
    assert Client().get(inside(signed)).status_code == 404


def test_a_recorded_address_is_presigned_for_the_hours_asked_for(api, processed):
    url = api.get("/knowledge-base/pdfs/acme").json()["pdfs"][0]["pdf_url"]
    signed = api.get("/s3/presigned-url", {"s3_url": url, "expiration_hours": 24}).json()

    assert signed["original_s3_url"] == url
    assert signed["expires_in_hours"] == 24
    opened = Client().get(inside(signed["presigned_url"]))
    assert opened.status_code == 200
    opened.close()


@pytest.mark.parametrize(("hours", "status"), [(0, 400), (25, 400), (-1, 400), ("x", 422), (24, 200)])
def test_the_hours_are_1_to_24(api, processed, hours, status):
    url = api.get("/knowledge-base/pdfs/acme").json()["pdfs"][0]["pdf_url"]
    asked = api.get("/s3/presigned-url", {"s3_url": url, "expiration_hours": hours})
    assert asked.status_code == status


def test_only_what_is_recorded_for_the_caller_is_signed(api, processed):
    url = api.get("/knowledge-base/pdfs/acme").json()["pdfs"][0]["pdf_url"]
    other = f"http://testserver/s3/interviews/{processed.account_id}/../../secret.pdf"
    for wrong in ("http://evil/other/secret-key", url + "x", url.replace("testserver", "evil"), other, "x"):
        assert api.get("/s3/presigned-url", {"s3_url": wrong}).status_code == 404
    stranger = Client(headers=bearer(make_key(make_account("other"))))
    assert stranger.get("/s3/presigned-url", {"s3_url": url}).status_code == 404
    assert api.get("/s3/presigned-url").status_code == 422


STRANGERS = [
    "/knowledge-base/pdfs/acme",
    "/knowledge-base/pdfs-categorized/acme",
    "/knowledge-base/categories/acme",
    "/knowledge-base/pdfs/acme/category/General%20Discussion",
    "/knowledge-base/pdfs/{pk}/signed-url",
]


@pytest.mark.parametrize("path", STRANGERS)
def test_another_account_is_told_404_and_nobody_401(processed, path):
    stranger = Client(headers=bearer(make_key(make_account("other"))))
    assert stranger.get(path.format(pk=processed.pk)).status_code == 404
    assert Client().get(path.format(pk=processed.pk)).status_code == 401


# --- the same in S3 ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def endpoint():
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def _in_s3(settings, endpoint):
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    boto3.client("s3", endpoint_url=endpoint, **keys).create_bucket(Bucket=BUCKET)
    settings.AWS_STORAGE_BUCKET_NAME, settings.AWS_S3_ENDPOINT_URL = BUCKET, endpoint
    options = {"bucket_name": BUCKET, "endpoint_url": endpoint, "querystring_auth": True}
    options |= {"access_key": "test", "secret_key": "test", "region_name": "us-east-1"}
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "config.storage.PatientS3Storage", "OPTIONS": options},
    }


@pytest.mark.usefixtures("_in_s3")
def test_in_s3_the_address_is_the_stores_own_and_opens_only_when_signed(api, guide, endpoint):
    run_to_the_end(hold(guide, make_contact(guide.account, email=EMAIL)))
    item = api.get("/knowledge-base/pdfs/acme").json()["pdfs"][0]
    asked = api.get("/s3/presigned-url", {"s3_url": item["pdf_url"], "expiration_hours": 2}).json()

    assert item["pdf_url"].startswith(f"{endpoint}/{BUCKET}/interviews/")
    for address in (item["signed_url"], asked["presigned_url"]):
        assert "X-Amz-Expires=7200" in address
        with urllib.request.urlopen(address, timeout=10) as opened:
            assert opened.read(5) == b"%PDF-"
