"""The fake model must be worth testing with: it says what it was asked to say."""

import json

import pytest

from tests.fakes.openai_words import classified, embedding, plausible_reply

PHRASES = [
    "answers the question",
    "skips the question",
    "wants to end the interview",
    "asks about the interview",
]


def told(instruction, *before):
    return plausible_reply([*before, {"role": "system", "content": instruction}])


@pytest.mark.parametrize(
    ("instruction", "words"),
    [
        (
            'Ask exactly this question, and nothing else: "What do you do?" Write in Polish.',
            "What do you do?",
        ),
        ('End the talk. Say: "Thank you. Goodbye." Ask nothing more.', "Thank you. Goodbye."),
        ('Ask: "What is "fast" for you?"', 'What is "fast" for you?'),
        ('Be kind, like "Thanks.", then ask this: "Why bread?" Write in Polish.', "Why bread?"),
        ('Begin with: "The question was:" Then ask exactly: "Why?"', "Why?"),
        ("Ask for one example. Could you give one?", "Could you give one?"),
        ("<words-1a>\nHello there.\n</words-1a>\n\nWrite only your own.", "Hello there."),
    ],
)
def test_it_says_the_planned_words(instruction, words):
    assert told(instruction) == words


def test_it_answers_with_the_words_of_the_first_passage():
    body = "<passages-1>\n[2] Ada\nTools: Which?\nAda answered: Excel.\n\n[3] Ben\nNo.\n</passages-1>"
    assert told("Answer.", {"role": "user", "content": body}) == "Excel. [2]"


def test_it_sorts_a_text():
    labels = "Labels: " + json.dumps(["answer", "stop"])
    message = {"role": "user", "content": "<text-1>\nplease stop\n</text-1>"}
    assert told(f"Which?\n{labels}", message) == "stop"


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("I bake bread.", PHRASES[0]),
        ("Skip this one", PHRASES[1]),
        ("I'd like to stop now", PHRASES[2]),
        ("How long will it take?", PHRASES[3]),
    ],
)
def test_labels_may_be_phrases(text, label):
    assert classified(text, PHRASES) == label


def test_texts_with_the_same_words_have_near_vectors():
    def near(one, two):
        return sum(a * b for a, b in zip(embedding(one), embedding(two), strict=True))

    assert near("slow tools", "the slow tool") > near("slow tools", "fresh bread")
