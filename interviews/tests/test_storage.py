"""The PDF in a real S3 API, with the faults that object stores have."""

import urllib.request
import uuid

import boto3
import pypdfium2
import pytest
from django.core.files.storage import storages
from django.utils import timezone
from moto.server import ThreadedMotoServer

from config.storage import PatientS3Storage
from interviews import personal_data, processing, steps
from interviews.downloads import pdf_response
from interviews.models import Interview, ProcessingStep
from interviews.tests.holding import hold
from knowledge.ingestion import read_document
from knowledge.models import Document

pytestmark = pytest.mark.django_db
CREDENTIALS = {"access_key": "test", "secret_key": "test", "region_name": "us-east-1"}


@pytest.fixture(scope="module")
def endpoint():
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(endpoint):
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name="us-east-1",
    )
    # One of its own for each test: an upload that was given up may still arrive.
    client.bucket = f"transcripts-{uuid.uuid4()}"
    client.create_bucket(Bucket=client.bucket)
    yield client
    client.close()


@pytest.fixture(autouse=True)
def _stored_in_s3(settings, tmp_path, endpoint, s3):
    settings.DATA_DIR = tmp_path
    options = {"bucket_name": s3.bucket, "endpoint_url": endpoint, "querystring_auth": True, **CREDENTIALS}
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "interviews.tests.test_storage.UnreliableS3", "OPTIONS": options},
    }
    UnreliableS3.faults.clear()
    yield
    UnreliableS3.faults.clear()
    storages["default"].connection.meta.client.close()


class UnreliableS3(PatientS3Storage):
    """The real client against a real API; faults are raised before or after the upload."""

    faults: list = []

    def _save(self, name, content):
        fault = self.faults.pop(0) if self.faults else None
        if fault and fault[0] == "before":
            raise fault[1]
        saved = super()._save(name, content)
        if fault:
            raise fault[1]
        return saved


def objects(s3):
    return [item["Key"] for item in s3.list_objects_v2(Bucket=s3.bucket).get("Contents", [])]


def pdfs(s3):
    return [key for key in objects(s3) if key.startswith("interviews/")]


def run_until_processed(interview):
    for _ in range(6):
        ProcessingStep.objects.filter(state="waiting").update(not_before=timezone.now())
        processing.run(interview.pk)
        for document in Document.objects.filter(state="queued"):
            read_document(document.pk)
    interview.refresh_from_db()
    return interview


def test_the_pdf_is_stored_and_fetched_by_a_short_lived_url_alone(s3):
    interview = run_until_processed(hold())
    assert interview.state == "processed"
    assert pdfs(s3) == [steps.storage_key(interview)]

    response = pdf_response(interview)
    assert response.status_code == 302
    with urllib.request.urlopen(response.url) as answer:
        assert answer.headers["Content-Disposition"].startswith("attachment")
        assert len(pypdfium2.PdfDocument(answer.read())) == interview.pdf_pages
    assert "X-Amz-Expires=300" in response.url


@pytest.mark.parametrize(
    "error", [OSError("503 Service Unavailable"), TimeoutError("timed out"), ConnectionError("reset")]
)
def test_a_store_that_is_away_is_asked_again_later(s3, error):
    UnreliableS3.faults.append(("before", error))
    interview = hold()
    processing.run(interview.pk)

    step = interview.steps.get(name="storage")
    assert (step.state, step.attempts) == ("waiting", 1)
    assert str(error) in step.error
    assert step.not_before > timezone.now()
    assert pdfs(s3) == []

    assert run_until_processed(interview).state == "processed"
    assert interview.steps.get(name="pdf").attempts == 1
    assert interview.steps.get(name="storage").error == ""


def test_an_upload_whose_answer_was_lost_makes_one_object(s3):
    UnreliableS3.faults.append(("after", TimeoutError("no answer")))
    interview = run_until_processed(hold())
    assert interview.state == "processed"
    assert pdfs(s3) == [steps.storage_key(interview)]
    assert Document.objects.count() == 1


def test_a_store_that_stays_away_fails_the_interview_and_it_can_be_repeated(s3):
    UnreliableS3.faults.extend([("before", OSError("503"))] * processing.MOST_ATTEMPTS)
    interview = hold()
    for _ in range(processing.MOST_ATTEMPTS):
        ProcessingStep.objects.filter(state="waiting").update(not_before=timezone.now())
        processing.run(interview.pk)
    interview.refresh_from_db()
    assert interview.state == "failed"
    assert f"Tried {processing.MOST_ATTEMPTS} times" in interview.steps.get(name="storage").error

    assert processing.retry(interview)
    assert run_until_processed(interview).state == "processed"
    assert interview.steps.get(name="pdf").attempts == 1


def test_a_bucket_that_is_not_there_is_named_without_the_key(s3, settings):
    settings.STORAGES["default"]["OPTIONS"]["bucket_name"] = "nowhere"
    settings.STORAGES = {**settings.STORAGES}
    interview = hold()
    processing.run(interview.pk)
    error = interview.steps.get(name="storage").error
    assert "NoSuchBucket" in error
    assert "secret" not in error.lower()


def test_a_forgotten_person_leaves_nothing_behind(s3):
    kept = run_until_processed(hold())
    interview = run_until_processed(hold(kept.guide))
    assert len(pdfs(s3)) == 2

    removed = personal_data.erase(interview.contact)
    assert removed == {"interviews": 1, "answers": 3, "pdfs": 1, "documents": 1}
    assert pdfs(s3) == [steps.storage_key(kept)]
    assert list(Interview.objects.all()) == [kept]
    assert Document.objects.count() == 1
    assert personal_data.erase(interview.contact) == {
        "interviews": 0,
        "answers": 0,
        "pdfs": 0,
        "documents": 0,
    }


def test_a_worker_that_is_at_it_while_the_person_is_forgotten_leaves_nothing_either(s3, monkeypatch):
    interview = hold()
    pdf, storage, _knowledge = interview.steps.all()
    processing.run_step(pdf.pk)

    def store_and_be_forgotten(given, step):
        personal_data.erase(given.contact)
        steps.make_pdf(given, step)
        return steps.store(given, step)

    monkeypatch.setitem(processing.WORK, "storage", store_and_be_forgotten)
    processing.run_step(storage.pk)
    assert objects(s3) == []
    assert not steps.spool_file(interview.pk).exists()


def test_one_talk_alone_can_be_forgotten(s3):
    first = hold()
    second = hold(first.guide, first.contact)
    personal_data.erase(first.contact, second.conversation_id)
    assert list(Interview.objects.all()) == [first]


def test_what_is_held_of_a_person_can_be_collected():
    interview = hold()
    (record,) = personal_data.collect(interview.contact)["interviews"]
    assert record["answers"][2] == {"question": "rating", "kind": "answered", "value": "4", "quote": "4"}
