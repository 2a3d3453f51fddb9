"""What people say at each stage of the talk, kept as data: words → intent, wish, slot, and what follows."""

import pytest

from voice.intents import read
from voice.phrases import phrases_of
from voice.tests.talking import INVITATION, NOW, TABLE, said, talk_at
from voice.wishes import described


@pytest.mark.parametrize(("at", "words", "intent", "expected"), TABLE["rows"])
def test_what_is_said_leads_where_it_should(at, words, intent, expected):
    talk = talk_at(at)
    move = said(words, talk)
    assert (move.intent, move.why) == (intent, move.why)
    assert move.outcome == expected.get("outcome", "")
    assert move.book == expected.get("book", "")
    assert move.talk.stage == expected.get("next", "ended" if move.outcome else move.talk.stage)
    assert move.is_unsure == expected.get("unsure", False)
    if "chosen" in expected:
        assert move.talk.chosen == expected["chosen"]
    if "offers" in expected:
        assert " ".join(move.talk.offered) == expected["offers"]
    if "wish" in expected:
        reading = read(words, 1.0, talk.stage, phrases=phrases_of("en"), today=NOW.date())
        assert described(reading.wish) == expected["wish"]


def test_the_table_is_large_and_has_every_intent():
    rows = TABLE["rows"]
    assert len(rows) >= 120
    assert {intent for _, _, intent, _ in rows} == {
        "confirm", "reject", "other_time", "repeat", "wrong_person", "voicemail", "stop_calling", "choose",
        "unclear",
    }  # fmt: skip
    assert len({(at, words) for at, words, _, _ in rows}) == len(rows)
    assert INVITATION.candidate == "Ada Lovelace"
