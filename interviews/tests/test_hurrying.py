"""An interview is processed as soon as its document is read, not at the next look."""

from datetime import timedelta

import pytest
from django.utils import timezone

from interviews import processing, steps
from interviews.models import ProcessingStep
from interviews.tests.holding import hold
from knowledge.ingestion import read_document
from knowledge.models import Document
from knowledge.signals import document_settled

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_folders(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    settings.MEDIA_ROOT = tmp_path / "files"
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": "config.storage.PrivateFolderStorage"}}


@pytest.fixture
def waiting():
    """An interview whose document waits to be read, and would be looked at again in an hour."""
    interview = hold()
    processing.run(interview.pk)
    later = timezone.now() + timedelta(hours=1)
    assert ProcessingStep.objects.filter(interview=interview, state="waiting").update(not_before=later) == 1
    interview.refresh_from_db()
    return interview


def test_the_document_that_is_read_finishes_its_interview(waiting, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        read_document(waiting.document_id)
    waiting.refresh_from_db()
    assert waiting.state == "processed"


def test_a_document_that_cannot_be_read_fails_it_at_once(waiting, django_capture_on_commit_callbacks):
    Document.objects.update(given_sections=[])
    with django_capture_on_commit_callbacks(execute=True):
        read_document(waiting.document_id)
    waiting.refresh_from_db()
    assert waiting.state == "failed"
    assert "no text" in waiting.steps.get(name="knowledge").error


def test_a_document_that_settles_while_the_step_goes_to_wait_is_not_missed(
    monkeypatch, django_capture_on_commit_callbacks
):
    real = steps.WORK["knowledge"]

    def reads_between(interview, step):
        monkeypatch.setitem(steps.WORK, "knowledge", real)
        with pytest.raises(steps.NotYet) as looked:
            real(interview, step)
        read_document(looked.value.result["document"])
        raise looked.value

    monkeypatch.setitem(steps.WORK, "knowledge", reads_between)
    interview = hold()
    with django_capture_on_commit_callbacks(execute=True):
        processing.run(interview.pk)
    interview.refresh_from_db()
    assert interview.state == "processed"


def test_a_document_of_no_interview_hurries_nobody(waiting):
    other = Document.objects.create(collection=waiting.document.collection, checksum="x", title="Other")
    assert not processing.hurry(other.pk)


def test_reading_again_what_is_read_says_nothing(waiting, django_capture_on_commit_callbacks):
    heard = []

    def hear(sender, document_id, **_):
        heard.append(document_id)

    document_settled.connect(hear)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            read_document(waiting.document_id)
            read_document(waiting.document_id)
    finally:
        document_settled.disconnect(hear)
    assert heard == [waiting.document_id]
