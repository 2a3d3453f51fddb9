"""What holds in every talk, whatever is said, heard, pressed or open."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from voice.scheduling import Heard, Slot, Talk, answer, greet, slot_taken
from voice.tests.talking import INVITATION, TABLE

ZONES = ["Europe/London", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC", "Nowhere"]
# A week in which clocks change in Europe, one in which they do in America, and an ordinary one.
WEEKS = [
    datetime(2027, 3, 26, tzinfo=UTC),
    datetime(2026, 10, 30, tzinfo=UTC),
    datetime(2026, 7, 6, tzinfo=UTC),
]
WORDS = sorted({word for _, words, _, _ in TABLE["rows"] for word in words.split()})

utterances = st.one_of(
    st.sampled_from([words for _, words, _, _ in TABLE["rows"]]),
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=8).map(" ".join),
    st.sampled_from(["yes", "no", "the first one", "the second one", "another time", "Thursday"]),
    st.text(max_size=60),
)
heard = st.one_of(
    st.builds(Heard, words=utterances, confidence=st.floats(0, 1)),
    st.builds(Heard, words=utterances),
    st.builds(Heard, digits=st.sampled_from(["0", "1", "2", "3", "9", "*", "#", "55"])),
    st.just(Heard()),
)
intents = st.sampled_from(["", "", "", "confirm", "reject", "other_time", "choose", "tue10", "unclear"])


@st.composite
def worlds(draw):
    now = draw(st.sampled_from(WEEKS))
    minutes = draw(st.lists(st.integers(-1000, 14 * 24 * 60).map(lambda each: each // 15 * 15), max_size=12))
    starts = [now + timedelta(minutes=each) for each in minutes]
    slots = [Slot(f"s{number}", at, at + timedelta(minutes=45)) for number, at in enumerate(starts)]
    invitation = replace(INVITATION, zone=draw(st.sampled_from(ZONES)), max_turns=draw(st.integers(1, 8)))
    return now, slots, invitation


@settings(max_examples=200, deadline=None)
@given(worlds(), st.lists(st.tuples(heard, intents, st.booleans()), max_size=14))
def test_nothing_is_booked_that_was_not_offered_read_back_and_confirmed(world, turns):
    now, slots, invitation = world
    move = greet(invitation, slots, now=now)
    read_back = ""
    for each, intent, loses in turns:
        check(move, invitation)
        before = move.talk
        move = answer(invitation, before, each, slots, now=now, intent=intent)
        assert move == answer(invitation, before, each, slots, now=now, intent=intent)
        if move.book:
            assert move.book == read_back == before.chosen
            assert move.book in before.offered
            assert before.stage == "confirming"
            assert next(slot for slot in slots if slot.id == move.book).starts_at > now
            assert move.intent == "confirm"
            assert (move.outcome, move.talk.stage, move.listens) == ("booked", "ended", False)
            if loses:
                slots = [slot for slot in slots if slot.id != move.book]
                move = slot_taken(invitation, move.talk, slots, now=now)
                read_back = ""
        read_back = move.talk.chosen if move.talk.stage == "confirming" else ""
    check(move, invitation)


def check(move, invitation):
    assert move.say.strip()
    assert "{" not in move.say
    assert move.talk.turns <= invitation.max_turns
    assert move.talk.reprompts <= invitation.max_reprompts
    assert move.listens == (move.talk.stage != "ended")
    assert 0 <= move.confidence <= 1
    assert bool(move.book) == (move.outcome == "booked")
    assert Talk.from_json(json.loads(json.dumps(move.talk.to_json()))) == move.talk
