"""One answer is taken out again: nothing that is kept, shown or sent on holds its words any more."""

import json
from datetime import timedelta

import pypdfium2
import pytest
from django.core.files.storage import default_storage
from django.test import Client
from django.utils import timezone

from crm import briefs, deciding, erasure, talk
from crm.models import Conversation, Message
from interviews import exports, processing, starting, withholding
from interviews.models import Interview, ProcessingStep
from interviews.progress import brief_of, progress_of, talk_of, told_by
from interviews.records import sections_of, transcript_of
from interviews.tests.holding import ANSWERS, begin, hold, invite, say
from interviews.tests.test_processing import run_to_the_end
from knowledge.models import Chunk

pytestmark = pytest.mark.django_db

WORDS = "paper diary"


@pytest.fixture(autouse=True)
def _own_folders(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    settings.MEDIA_ROOT = tmp_path / "files"
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": "config.storage.PrivateFolderStorage"}}


def tools_of(interview):
    return next(one.question.key for one in told_by(interview) if "tools" in one.question.text)


def pdf_text(interview):
    with default_storage.open(interview.pdf.name) as stored:
        return " ".join(page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(stored.read()))


def at_the_page(interview, token):
    client = Client()
    client.cookies["rapport_link"] = token
    return client, f"/chat/{interview.conversation_id}"


def held():
    """A finished interview, and the token of its link."""
    invitation = invite()
    interview = starting.begin(invitation.interview.pk, consent_evidence={})
    for answer in ANSWERS:
        say(interview, answer)
    return Interview.objects.get(pk=interview.pk), invitation.token


def test_the_words_leave_the_rows_and_a_mark_stays():
    interview = hold()
    before = Message.objects.filter(conversation_id=interview.conversation_id).count()
    assert withholding.withhold(interview.pk, tools_of(interview))
    rows = Message.objects.filter(conversation_id=interview.conversation_id)
    assert rows.count() == before
    assert not rows.filter(text__contains=WORDS).exists()
    assert rows.get(act="withheld").text == ""


def test_a_processed_interview_is_processed_again_without_the_words():
    interview = run_to_the_end(hold())
    assert WORDS in pdf_text(interview).replace("\r\n", " ")
    withholding.withhold(interview.pk, tools_of(interview))
    interview.refresh_from_db()
    assert (interview.state, interview.pdf.name, interview.document) == ("completed", "", None)
    assert not Chunk.objects.filter(text__contains=WORDS).exists()
    interview = run_to_the_end(interview)
    assert interview.state == "processed"
    told = pdf_text(interview).replace("\r\n", " ")
    assert WORDS not in told
    assert "Withheld by the person" in told
    assert not Chunk.objects.filter(text__contains=WORDS).exists()
    assert Chunk.objects.filter(document=interview.document, text__contains="nurse").exists()
    assert WORDS not in interview.subheading


def test_exports_answers_and_personal_data_say_that_it_was_withheld():
    interview = hold()
    key = tools_of(interview)
    withholding.withhold(interview.pk, key)
    answer = interview.answers.get(question_key=key)
    assert (answer.kind, answer.value, answer.quote) == ("withheld", "", "")
    lines = "".join(exports.csv_lines(interview.guide, interview.account))
    assert "(Withheld by the person)" in lines
    kept = json.dumps(erasure.collect(interview.contact), default=str)
    assert not any(WORDS in text for text in (lines, kept))


def test_what_was_said_before_a_correction_goes_too():
    interview = begin()
    for answer in ANSWERS[:2]:
        say(interview, answer)
    say(interview, "I want to change my answer to the second question: I use a planning board.")
    withholding.withhold(interview.pk, tools_of(interview))
    said = " ".join(one.text for one in talk_of(interview.conversation_id))
    assert WORDS not in said
    assert "planning board" not in said
    assert "nurse" in said


def test_every_message_of_an_answer_with_a_follow_up_goes():
    interview = begin()
    say(interview, "A nurse.")
    say(interview, "On a ward for children, mostly at night.")
    withholding.withhold(interview.pk, told_by(interview)[0].question.key)
    assert not any("nurse" in one.text or "ward" in one.text for one in talk_of(interview.conversation_id))


def test_the_question_counts_as_given_and_is_not_asked_again():
    interview = begin()
    say(interview, ANSWERS[0])
    asked = progress_of(interview)
    withholding.withhold(interview.pk, told_by(interview)[0].question.key)
    assert progress_of(interview) == asked
    assert told_by(interview)[0].kind == "withheld"
    for answer in ANSWERS[1:]:
        say(interview, answer)
    interview.refresh_from_db()
    assert interview.state == "completed"


def test_a_withheld_question_can_be_answered_anew():
    interview = hold()
    key = tools_of(interview)
    withholding.withhold(interview.pk, key)
    starting.reopen_for_correction(interview.pk)
    say(interview, "I want to change my answer to the second question: I use a planning board.")
    answer = Interview.objects.get(pk=interview.pk).answers.get(question_key=key)
    assert (answer.kind, answer.value) == ("answered", "I use a planning board.")


def test_a_model_is_told_that_an_answer_was_withheld_and_not_what_it_was():
    interview = begin()
    say(interview, ANSWERS[0])
    withholding.withhold(interview.pk, told_by(interview)[0].question.key)
    lines = deciding.history(talk_of(interview.conversation_id))
    assert [line.text for line in lines if line.role == "user"] == ["(The person withheld this answer.)"]


def test_a_model_s_reply_that_may_repeat_the_words_becomes_the_guide_s_own_question():
    interview = begin()
    say(interview, ANSWERS[0])
    asked = Message.objects.get(conversation_id=interview.conversation_id, seq=2)
    reply = Message.objects.filter(conversation_id=interview.conversation_id, seq=3)
    reply.update(text="So you are a nurse! Which tools?", provider="openai", reply_to=asked)
    withholding.withhold(interview.pk, told_by(interview)[0].question.key)
    question = brief_of(interview).question(reply.get().question_key)
    assert reply.get().text == question.text


def test_the_last_message_taken_out_before_its_reply_leads_to_the_next_question():
    interview = begin()
    conversation = Conversation.objects.get(pk=interview.conversation_id)
    message, _new = talk.record_message(conversation, ANSWERS[0])
    Message.objects.filter(pk=message.pk).update(created_at=timezone.now() - timedelta(minutes=1))
    withholding.withhold(interview.pk, told_by(interview)[0].question.key)
    plan = briefs.plan(brief_of(interview), talk_of(conversation.pk), now=timezone.now())
    assert plan.question_key == told_by(interview)[1].question.key


def test_while_a_reply_is_written_it_is_refused():
    interview = begin()
    talk.record_message(interview.conversation, ANSWERS[0], with_reply=True)
    with pytest.raises(talk.TurnTaken):
        withholding.withhold(interview.pk, told_by(interview)[0].question.key)
    assert "nurse" in talk_of(interview.conversation_id)[1].text


def test_after_the_link_ran_out_it_is_refused():
    interview = hold()
    Interview.objects.filter(pk=interview.pk).update(expires_at=timezone.now())
    with pytest.raises(starting.MoveRefused):
        withholding.withhold(interview.pk, tools_of(interview))


def test_a_second_time_changes_nothing():
    interview = run_to_the_end(hold())
    key = tools_of(interview)
    assert withholding.withhold(interview.pk, key)
    run_to_the_end(interview)
    assert not withholding.withhold(interview.pk, key)
    interview.refresh_from_db()
    assert interview.state == "processed"


def test_when_the_storage_is_away_the_words_are_out_and_the_steps_wait(monkeypatch):
    interview = run_to_the_end(hold())
    monkeypatch.setattr(default_storage, "exists", lambda name: 1 / 0)
    withholding.withhold(interview.pk, tools_of(interview))
    monkeypatch.undo()
    interview = run_to_the_end(Interview.objects.get(pk=interview.pk))
    assert WORDS not in pdf_text(interview).replace("\r\n", " ")
    assert not Chunk.objects.filter(text__contains=WORDS).exists()


def test_the_form_on_the_last_page_works_and_get_is_inert():
    interview, token = held()
    client, page = at_the_page(interview, token)
    key = tools_of(interview)
    assert client.get(f"{page}/withhold", {"question_key": key})["Location"] == page
    assert WORDS in client.get(page).content.decode()
    for _time in range(2):
        assert client.post(f"{page}/withhold", {"question_key": key})["Location"] == page
    shown = client.get(page).content.decode()
    assert WORDS not in shown
    assert "You withheld this answer." in shown


def test_during_the_talk_the_list_tells_only_what_was_asked():
    invitation = invite()
    interview = starting.begin(invitation.interview.pk, consent_evidence={})
    say(interview, ANSWERS[0])
    client, page = at_the_page(interview, invitation.token)
    shown = client.get(f"{page}/answers").content.decode()
    first, second = told_by(interview)[:2]
    assert first.question.text in shown
    assert second.question.text not in shown
    response = client.post(f"{page}/withhold", {"question_key": first.question.key})
    assert response["Location"] == f"{page}/answers"
    assert "children" not in client.get(f"{page}/answers").content.decode()
    assert "You withheld this answer." in client.get(page).content.decode()


@pytest.mark.parametrize("key", ["", "no_such_question"])
def test_what_names_no_answer_changes_nothing(key):
    interview, token = held()
    client, page = at_the_page(interview, token)
    assert client.post(f"{page}/withhold", {"question_key": key}).status_code == 302
    interview.refresh_from_db()
    assert not interview.answers.filter(kind="withheld").exists()


def test_a_stranger_gets_404_and_takes_nothing_out():
    interview, _token = held()
    page = f"/chat/{interview.conversation_id}"
    response = Client().post(f"{page}/withhold", {"question_key": tools_of(interview)})
    assert (response.status_code, Client().get(f"{page}/answers").status_code) == (404, 404)
    assert any(WORDS in one.text for one in talk_of(interview.conversation_id))


def test_after_the_end_the_list_is_the_interview_s_own_page():
    interview, token = held()
    client, page = at_the_page(interview, token)
    assert client.get(f"{page}/answers")["Location"] == page


def test_an_interview_that_is_open_again_loses_what_was_made_of_it_at_once():
    interview = run_to_the_end(hold())
    starting.reopen_for_correction(interview.pk)
    withholding.withhold(interview.pk, tools_of(interview))
    interview.refresh_from_db()
    assert (interview.state, interview.pdf.name) == ("started", "")
    assert not Chunk.objects.filter(text__contains=WORDS).exists()
    assert not processing.due_interviews()
    assert set(ProcessingStep.objects.values_list("state", flat=True)) == {"waiting"}


def test_the_transcript_and_its_sections_hold_only_the_mark():
    interview = hold()
    withholding.withhold(interview.pk, tools_of(interview))
    spoken = list(transcript_of(Interview.objects.get(pk=interview.pk)).spoken)
    assert [one.note for one in spoken if one.by_person][1] == "Withheld by the person"
    assert not any(WORDS in one.text for one in (*spoken, *sections_of(interview)))
