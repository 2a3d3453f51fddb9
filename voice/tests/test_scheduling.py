"""The talk that settles on a time, turn by turn: what is said, what is booked, and how it ends."""

import dataclasses
import json
from datetime import UTC, datetime, timedelta

import pytest

from voice.scheduling import Slot, Talk, greet, slot_taken
from voice.tests.talking import INVITATION, NOW, SLOTS, said, spoken, talk_at


def test_the_greeting_says_that_an_ai_calls_for_whom_and_about_what():
    move = greet(INVITATION, SLOTS, now=NOW)
    assert "Hello Ada Lovelace." in move.say
    assert "automated AI assistant calling for Analytical Engines" in move.say
    assert "Engineer" in move.say
    assert "stop calling, or press 9" in move.say
    assert (move.listens, move.outcome, move.talk.stage) == (True, "", "greeting")


def test_with_no_slot_to_offer_nobody_is_asked_anything():
    move = greet(INVITATION, [], now=NOW)
    assert (move.listens, move.outcome) == (False, "no_slot_suits")


def test_three_words_book_the_first_slot():
    *_, read_back, booked = spoken("yes", "the first one", "yes")
    assert "Tuesday 1 December at 10 AM, London time. Shall I book it?" in read_back.say
    assert (booked.book, booked.outcome, booked.listens) == ("tue10", "booked", False)
    assert "Tuesday 1 December at 10 AM" in booked.say


def test_keys_alone_book_a_slot():
    assert spoken(("1",), ("2",), ("1",))[-1].book == "wed11"


@pytest.mark.parametrize(
    ("at", "key", "intent", "outcome", "stage"),
    [
        ("greeting", "1", "confirm", "", "offering"),
        ("greeting", "2", "unclear", "", "greeting"),
        ("greeting", "0", "reject", "declined", "ended"),
        ("greeting", "9", "stop_calling", "stop_calling", "ended"),
        ("greeting", "*", "repeat", "", "greeting"),
        ("offering", "3", "choose", "", "confirming"),
        ("offering", "0", "reject", "", "offering"),
        ("offering", "7", "unclear", "", "offering"),
        ("offering", "#", "unclear", "", "offering"),
        ("one", "2", "choose", "", "offering"),
        ("confirming", "1", "confirm", "booked", "ended"),
        ("confirming", "0", "reject", "", "offering"),
        ("confirming", "3", "choose", "", "confirming"),
        ("confirming", "9", "stop_calling", "stop_calling", "ended"),
    ],
)
def test_keys_are_a_way_out_at_every_stage(at, key, intent, outcome, stage):
    move = said("", talk_at(at), digits=key)
    assert (move.intent, move.outcome, move.talk.stage) == (intent, outcome, stage)


def test_a_slot_named_but_not_confirmed_is_not_booked():
    assert [move.book for move in spoken("yes", "Wednesday", "maybe", "hm")] == ["", "", "", "", ""]


def test_what_was_refused_is_not_offered_again():
    moves = spoken("yes", "no", "no")
    assert moves[1].talk.offered == ("tue10", "wed11", "thu14")
    assert not {"tue10", "wed11", "thu14"} & set(moves[2].talk.offered)
    assert set(moves[3].talk.refused) >= {"tue10", "wed11", "thu14"}


def test_when_all_were_refused_the_talk_ends():
    move = spoken("yes", "no", "no", "no")[-1]
    assert (move.outcome, move.listens, move.book) == ("no_slot_suits", False, "")


def test_a_refused_slot_comes_back_when_it_is_asked_for():
    assert spoken("yes", "no", "Tuesday at ten", "yes")[-1].book == "tue10"


def test_two_reprompts_and_then_goodbye():
    moves = spoken("", "", "")
    assert [move.intent for move in moves[1:]] == ["silence"] * 3
    assert [move.listens for move in moves] == [True, True, True, False]
    assert moves[-1].outcome == "given_up"
    assert moves[1].say.startswith("I am sorry, I did not hear you.")


def test_an_answer_that_is_understood_gives_new_reprompts():
    moves = spoken("", "", "yes", "", "", "the first", "yes")
    assert moves[-1].book == "tue10"


def test_silence_is_no_turn():
    assert spoken("", "")[-1].talk.turns == 0


def test_after_six_turns_without_an_agreement_the_talk_ends():
    moves = spoken("yes", "another time", "say that again", "Tuesday", "no", "say that again")
    assert [move.outcome for move in moves] == ["", "", "", "", "", "", "given_up"]
    assert moves[-1].talk.turns == 6


def test_a_talk_of_more_turns_may_be_allowed():
    longer = dataclasses.replace(INVITATION, max_turns=9)
    words = ("yes", "another time", "say that again", "Tuesday", "no", "say that again", "Tuesday", "yes")
    assert spoken(*words, invitation=longer)[-1].book == "tue10"


def test_a_talk_that_ended_stays_ended():
    booked = spoken("yes", "the first one", "yes")[-1]
    again = said("yes", booked.talk)
    assert (again.book, again.outcome, again.listens, again.talk) == ("", "", False, booked.talk)


def test_a_slot_that_went_meanwhile_is_not_booked():
    without = [slot for slot in SLOTS if slot.id != "wed11"]
    move = said("yes", talk_at("confirming"), slots=without)
    assert (move.book, move.talk.stage) == ("", "offering")
    assert "somebody else has just taken that time" in move.say


def test_a_slot_that_has_begun_is_neither_offered_nor_booked():
    late = datetime(2026, 12, 2, 11, tzinfo=UTC)
    assert said("yes", talk_at("confirming"), now=late).book == ""
    assert "tue10" not in greet(INVITATION, SLOTS, now=late).talk.offered


def test_a_lost_race_is_told_and_others_are_offered():
    booked = spoken("yes", "the first one", "yes")[-1]
    move = slot_taken(INVITATION, booked.talk, SLOTS, now=NOW)
    assert "somebody else has just taken that time" in move.say
    assert (move.listens, move.outcome, move.talk.stage) == (True, "", "offering")
    assert "tue10" not in move.talk.offered
    read_back = said("the first one", move.talk)
    assert said("yes", read_back.talk).book == read_back.talk.chosen == "wed11"


def test_a_lost_race_in_the_last_turn_leaves_turns_to_choose_again():
    talk = dataclasses.replace(talk_at("confirming"), turns=5)
    booked = said("yes", talk)
    assert (booked.book, booked.talk.turns) == ("wed11", 6)
    move = slot_taken(INVITATION, booked.talk, SLOTS, now=NOW)
    assert said("yes", said("the first one", move.talk).talk).book == "tue10"


def test_a_lost_race_for_the_last_slot_ends_the_talk():
    only = SLOTS[:1]
    booked = spoken("yes", "yes", "yes", slots=only)[-1]
    assert booked.book == "tue10"
    assert slot_taken(INVITATION, booked.talk, only, now=NOW).outcome == "no_slot_suits"


def test_words_that_were_hardly_heard_book_nothing():
    move = said("yes", talk_at("confirming"), confidence=0.2)
    assert (move.intent, move.book, move.is_unsure) == ("unclear", "", False)


def test_stop_calling_is_obeyed_however_badly_it_was_heard():
    assert said("stop calling me", talk_at("offering"), confidence=0.0).outcome == "stop_calling"


def test_confidence_is_of_the_rules_and_of_the_recogniser():
    assert said("yes", talk_at("offering"), confidence=0.5).confidence == 0.45


# --- what a model may do ------------------------------------------------------------------------


def test_a_model_may_say_what_unsure_words_meant():
    unsure = said("go on then", talk_at("greeting"))
    assert unsure.is_unsure
    move = said("go on then", talk_at("greeting"), intent="confirm")
    assert (move.intent, move.talk.stage, move.is_unsure) == ("confirm", "offering", False)


@pytest.mark.parametrize("intent", ["choose", "silence", "unclear", "tue10", "book tue10", "", "Confirm"])
def test_a_model_that_names_no_usable_intent_changes_nothing(intent):
    assert said("hm well", talk_at("confirming"), intent=intent) == said("hm well", talk_at("confirming"))


@pytest.mark.parametrize("words", ["no", "I'm not sure", "wrong number", "stop calling me"])
def test_a_model_does_not_overrule_what_the_rules_are_sure_of(words):
    assert said(words, talk_at("confirming"), intent="confirm").book == ""


# --- zones, names, languages --------------------------------------------------------------------


def slots_at(*moments):
    return [Slot(str(number), at, at + timedelta(minutes=30)) for number, at in enumerate(moments, start=1)]


def in_zone(zone):
    return dataclasses.replace(INVITATION, zone=zone)


def test_times_are_spoken_in_the_zone_of_the_call():
    move = spoken("yes", invitation=in_zone("America/New_York"))[-1]
    assert "in New York time: first, Tuesday 1 December at 5 AM" in move.say


def test_a_time_is_asked_for_in_the_zone_of_the_call():
    move = spoken("yes", "six in the morning", invitation=in_zone("America/New_York"))[-1]
    assert move.talk.chosen == "wed11"


def test_each_slot_has_the_offset_of_its_own_day_when_clocks_change():
    before, after = datetime(2027, 3, 27, 9, tzinfo=UTC), datetime(2027, 3, 28, 8, tzinfo=UTC)
    move = spoken("yes", slots=slots_at(before, after), invitation=in_zone("Europe/London"))[-1]
    assert "first, Saturday 27 March at 9 AM; or second, Sunday 28 March at 9 AM" in move.say


def test_an_hour_that_comes_twice_is_told_apart():
    night = datetime(2027, 10, 31, 0, 30, tzinfo=UTC)
    slots = slots_at(night, night + timedelta(hours=1))
    move = spoken("yes", slots=slots, invitation=in_zone("Europe/London"))[-1]
    assert "at 1:30 AM BST" in move.say
    assert "at 1:30 AM GMT" in move.say


@pytest.mark.parametrize("zone", ["", "Nowhere/Land", "../etc/passwd", "Europe", "a" * 300, "\x00"])
def test_an_unknown_zone_is_utc_and_says_so(zone):
    assert "UTC time" in spoken("yes", invitation=in_zone(zone))[-1].say


def test_noon_and_midnight_have_their_words():
    slots = slots_at(datetime(2026, 12, 1, 12, tzinfo=UTC), datetime(2026, 12, 2, 0, tzinfo=UTC))
    move = spoken("yes", slots=slots)[-1]
    assert "Tuesday 1 December at 12 noon" in move.say
    assert "Wednesday 2 December at 12 midnight" in move.say


def test_names_are_spoken_as_one_line_without_what_cannot_be_printed():
    odd = dataclasses.replace(INVITATION, company="A\x00 & {B}\n<Dial>", position="", candidate=" ")
    words = greet(odd, SLOTS, now=NOW).say
    assert words.startswith("Hello. This is an automated AI assistant calling for A & {B} <Dial>.")
    assert all(character.isprintable() for character in words)


def test_without_a_company_it_is_the_one_applied_to():
    assert (
        "the company you applied to" in greet(dataclasses.replace(INVITATION, company=""), SLOTS, now=NOW).say
    )


@pytest.mark.parametrize("language", ["en-GB", "EN_us", "xx", "", "../en"])
def test_a_language_without_a_file_is_english(language):
    spoken_in = dataclasses.replace(INVITATION, language=language)
    assert spoken("yes", "the first", "yes", invitation=spoken_in)[-1].book == "tue10"


def test_unasked_offers_are_of_different_days():
    morning = datetime(2026, 12, 1, 9, tzinfo=UTC)
    slots = slots_at(
        morning, morning + timedelta(hours=1), morning + timedelta(days=1), morning + timedelta(days=2)
    )
    assert spoken("yes", slots=slots)[-1].talk.offered == ("1", "3", "4")


# --- what is kept -------------------------------------------------------------------------------


def test_a_talk_survives_being_kept_as_json():
    talk = spoken("yes", "not before ten", "Thursday")[-1].talk
    assert Talk.from_json(json.loads(json.dumps(talk.to_json()))) == talk


@pytest.mark.parametrize("kept", [{}, {"stage": "dancing"}, {"stage": "offering", "offered": "tue10"}])
def test_what_no_talk_wrote_is_refused(kept):
    with pytest.raises(ValueError, match=r"A talk has no stage|Slots of a talk"):
        Talk.from_json(kept)
