"""Guides that ask for redaction: the knowledge gets marks, the transcript keeps what was said."""

import pytest
from django.core.files.storage import default_storage
from django.utils import timezone

from crm.models import ContactAddress
from interviews import processing, starting, steps, summarising
from interviews.freezing import frozen_guide
from interviews.guides import change_guide
from interviews.models import Interview, ProcessingStep
from interviews.records import sections_of, transcript_of
from interviews.tests.holding import begin, hold, say
from knowledge.ingestion import read_document
from knowledge.models import Chunk, Document
from tests.factories import make_contact, make_guide

pytestmark = pytest.mark.django_db

SAID = (
    "I am Ada, a nurse on a children's ward; my colleague Grace plans the shifts for twelve people.",
    "Spreadsheets each day. Write to ada@work.example or ring +44 20 7946 0958, or see https://ward.example/x.",
    "4",
)


@pytest.fixture(autouse=True)
def _own_folders(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    settings.MEDIA_ROOT = tmp_path / "files"
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": "config.storage.PrivateFolderStorage"}}


def redacting_guide():
    return change_guide(make_guide(), redacts_personal_data=True)


def run_to_the_end(interview):
    processing.run(interview.pk)
    for document in Document.objects.filter(state="queued"):
        read_document(document.pk)
    ProcessingStep.objects.filter(state="waiting").update(not_before=timezone.now())
    processing.run(interview.pk)
    return Interview.objects.get(pk=interview.pk)


def chunks(interview):
    return list(
        Chunk.objects.filter(document=interview.document).order_by("position").values_list("text", "locator")
    )


def test_what_is_indexed_has_marks_and_still_names_its_message():
    interview = run_to_the_end(hold(redacting_guide(), answers=SAID))
    assert interview.state == "processed"
    work, tools, _rating = chunks(interview)
    assert work == (
        "Your work: What do you do at work?\n[name] answered: I am [name], a nurse on a children's ward; "
        "my colleague Grace plans the shifts for twelve people.",
        {"messages": [2]},
    )
    assert tools[0].endswith(
        "[name] answered: Spreadsheets each day. Write to [email] or ring [phone], or see [link]."
    )
    assert tools[1] == {"messages": [4]}
    document = interview.document
    assert (document.origin_link, document.origin_id) == (steps.ORIGIN_LINK, str(interview.pk))


def test_neither_title_nor_file_nor_terms_of_the_document_tell_who_it_was():
    document = run_to_the_end(hold(redacting_guide(), answers=SAID)).document
    with default_storage.open(document.file.name) as stored:
        content = stored.read().decode()
    assert document.title == "Interview with [name] · How people work"
    assert document.filename.endswith(".txt")
    kept = " ".join([content, str(document.given_sections), *document.chunks.values_list("terms", flat=True)])
    assert "Spreadsheets" in content
    assert not [word for word in ("ada", "lovelace", "7946") if word in kept.lower()]


def test_the_transcript_and_the_answers_keep_what_was_said():
    interview = run_to_the_end(hold(redacting_guide(), answers=SAID))
    assert SAID[1] in [spoken.text for spoken in transcript_of(interview).spoken]
    assert "ada@work.example" in interview.answers.get(question_key="tools").quote
    assert interview.pdf.name.endswith(".pdf")


def test_done_again_it_is_the_same_document():
    interview = run_to_the_end(hold(redacting_guide(), answers=SAID))
    before = chunks(interview)
    assert processing.repeat(interview.steps.get(name="pdf"))
    again = run_to_the_end(interview)
    assert (again.document_id, chunks(again)) == (interview.document_id, before)


def test_a_correction_replaces_it_and_is_redacted_too():
    interview = run_to_the_end(hold(redacting_guide(), answers=SAID))
    starting.reopen_for_correction(interview.pk)
    say(interview, "I want to change my answer to the second question: I ask Lovelace, that is me.")
    corrected = run_to_the_end(interview)
    text = "\n".join(text for text, _locator in chunks(corrected))
    assert Document.objects.get().pk == corrected.document_id
    assert "I ask [name], that is me." in text
    assert "Spreadsheets" not in text


def test_two_people_with_the_same_words_are_two_documents():
    guide = redacting_guide()
    one, two = (
        run_to_the_end(hold(guide, make_contact(guide.account, email=f"p{n}@example.com"), answers=SAID))
        for n in range(2)
    )
    assert one.document_id != two.document_id


def test_the_guide_at_begin_decides():
    kept, redacted = begin(make_guide()), begin(redacting_guide())
    change_guide(kept.guide, redacts_personal_data=True)
    change_guide(redacted.guide, redacts_personal_data=False)
    for interview in (kept, redacted):
        say(interview, SAID[0])
    assert "Ada Lovelace answered: I am Ada" in sections_of(Interview.objects.get(pk=kept.pk))[0].text
    assert "[name] answered: I am [name]" in sections_of(Interview.objects.get(pk=redacted.pk))[0].text


def test_it_is_off_where_nobody_asked_for_it():
    assert frozen_guide(make_guide(), seed="", at=timezone.now())["redacts_personal_data"] is False


def test_the_persons_own_number_is_found_as_they_write_it():
    guide = redacting_guide()
    contact = make_contact(guide.account)
    ContactAddress.objects.create(
        account=guide.account, contact=contact, kind="phone", value="+491701234567", as_given="+491701234567"
    )
    interview = begin(guide, contact)
    say(interview, "On the ward I am called on 170-1234-567 at any hour, by everybody who works there.")
    assert "called on [phone] at any hour" in sections_of(interview)[0].text


def test_a_person_without_a_name_is_a_participant():
    guide = redacting_guide()
    interview = begin(guide, make_contact(guide.account, name=""))
    say(interview, SAID[0])
    assert "Participant answered: I am Ada" in sections_of(interview)[0].text


def test_the_model_that_finds_a_heading_reads_the_redacted_answers(monkeypatch):
    read = []
    monkeypatch.setattr(summarising, "_category", lambda interview, text: read.append(text) or "")
    summarising.summarise(hold(redacting_guide(), answers=SAID))
    assert "ring [phone]" in read[0]
    assert "ada@work.example" not in read[0]
