"""A model speaks for itself alone, however its words are cut into pieces."""

import pytest

from personas.providers.own_voice import OwnVoice

SPOKEN = [
    ("Hello there.", "Hello there."),
    ("Hello.\nHow are you?", "Hello.\nHow are you?"),
    ("Hello.\n\nUser: Fine.", "Hello."),
    ("Hello.\nuser : Fine.", "Hello."),
    ("Hello.\n**User:** Fine.", "Hello."),
    ("Hello.\n### Human: Fine.", "Hello."),
    ("Hello.\nRespondent: Fine.\nMore.", "Hello."),
    ("Hello.<|im_end|>", "Hello.<|im_end|>"),
    ("Hello.\n<|im_start|>user\nFine", "Hello."),
    ("User: Fine.", ""),
    ("  Assistant: Hello.", "Hello."),
    ("**Interviewer:** Hello.", "Hello."),
    ("AI is a word.", "AI is a word."),
    ("Users like it.\nUsers: many", "Users like it.\nUsers: many"),
    ("Tell me.\nUse", "Tell me.\nUse"),
    ("Tell the user: be kind.", "Tell the user: be kind."),
    ("Line one\n\n\nLine two", "Line one\n\n\nLine two"),
    ("Trailing\n\n", "Trailing"),
    ("  \n ", ""),
    ("Assistant:", ""),
]


def passed_on(pieces):
    voice = OwnVoice()
    return "".join([*(voice.take(piece) for piece in pieces), voice.rest()]), voice


@pytest.mark.parametrize(("text", "shown"), SPOKEN)
@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_the_persons_part_is_never_passed_on(text, shown, size):
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    assert passed_on(pieces)[0] == shown


def test_it_says_that_the_own_part_is_over():
    assert passed_on(["Hello.\nUser:", " more"])[1].ended
    assert not passed_on(["Hello."])[1].ended


def test_words_within_a_line_are_passed_on_at_once():
    voice = OwnVoice()
    assert [voice.take(piece) for piece in ("So", " what", " is", " it?")] == ["So", " what", " is", " it?"]
