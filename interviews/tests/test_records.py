"""What an interview leaves for the knowledge: one passage for each thing the person said."""

import pytest

from crm import talk
from crm.models import Conversation
from interviews import starting
from interviews.guides import change_guide
from interviews.models import Interview
from interviews.records import sections_of, transcript_of
from interviews.tests.holding import ANSWERS, begin, hold, say

pytestmark = pytest.mark.django_db


def test_each_message_of_an_answer_is_a_section_of_its_own():
    interview = hold(answers=["A nurse.", "On a ward for children, mostly at night.", *ANSWERS[1:]])
    sections = sections_of(interview)
    assert [section.locator for section in sections] == [{"messages": [seq]} for seq in (2, 4, 6, 8)]
    assert sections[0].text == "Your work: What do you do at work?\nAda Lovelace answered: A nurse."


def test_a_follow_up_stands_with_the_question_that_was_really_asked():
    interview = begin()
    say(interview, "A nurse.")
    probe = interview.conversation.messages.get(seq=3)
    say(interview, "On a ward for children, mostly at night.")
    section = sections_of(interview)[1]
    assert probe.act == "probe"
    assert section.text == (
        f"Your work: {probe.text}\nAda Lovelace answered: On a ward for children, mostly at night."
    )


def test_what_is_said_to_staff_is_kept_and_answers_no_question(django_user_model):
    interview = begin()
    say(interview, "A nurse.")
    staff = django_user_model.objects.create_user("sue", is_staff=True)
    conversation = Conversation.objects.get(pk=interview.conversation_id)
    talk.take_over(conversation, staff)
    talk.staff_says(conversation, "On which ward?", staff=staff)
    talk.record_message(conversation, "The ward for children.")
    answer, to_staff = sections_of(interview)
    assert answer.text == "Your work: What do you do at work?\nAda Lovelace answered: A nurse."
    assert to_staff.text == "On which ward?\nAda Lovelace answered: The ward for children."
    assert "The ward for children." in [one.text for one in transcript_of(interview).spoken]


def test_of_a_correction_only_the_new_words_are_kept():
    interview = hold()
    starting.reopen_for_correction(interview.pk)
    say(interview, "I want to change my answer to the second question: I use a planning board.")
    (section,) = [one for one in sections_of(interview) if one.locator == {"messages": [8]}]
    assert section.text.endswith(
        "Which tools do you use every day?\nAda Lovelace answered: I use a planning board."
    )
    assert not any("paper diary" in one.text for one in sections_of(interview))


def test_the_transcript_names_the_guide_as_it_was_when_the_interview_began():
    interview = hold()
    change_guide(interview.guide, name="How people rest")
    facts = dict(transcript_of(Interview.objects.get(pk=interview.pk)).facts)
    assert facts["Guide"] == "How people work, version 1"


def test_what_was_skipped_is_no_section_and_an_empty_interview_says_so():
    interview = begin()
    say(interview, "skip")
    (section,) = sections_of(interview)
    assert section.text == "Ada Lovelace answered no question of “How people work”."


def test_without_a_model_the_transcript_calls_nobody_an_ai():
    facts = dict(transcript_of(hold()).facts)
    assert facts["Interviewer"] == "Nora, an automatic interviewer"
    assert facts["Model"].startswith("No AI model was in use")
