"""The pure parts of relayed talks: what was heard of an utterance, when it is silent, what a word means."""

from datetime import date

import pytest
from django.core.checks import run_checks

from crm.interrupting import cut, heard_length
from voice.interview_words import LANGUAGES, opening_intent, wants_a_human, wants_no_calls
from voice.relay_clock import SilenceClock

SPOKEN = "Thank you. Which tools do you use, every day? Which tools?"
TODAY = date(2026, 11, 27)


@pytest.mark.parametrize(
    ("heard", "kept"),
    [
        ("", ""),
        ("Thank you.", "Thank you"),
        ("thank you  which TOOLS", "Thank you. Which tools"),
        ("Thank you. Which too", "Thank you. Which too"),
        ("do you use every", "Thank you. Which tools do you use, every"),  # only what was played last
        ("Which tools", "Thank you. Which tools do you use, every day? Which tools"),
        (SPOKEN, SPOKEN[:-1]),
    ],
)
def test_what_was_heard_is_found_by_its_words(heard, kept):
    assert SPOKEN[: heard_length(SPOKEN, heard)] == kept


def test_words_that_were_never_spoken_are_nowhere():
    assert heard_length(SPOKEN, "Something else") is None
    assert heard_length("", "word") is None


def test_many_words_take_no_time():
    assert heard_length("a " * 4_000, "a " * 4_000 + "b") is not None
    assert heard_length("((((" * 2_000, "x y z") is None


def test_what_is_cut_is_marked_and_what_is_whole_is_not():
    assert cut(SPOKEN, 9) == "Thank you…"
    assert cut(SPOKEN, 0) == "…"
    assert cut(SPOKEN, len(SPOKEN) - 1) == SPOKEN


def test_silence_is_counted_from_the_end_of_what_is_spoken():
    clock = SilenceClock(10)
    assert clock.left(now=0) is None
    clock.spoken(140, now=0)
    assert clock.left(now=0) == 20
    clock.ended(now=5)  # it took less time
    assert clock.left(now=5) == 10
    clock.hold()
    clock.ended(now=6)
    assert clock.left(now=6) is None
    clock.paused(now=7)
    assert clock.left(now=20) == 0


def test_the_end_comes_soon_after_the_last_words():
    clock = SilenceClock(20)
    clock.spoken(28, now=0)
    clock.last_words(now=0, seconds=1)
    assert clock.left(now=0) == 3


@pytest.mark.parametrize(
    ("words", "language", "intent"),
    [
        ("Yes, please.", "en", "confirm"),
        ("This is Ada.", "en", "confirm"),
        ("Wrong number.", "en-GB", "wrong_person"),
        ("Ja, gerne!", "de-AT", "confirm"),
        ("Ja, aber nicht jetzt.", "de", "reject"),
        ("Nein.", "de", "reject"),
        ("Tak, dobrze.", "pl", "confirm"),
        ("Nie.", "pl", "reject"),
        ("Vielleicht", "de", "unclear"),
        ("last Monday", "en", "other_time"),
    ],
)
def test_the_answer_to_the_opening(words, language, intent):
    assert opening_intent(words, language=language, name="Ada Lovelace", today=TODAY) == intent


@pytest.mark.parametrize(
    ("words", "is_wish"),
    [
        ("Please don't call me again.", True),
        ("Stop calling me!", True),
        ("We stop calling customers after six.", False),
        (
            "They told us never to call me or anybody else at home, no more calls after work was the rule.",
            False,
        ),
    ],
)
def test_a_wish_not_to_be_called_is_told_from_an_answer(words, is_wish):
    assert wants_no_calls(words) == is_wish


def test_who_asks_for_a_human():
    assert wants_a_human("Can I talk to a real person?")
    assert not wants_a_human(
        "I talk to many people, and every day one of them wants to talk to a real person."
    )


def test_every_language_says_all_there_is_to_say():
    assert len({frozenset(words) for words in LANGUAGES.values()}) == 1
    assert all("{organisation}" in words["opening"] for words in LANGUAGES.values())


def test_a_number_of_staff_that_cannot_ring_is_told_at_the_start(settings):
    settings.VOICE_STAFF_NUMBER = "0800"
    assert "voice.E003" in [found.id for found in run_checks()]
    settings.VOICE_STAFF_NUMBER = "+4930123456"
    assert "voice.E003" not in [found.id for found in run_checks()]
