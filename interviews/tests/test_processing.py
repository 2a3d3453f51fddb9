from datetime import timedelta

import pypdfium2
import pytest
from django.core.files.storage import default_storage
from django.utils import timezone

from interviews import processing, starting, steps, tasks
from interviews.models import Answer, Interview, ProcessingStep
from interviews.tests.holding import ANSWERS, begin, hold, say
from knowledge.ingestion import read_document
from knowledge.models import Chunk, Document
from tests.factories import make_guide

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_folders(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    settings.MEDIA_ROOT = tmp_path / "files"
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": "config.storage.PrivateFolderStorage"}}


def run_to_the_end(interview):
    processing.run(interview.pk)
    for document in Document.objects.filter(state="queued"):
        read_document(document.pk)
    ProcessingStep.objects.filter(state="waiting").update(not_before=timezone.now())
    processing.run(interview.pk)
    interview.refresh_from_db()
    return interview


def states(interview):
    return list(interview.steps.values_list("state", flat=True))


def test_an_interview_becomes_a_pdf_in_the_storage_and_a_document_in_the_knowledge():
    interview = run_to_the_end(hold())

    assert (interview.state, states(interview)) == ("processed", ["done"] * 3)
    assert interview.pdf.name == f"interviews/{interview.account_id}/{interview.pk}.pdf"
    with default_storage.open(interview.pdf.name) as stored:
        assert len(pypdfium2.PdfDocument(stored.read())) == interview.pdf_pages
    assert interview.document.state == "ready"
    assert interview.document.origin_link == "admin:interviews_interview_transcript"
    chunk = Chunk.objects.get(document=interview.document, text__contains="paper diary")
    assert chunk.locator == {"messages": [4]}
    assert "Which tools" in chunk.text
    assert "Ada Lovelace answered" in chunk.text
    assert interview.guide.__class__.objects.get().collection == interview.document.collection
    assert not steps.spool_file(interview.pk).exists()


@pytest.mark.django_db(transaction=True)
def test_the_end_of_the_talk_alone_sets_it_going():
    interview = begin()
    for answer in ANSWERS:
        say(interview, answer)
    interview.refresh_from_db()
    assert interview.pdf
    assert Document.objects.get().state == "ready"
    ProcessingStep.objects.filter(state="waiting").update(not_before=timezone.now())
    tasks.sweep()
    interview.refresh_from_db()
    assert interview.state == "processed"


def test_an_end_nobody_heard_is_found_by_the_sweep():
    interview = hold()
    Interview.objects.filter(pk=interview.pk).update(state="started")
    ProcessingStep.objects.all().delete()
    tasks.sweep()
    assert Interview.objects.get(pk=interview.pk).state == "completed"
    assert interview.steps.count() == 3


def test_noticed_twice_it_is_completed_once():
    interview = hold()
    assert not processing.finish(interview.conversation_id)
    assert interview.steps.count() == 3


def test_whoever_stops_after_an_answer_has_completed_it():
    interview = hold(answers=[ANSWERS[0], "I'd like to stop"])
    assert interview.state == "completed"
    assert Answer.objects.get().question_key == "role"


def test_whoever_stops_before_any_answer_has_declined():
    interview = hold(answers=["I'd like to stop"])
    assert interview.state == "declined"
    assert not interview.steps.exists()


def test_a_worker_that_dies_between_steps_leaves_work_that_another_finishes_once():
    interview = hold()
    pdf, storage, _knowledge = interview.steps.all()
    processing.run_step(pdf.pk)
    claimed = processing._claim(storage.pk)  # and the worker is killed here
    assert not processing.run_step(storage.pk)

    ProcessingStep.objects.filter(pk=storage.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert processing.due_interviews() == [interview.pk]
    run_to_the_end(interview)

    assert interview.state == "processed"
    assert ProcessingStep.objects.get(pk=pdf.pk).attempts == 1
    assert ProcessingStep.objects.get(pk=storage.pk).attempts == 2
    assert Document.objects.count() == 1
    assert not processing._move(claimed, "failed", error="too late")


def test_a_worker_that_dies_after_the_upload_makes_no_second_object():
    interview = hold()
    pdf, storage, _knowledge = interview.steps.all()
    processing.run_step(pdf.pk)
    claimed = processing._claim(storage.pk)
    steps.store(interview, claimed)
    ProcessingStep.objects.filter(pk=storage.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    run_to_the_end(interview)
    folder = f"interviews/{interview.account_id}"
    assert default_storage.listdir(folder)[1] == [f"{interview.pk}.pdf"]


def test_a_worker_that_dies_after_the_document_makes_no_second_one():
    interview = hold()
    pdf, storage, knowledge = interview.steps.all()
    processing.run_step(pdf.pk)
    processing.run_step(storage.pk)
    claimed = processing._claim(knowledge.pk)
    with pytest.raises(steps.NotYet):
        steps.remember(Interview.objects.get(pk=interview.pk), claimed)
    ProcessingStep.objects.filter(pk=knowledge.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    run_to_the_end(interview)
    assert interview.state == "processed"
    assert Document.objects.count() == 1


def test_storage_on_another_machine_renders_the_same_pdf_again():
    interview = hold()
    pdf, storage, _knowledge = interview.steps.all()
    processing.run_step(pdf.pk)
    first = steps.spool_file(interview.pk).read_bytes()
    steps.spool_file(interview.pk).unlink()
    processing.run_step(storage.pk)
    with default_storage.open(steps.storage_key(interview)) as stored:
        assert stored.read() == first


def test_a_step_whose_worker_always_dies_gives_up_with_a_reason_and_can_be_repeated():
    interview = hold()
    pdf = interview.steps.first()
    expired = {"state": "running", "lease_until": timezone.now() - timedelta(seconds=1)}
    ProcessingStep.objects.filter(pk=pdf.pk).update(attempts=processing.MOST_ATTEMPTS, **expired)

    assert not processing.run_step(pdf.pk)
    interview.refresh_from_db()
    pdf.refresh_from_db()
    assert (interview.state, pdf.state) == ("failed", "failed")
    assert "worker died" in pdf.error

    assert processing.retry(interview)
    assert not processing.retry(interview)
    assert run_to_the_end(interview).state == "processed"


def test_one_poison_interview_does_not_hold_up_the_next():
    guide = make_guide()
    bad, good = hold(guide), hold(guide)
    Interview.objects.filter(pk=bad.pk).update(frozen_guide={"brief": "nonsense"})
    tasks.sweep()
    bad.refresh_from_db()
    good.refresh_from_db()
    assert "InvalidBrief" in bad.steps.first().error
    assert bad.steps.first().state == "waiting"
    assert good.pdf


def test_a_document_that_cannot_be_read_fails_the_step_with_its_reason():
    interview = hold()
    processing.run(interview.pk)
    Document.objects.update(state="failed", reason="It could not be read.")
    ProcessingStep.objects.filter(state="waiting").update(not_before=timezone.now())
    processing.run(interview.pk)

    interview.refresh_from_db()
    assert interview.state == "failed"
    assert "could not be read" in interview.steps.last().error

    processing.retry(interview)
    assert run_to_the_end(interview).state == "processed"
    assert list(interview.steps.values_list("attempts", flat=True))[:2] == [1, 1]


def test_repeating_a_done_step_repeats_what_is_made_from_it():
    interview = run_to_the_end(hold())
    assert processing.repeat(interview.steps.get(name="storage"))
    assert states(interview) == ["done", "waiting", "waiting"]
    assert run_to_the_end(interview).state == "processed"
    assert Document.objects.count() == 1


def test_a_corrected_interview_replaces_its_pdf_and_its_document():
    interview = run_to_the_end(hold())
    starting.reopen_for_correction(interview.pk)
    say(interview, "I want to change my answer to the second question: I use a planning board.")
    interview.refresh_from_db()
    assert interview.state == "completed"

    run_to_the_end(interview)
    assert interview.state == "processed"
    assert Document.objects.count() == 1
    assert Chunk.objects.filter(text__contains="planning board").exists()
    assert not Chunk.objects.filter(text__contains="paper diary").exists()


def test_each_pause_is_longer_and_none_is_too_long():
    pauses = [processing.pause_after(attempt) for attempt in (1, 4, 7, 30)]
    assert pauses == sorted(pauses)
    assert pauses[-1] <= processing.LONGEST_PAUSE * 1.2
