"""What a person says to staff is no answer to the question that was open before they came."""

from crm import standing, talk
from crm.brief_values import Brief, BriefQuestion, Said
from crm.standing import answers, progress, stand

BRIEF = Brief(questions=(BriefQuestion("role", "What do you do?"), BriefQuestion("tools", "With what?")))
GREETED = (Said("persona", "What do you do?", "greet", "role", 1),)
JOINED = Said("system", "A member of our team has joined.", "taken_over", seq=2)
ASIDE = (
    Said("person", "Is this really you, Grace?", seq=3),
    Said("staff", "Yes.", seq=4),
    Said("person", "Then please call me on Friday.", seq=5),
)
LEFT = Said("system", "The interviewer continues.", "handed_back", seq=6)
ANSWER = Said("person", "I bake bread.", "answer", "role", 7)


def test_words_said_to_staff_answer_no_question():
    assert answers(BRIEF, [*GREETED, JOINED, *ASIDE]) == []
    assert progress(BRIEF, [*GREETED, JOINED, *ASIDE, LEFT]).answered == 0


def test_after_staff_have_left_the_question_is_still_open_and_can_be_answered():
    given = answers(BRIEF, [*GREETED, JOINED, *ASIDE, LEFT, ANSWER])
    assert [(one.question_key, one.text, one.seqs) for one in given] == [("role", "I bake bread.", (7,))]


def test_what_was_answered_before_stays():
    earlier = Said("person", "I bake.", "answer", "role", 2)
    (given,) = answers(BRIEF, [*GREETED, earlier, JOINED, *ASIDE])
    assert given.text == "I bake."


def test_other_notes_of_the_system_do_not_silence_the_person():
    note = Said("system", "You may correct your answers.", seq=2)
    assert len(answers(BRIEF, [*GREETED, note, ANSWER])) == 1
    assert answers(BRIEF, [*GREETED, JOINED, note, *ASIDE]) == []


def test_words_said_to_staff_use_up_no_turn():
    assert stand(BRIEF, [*GREETED, JOINED, *ASIDE, LEFT]).turns == 0


def test_the_acts_are_those_that_a_takeover_writes():
    assert (standing.TAKEN_OVER, standing.HANDED_BACK) == (talk.TAKEN_OVER, talk.HANDED_BACK)
