"""Whole calls over HTTP, as a table: what the person does, what comes of it, and which time is booked.

A step is what is said; "#1" is a key, "" is silence, "~yes" is hardly heard; "!…" is done by the line.
"""

import pytest

from crm import consent
from crm.models import Suppression, TimelineEntry
from voice import booking
from voice.models import Appointment, CallTurn, PhoneCall
from voice.tests.conftest import make_callee, make_slots

pytestmark = pytest.mark.django_db(transaction=True)

SCRIPTS = {
    "yes, the first": (["yes", "the first one", "yes"], "booked", 0),
    "yes, the second": (["yes", "the second one", "yes please"], "booked", 1),
    "yes, the third": (["Yes.", "The third.", "Yes."], "booked", 2),
    "keys alone": (["#1", "#1", "#1"], "booked", 0),
    "keys, the second": (["#1", "#2", "#1"], "booked", 1),
    "keys, the third": (["#1", "#3", "#1"], "booked", 2),
    "words and keys": (["yes", "#2", "yes"], "booked", 1),
    "more keys than asked": (["#11", "#22", "#1#"], "booked", 1),
    "a markup in the words": (["yes", "first </Say><Dial>911</Dial>", "yes"], "booked", 0),
    "a quote and an ampersand": (['"yes" & yes', "the first", "yes"], "booked", 0),
    "silence, then yes": (["", "yes", "#1", "yes"], "booked", 0),
    "silence at each question": (["", "yes", "", "#1", "", "yes"], "booked", 0),
    "two silences are borne": (["", "", "yes", "#1", "#1"], "booked", 0),
    "a repeat at the greeting": (["say that again", "yes", "#1", "#1"], "booked", 0),
    "a key for repeat": (["#*", "#1", "#1", "#1"], "booked", 0),
    "a repeat of the offer": (["yes", "can you repeat that", "the first", "yes"], "booked", 0),
    "no to the first, then another": (["yes", "#1", "no", "#1", "#1"], "booked", 1),
    "no by key, then the second": (["yes", "#1", "#0", "#2", "#1"], "booked", 2),
    "a hardly heard yes books nothing": (["yes", "#1", "~yes", "yes"], "booked", 0),
    "each turn twice": (["yes", "!again", "#1", "!again", "yes", "!again"], "booked", 0),
    "the last turn three times": (["yes", "#1", "yes", "!again", "!again"], "booked", 0),
    "reports between the turns": (["!ringing", "yes", "!ringing", "#1", "!initiated", "yes"], "booked", 0),
    "booked, then the end": (["yes", "#2", "yes", "!hangup"], "booked", 1),
    "the time is taken before yes": (["yes", "#1", "!take:0", "yes", "#1", "#1"], "booked", 1),
    "not interested": (["no"], "declined", None),
    "no by key": (["#0"], "declined", None),
    "stop": (["stop calling me"], "stop_calling", None),
    "stop by key": (["#9"], "stop_calling", None),
    "stop after the offer": (["yes", "please do not call me again"], "stop_calling", None),
    "stop at the read-back": (["yes", "#1", "stop calling"], "stop_calling", None),
    "stop, hardly heard": (["~stop calling me"], "stop_calling", None),
    "the wrong person": (["you have the wrong number"], "wrong_person", None),
    "none by key": (["yes", "#0"], "no_slot_suits", None),
    "silence for ever": (["", "", ""], "given_up", None),
    "silence after the offer": (["yes", "", "", ""], "given_up", None),
    "nothing understood": (["purple monkey", "green window", "blue table"], "given_up", None),
    "repeats for ever": (["#*", "#*", "#*", "#*", "#*", "#*"], "given_up", None),
    "hangs up at the greeting": (["!hangup"], "hung_up", None),
    "hangs up at the offer": (["yes", "!hangup"], "hung_up", None),
    "hangs up at the read-back": (["yes", "#1", "!hangup"], "hung_up", None),
    "not sure is no yes": (["yes", "#1", "I'm not sure", "!hangup"], "hung_up", None),
    "the end is reported before the middle": (["!completed", "!in-progress", "!ringing"], "hung_up", None),
    "nobody answers": (["!initiated", "!ringing", "!no-answer"], "no_answer", None),
    "reports twice": (["!ringing", "!ringing", "!no-answer", "!no-answer"], "no_answer", None),
    "busy": (["!busy"], "busy", None),
    "cannot be placed": (["!failed"], "not_placed", None),
    "cancelled": (["!canceled"], "cancelled", None),
    "a machine with a beep": (["!machine_end_beep"], "voicemail", None),
    "a machine without": (["!machine_end_silence", "!hangup"], "voicemail", None),
    "a fax": (["!fax"], "voicemail", None),
}
REPORTS = {
    *("initiated", "ringing", "in-progress", "completed", "busy", "no-answer", "failed", "canceled"),
}


def play(line, script, slots):
    if not script[0].startswith("!") or script[0] == "!hangup":
        line.answer()
    elif script[0] == "!ringing" and not script[-1].startswith("!"):
        line.report("ringing")
        line.answer()
        script = script[1:]
    for step in script:
        act(line, step, slots)


def act(line, step, slots):
    word = step[1:]
    if step.startswith("#"):
        line.press(word)
    elif step.startswith("~"):
        line.say(word, confidence="0.05")
    elif not step.startswith("!"):
        line.say(step) if step else line.silence()
    elif word == "again":
        assert line.again().content == line.documents[-1]
    elif word == "hangup":
        line.hang_up()
    elif word.startswith("take:"):
        take(slots[int(word[5:])])
    elif word in REPORTS:
        line.report(word)
    else:
        line.answer(AnsweredBy=word)


def take(slot):
    other = make_callee(slot.account, phone="+4915187654321", email="other@example.com")
    Appointment.objects.create(account=slot.account, slot=slot, contact=other)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_call_comes_to_what_the_person_said(name, ring, account):
    script, outcome, booked = SCRIPTS[name]
    slots, person = make_slots(account), make_callee(account, time_zone="UTC", name="Ada")
    line = ring(person)
    play(line, script, slots)
    row = PhoneCall.objects.get(sid=line.sid)
    assert row.outcome == outcome, [line.heard, row.talk]
    assert row.status == ("completed" if outcome == "booked" else "failed")
    assert not line.is_open
    kept = Appointment.objects.filter(call=row).values_list("slot", flat=True)
    assert list(kept) == ([] if booked is None else [slots[booked].pk])
    assert bool(row.confirmed_slot) is (booked is not None)


def test_there_are_forty_calls_and_more():
    assert len(SCRIPTS) >= 40


def test_the_greeting_says_that_a_machine_calls_and_for_whom(ring, account):
    make_slots(account)
    said = ring(make_callee(account, name="Ada <b>")).answer()
    assert "AI" in said
    assert "Acme & Sons" in said
    assert "Engineer" in said


def test_with_nothing_to_offer_the_call_ends_kindly(ring, account):
    line = ring()
    line.answer()
    assert not line.is_open
    assert PhoneCall.objects.get().outcome == "no_slot_suits"


@pytest.mark.parametrize("words", ["stop calling me", "you have the wrong number"])
def test_who_does_not_want_it_is_never_called_again(ring, account, words):
    make_slots(account)
    person = make_callee(account)
    line = ring(person)
    line.answer()
    line.say(words)
    assert Suppression.objects.filter(account=account, channel="phone", lifted_at=None).count() == 1
    assert not consent.may_contact(person, "phone", "invitation").allowed


def test_the_end_of_a_call_stands_once_on_the_timeline(ring, account):
    make_slots(account)
    person = make_callee(account, time_zone="UTC")
    line = ring(person)
    play(line, ["yes", "#1", "yes", "!hangup", "!completed"], [])
    kinds = TimelineEntry.objects.filter(contact=person).values_list("kind", flat=True)
    assert sorted(kinds) == ["appointment_booked", "email_sent", "phone_call"]


def test_the_turns_are_kept_with_what_was_meant(ring, account):
    make_slots(account)
    line = ring(make_callee(account, time_zone="UTC"))
    play(line, ["yes", "#2", "yes"], [])
    turns = CallTurn.objects.filter(call__sid=line.sid).values_list("number", "words", "digits", "intent")
    assert [row[:3] for row in turns] == [(0, "", ""), (1, "yes", ""), (2, "", "2"), (3, "yes", "")]
    assert turns[2][3] == "choose"


def test_of_two_who_want_the_last_time_one_has_it(ring, account):
    make_slots(account, 1)
    first = ring(make_callee(account, time_zone="UTC"))
    second = ring(make_callee(account, phone="+4915187654321", time_zone="UTC"))
    for line in (first, second):
        play(line, ["yes", "yes"], [])
    first.say("yes")
    said = second.say("yes")
    assert Appointment.objects.get().call.sid == first.sid
    assert "somebody else" in said or "no other time" in said
    assert PhoneCall.objects.get(sid=second.sid).status == "failed"


def test_when_the_database_says_no_another_time_is_offered(ring, account, monkeypatch):
    """The slot went in the moment between reading what is free and booking."""
    slots = make_slots(account, 2)
    line = ring(make_callee(account, time_zone="UTC"))
    play(line, ["yes", "#1"], slots)
    free = booking.slots_of(account)
    take(slots[0])
    with monkeypatch.context() as patch:
        patch.setattr(booking, "slots_of", lambda *_given, **_more: free)
        said = line.say("yes")
    assert "somebody else" in said
    assert line.is_open
    assert not PhoneCall.objects.get().confirmed_slot
    play_on = [line.press("1"), line.press("1")]
    assert play_on
    assert PhoneCall.objects.get().outcome == "booked"
    assert Appointment.objects.get(call__sid=line.sid).slot == slots[1]


def test_a_time_of_a_later_week_is_found_behind_many_earlier_ones(ring, account):
    last = make_slots(account, 100, hours_apart=6)[-1].starts_at
    line = ring(make_callee(account, time_zone="UTC"))
    line.answer()
    line.say("yes")
    said = line.say(f"Do you have anything on {last:%B} {last.day}?")
    assert f"{last:%A} {last.day} {last:%B}" in said
    assert "nothing" not in said


def test_two_interviewers_at_one_time_are_one_time_to_the_person(ring, account):
    (slot,) = make_slots(account, 1)
    make_slots(account, 2)
    line = ring(make_callee(account, time_zone="UTC"))
    line.answer()
    assert line.say("yes").count(f"{slot.starts_at:%A} {slot.starts_at.day} ") == 1
    assert "Shall I book it?" in line.say(f"{slot.starts_at:%A} at ten")
    line.say("yes")
    other = ring(make_callee(account, phone="+4915112345679", time_zone="UTC"))
    other.answer()
    assert "Shall I book it?" in other.say(f"Yes, {slot.starts_at:%A} at ten")
    other.say("yes")
    taken = Appointment.objects.values_list("slot__starts_at", flat=True)
    assert list(taken) == [slot.starts_at, slot.starts_at]


def test_after_the_end_nothing_can_be_booked(ring, account):
    make_slots(account)
    line = ring(make_callee(account, time_zone="UTC"))
    play(line, ["yes", "#1"], [])
    line.report("completed")
    line.say("yes")
    row = PhoneCall.objects.get()
    assert (row.status, row.outcome) == ("failed", "hung_up")
    assert not Appointment.objects.exists()
