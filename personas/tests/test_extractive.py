"""Which sentences answer a question, and when nothing does."""

import pytest

from personas.providers.base import Source
from personas.providers.extractive import best_quotes
from personas.providers.words import content_words, stem

INTERVIEWS = [
    (
        "Interview with Ada",
        "Question: What do you do at work? Answer: I run the payroll for about two hundred people.",
    ),
    (
        "Interview with Ada",
        "Question: Which tools do you use every day?\nAnswer: Mostly Excel and the old HR system. "
        "Excel is fine. The HR system is painfully slow, every export takes ten minutes.",
    ),
    (
        "Interview with Ben",
        "Question: Which tools slow you down? Answer: Jira. It takes ages to load on Mondays.",
    ),
    ("Interview with Ben", "Question: How content are you with them, from 1 to 5? Answer: 2"),
    (
        "Interview with Cleo",
        "Question: Which tools slow you down? Answer: Honestly none, I am happy with what we have.",
    ),
    (
        "Handbook",
        "Holidays must be asked for two weeks ahead. Dr. Smith signs them. "
        "Sick leave needs a note by e.g. a GP.",
    ),
]


def sources(*texts):
    pairs = [text if isinstance(text, tuple) else ("Note", text) for text in texts]
    return [Source(number, title, text) for number, (title, text) in enumerate(pairs, 1)]


def quoted(question, *texts):
    return [(quote.number, quote.text) for quote in best_quotes(question, sources(*(texts or INTERVIEWS)))]


def numbers(question, *texts):
    return {number for number, _ in quoted(question, *texts)}


def test_it_quotes_what_the_persons_said_and_not_the_question():
    quotes = quoted("Which tools slow people down?")
    assert (3, "Jira.") in quotes
    assert (2, "The HR system is painfully slow, every export takes ten minutes.") in quotes
    assert not any("?" in text for _, text in quotes)


def test_each_person_who_was_asked_the_same_is_quoted():
    assert {3, 5} <= numbers("Which tools slow people down?")


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("Who signs holidays?", "Dr. Smith signs them."),
        ("How far ahead must holidays be asked for?", "Holidays must be asked for two weeks ahead."),
        ("What does sick leave need?", "Sick leave needs a note by e.g. a GP."),
        ("How long does an export take?", "The HR system is painfully slow, every export takes ten minutes."),
        ("Who runs payroll?", "I run the payroll for about two hundred people."),
        ("how slow is the HR system", "The HR system is painfully slow, every export takes ten minutes."),
    ],
)
def test_it_finds_the_sentence(question, words):
    assert words in [text for _, text in quoted(question)]


@pytest.mark.parametrize(
    "question",
    [
        "What is the capital of France?",
        "How much does Salesforce cost?",
        "What did Zoe say about parental leave?",
        "Which benefits would people like to have?",
        "What is the weather on Mondays in Lisbon?",
        "When was the company founded?",
        "How many of them like Photoshop?",
        "Does Ada own a dog?",
        "",
        "???",
        "What do they say?",
    ],
)
def test_a_question_about_something_else_is_not_answered(question):
    assert quoted(question) == []


def test_quotes_stand_in_reading_order_and_are_substrings():
    given = sources(*INTERVIEWS)
    quotes = best_quotes("Which tools slow people down?", given)
    assert [quote.number for quote in quotes] == sorted(quote.number for quote in quotes)
    assert all(quote.text in given[quote.number - 1].text for quote in quotes)


def test_a_talk_without_labels_is_read_as_questions_and_answers():
    quotes = quoted(
        "What slows you down?", "What slows you down at work? Mostly meetings. And what helps? Coffee does."
    )
    assert quotes == [(1, "Mostly meetings.")]


REMEMBERED = [
    (
        "How people work – Ada",
        "Your tools: Which tools do you use?\nAda Lovelace answered: Mostly Excel. It is slow.",
    ),
    (
        "How people work – Ben",
        "Your tools: Tell me about your tools.\nBen Nevis answered: Slack, and a printer.",
    ),
    ("How people work – Ben", "Your week: How is your week?\nBen Nevis answered: Full of meetings."),
]


@pytest.mark.parametrize(
    ("question", "quotes"),
    [
        ("What are people's tools?", [(1, "Mostly Excel."), (2, "Slack, and a printer.")]),
        ("What does Ben say about tools?", [(2, "Slack, and a printer.")]),
        ("What is slow?", [(1, "It is slow.")]),
        ("What did Cleo say about tools?", []),
        ("How is the food in the canteen?", []),
    ],
)
def test_interviews_as_they_are_remembered_are_quoted_in_the_persons_words(question, quotes):
    assert quoted(question, *REMEMBERED) == quotes


def test_a_heading_is_no_statement():
    assert quoted("How are refunds paid?", "# Refunds\nThey are paid by bank transfer. Nothing else.") == [
        (1, "They are paid by bank transfer.")
    ]


def test_a_skipped_answer_is_not_quoted():
    assert (
        quoted("Which tools slow you down?", "Question: Which tools slow you down? Answer: (skipped)") == []
    )


def test_the_same_words_are_quoted_once():
    assert numbers("What is slow?", "The tool is slow.", "The tool is slow.") == {1}


def test_the_question_asked_inside_a_passage_is_never_its_own_answer():
    assert quoted("Which tools slow you down?", "Which tools slow you down?") == []


def test_a_long_sentence_is_cut_at_a_word():
    ((_, text),) = quoted("What is slow?", "The slow tool " + "and so on " * 100)
    assert len(text) <= 401
    assert text.endswith("…")


@pytest.mark.parametrize(
    ("question", "passage", "words"),
    [
        (
            "Welche Werkzeuge sind langsam?",
            "Frage: Werkzeuge? Antwort: Der Export ist langsam.",
            "Der Export ist langsam.",
        ),
        ("Co jest wolne?", "Pytanie: Co przeszkadza? Odpowiedź: Eksport jest wolny.", "Eksport jest wolny."),
        ("什么工具很慢?", "导出工具很慢。天气很好。", "导出工具很慢。"),
        ("ما هي الأدوات البطيئة؟", "الأدوات البطيئة هي إكسل.", "الأدوات البطيئة هي إكسل."),
    ],
)
def test_it_reads_other_languages(question, passage, words):
    assert [text for _, text in quoted(question, passage)] == [words]


def test_it_copes_with_any_text():
    assert quoted("slow tools?", "", "\x00", "?" * 1000, "a" * 10_000, "\n\n\n") == []


@pytest.mark.parametrize(
    "group", ["slow slows slowed slowly slower", "stop stopped stopping stops", "tool tools"]
)
def test_forms_of_a_word_are_one(group):
    assert len({stem(word) for word in group.split()}) == 1


@pytest.mark.parametrize("pair", ["export expert", "spell spel", "cats cattle"])
def test_other_words_stay_apart(pair):
    one, two = pair.split()
    assert stem(one) != stem(two)


def test_words_that_say_nothing_are_left_out():
    assert content_words("What do people say about the tools?") == ["tool"]
