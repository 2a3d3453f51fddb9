"""Calls that reached nobody: followed by others as the settings say, at hours of the person's own day."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from crm import consent
from tests.fakes.twilio_server import Behaviour, Fault
from voice import gates, retrying, tasks
from voice.models import Appointment, PhoneCall
from voice.tests.conftest import make_callee, make_slots
from voice.tests.simulator import Line
from voice.tests.test_races import at_once

pytestmark = pytest.mark.django_db(transaction=True)
GAPS = {"no_answer": (120, 1440), "busy": (15,), "voicemail": (1440,), "not_placed": (60,)}


@pytest.fixture(autouse=True)
def gaps(settings):
    settings.RETRY_MINUTES = GAPS


@pytest.fixture
def person(account):
    make_slots(account, 2)
    return make_callee(account, email="ada@example.com", time_zone="Europe/Berlin")


@pytest.fixture
def unanswered(ring, person):
    ring(person).report("no-answer")
    return PhoneCall.objects.get()


def make_due(call):
    PhoneCall.objects.filter(pk=call.pk).update(retry_at=timezone.now())


def minutes_until_next(call):
    return round((call.retry_at - call.ended_at).total_seconds() / 60)


@pytest.mark.parametrize(("report", "minutes"), [("no-answer", 120), ("busy", 15), ("failed", 60)])
def test_each_outcome_has_its_own_gap(ring, person, report, minutes):
    ring(person).report(report)
    assert minutes_until_next(PhoneCall.objects.get()) == minutes


@pytest.mark.parametrize("report", ["completed", "canceled"])
def test_other_ends_are_followed_by_nothing(ring, person, report):
    ring(person).report(report)
    assert PhoneCall.objects.get().retry_at is None


@pytest.mark.parametrize("outcome", sorted(GAPS))
def test_no_gaps_are_no_further_attempts(ring, person, settings, outcome):
    settings.RETRY_MINUTES = {**GAPS, outcome: ()}
    line = ring(person)
    if outcome == "voicemail":
        line.answer(AnsweredBy="machine_end_beep")
        assert "try again" not in line.heard[-1]
    else:
        line.report({"no_answer": "no-answer", "not_placed": "failed"}.get(outcome, outcome))
    assert PhoneCall.objects.get().retry_at is None


@pytest.mark.parametrize("machine", ["machine_end_beep", "machine_end_silence", "machine_start", "fax"])
def test_a_machine_gets_a_message_and_the_person_another_call(ring, person, machine):
    line = ring(person)
    assert "We will try again another time" in line.answer(AnsweredBy=machine)
    assert not line.is_open
    before = PhoneCall.objects.get()
    line.hang_up()
    after = PhoneCall.objects.get()
    assert (after.outcome, after.answered_by) == ("voicemail", machine)
    assert before.retry_at == after.retry_at > timezone.now() + timedelta(hours=23)


@pytest.mark.parametrize("answered_by", ["human", "unknown", ""])
def test_a_person_is_greeted(ring, person, answered_by):
    assert "automated" in ring(person).answer(AnsweredBy=answered_by)
    assert PhoneCall.objects.get().status == "active"


def test_a_machine_that_talks_is_recognised_by_its_words(ring, person):
    line = ring(person)
    line.answer()
    line.say("please leave a message after the tone")
    call = PhoneCall.objects.get()
    assert (call.outcome, call.retry_at is not None) == ("voicemail", True)


def test_the_sweep_places_the_next_attempt_once(unanswered, twilio):
    make_due(unanswered)
    tasks.sweep()
    tasks.sweep()
    first, second = PhoneCall.objects.order_by("started_at")
    assert (first.retry_at, second.retry_of, second.attempt) == (None, first, 2)
    assert second.invitation == first.invitation
    assert len(twilio.forms) == 2


def test_nothing_is_placed_before_it_is_due(unanswered, twilio):
    tasks.sweep()
    assert len(twilio.forms) == 1


def test_attempts_end(unanswered, twilio, web):
    for _attempt in range(4):
        PhoneCall.objects.filter(retry_at__isnull=False).update(retry_at=timezone.now())
        tasks.sweep()
        for sid in list(twilio.calls)[1:]:
            Line.of(web, twilio, sid).report("no-answer")
    assert [call.attempt for call in PhoneCall.objects.order_by("started_at")] == [1, 2, 3]
    assert not PhoneCall.objects.filter(retry_at__isnull=False)


def test_many_workers_ring_once(unanswered, twilio):
    make_due(unanswered)
    assert len([one for one in at_once(retrying.call_again, [unanswered.pk] * 4) if one]) == 1
    assert len(twilio.forms) == 2


def test_a_worker_killed_after_the_call_was_written_rings_nobody_again(unanswered, twilio):
    """What such a worker leaves: the attempt's row, and the lease of the call before it, run out."""
    make_due(unanswered)
    retrying.call_again(unanswered.pk)
    make_due(unanswered)
    tasks.sweep()
    assert len(twilio.forms) == 2
    assert retrying.due() == []


def test_a_lost_answer_is_looked_up_and_not_placed_again(unanswered, twilio):
    make_due(unanswered)
    twilio.script(Behaviour(fault=Fault.LOST_ANSWER))
    tasks.sweep()
    tasks.sweep()
    assert len(twilio.forms) == 2
    assert PhoneCall.objects.exclude(sid=None).count() == 2


def test_an_attempt_that_twilio_does_not_take_is_followed_by_the_next(unanswered, twilio, settings):
    settings.RETRY_MINUTES = {**GAPS, "not_placed": (60, 60)}
    make_due(unanswered)
    twilio.script(Behaviour(fault=Fault.STATUS, status=400, code=21220))
    tasks.sweep()
    second = PhoneCall.objects.get(attempt=2)
    assert (second.outcome, minutes_until_next(second)) == ("not_placed", 60)
    unanswered.refresh_from_db()
    assert unanswered.retry_at is None


def test_whoever_heard_that_nobody_was_called_decides_alone(api, twilio, person):
    twilio.script(Behaviour(fault=Fault.STATUS, status=400, code=21220))
    answer = api.post("/make-actual-call", {"candidate_id": str(person.pk)}, content_type="application/json")
    assert answer.status_code == 502
    assert PhoneCall.objects.get().retry_at is None


def test_do_not_call_stops_what_is_due(unanswered, twilio, ring):
    """The person rings back as staff call by hand, and says so."""
    line = ring(unanswered.contact)
    line.answer()
    PhoneCall.objects.filter(pk=unanswered.pk).update(retry_at=timezone.now())
    line.say("stop calling me")
    assert not PhoneCall.objects.filter(retry_at__isnull=False)
    tasks.sweep()
    assert len(twilio.forms) == 2


def test_a_number_on_do_not_call_is_not_rung_again(unanswered, twilio):
    consent.suppress(unanswered.account, "phone", unanswered.to_number, "manual")
    make_due(unanswered)
    tasks.sweep()
    unanswered.refresh_from_db()
    assert len(twilio.forms) == 1
    assert unanswered.retry_at is None
    assert unanswered.error.startswith("Not called again.")


def test_whoever_was_called_meanwhile_is_not_called_again_for_it(unanswered, twilio, ring):
    ring(unanswered.contact).report("completed")
    make_due(unanswered)
    tasks.sweep()
    assert len(twilio.forms) == 2


def test_whoever_has_a_time_is_not_called_for_one(unanswered, twilio, account):
    (slot,) = make_slots(account, 1, hours_apart=1)
    Appointment.objects.create(account=account, slot=slot, contact=unanswered.contact)
    make_due(unanswered)
    tasks.sweep()
    assert len(twilio.forms) == 1


@pytest.mark.parametrize(
    ("zone", "hour", "then"),
    [
        ("Europe/Berlin", 20, "2026-03-03T07:00"),  # 22 o'clock there: the next morning at 8
        ("Europe/Berlin", 10, "2026-03-02T10:00"),
        ("Asia/Tokyo", 15, "2026-03-02T23:00"),
        ("Europe/Berlin", 3, "2026-03-02T07:00"),
    ],
)
def test_the_next_attempt_waits_for_the_persons_own_day(account, settings, zone, hour, then):
    settings.CALL_HOURS = (8, 21)
    person = make_callee(account, time_zone=zone)
    at = gates.next_hour(person, "+4915112345678", after=datetime(2026, 3, 2, hour, tzinfo=UTC))
    assert at == datetime.fromisoformat(then).replace(tzinfo=UTC)


def test_the_clock_that_is_set_forward_in_the_night_counts(account, settings):
    settings.CALL_HOURS = (8, 21)
    person = make_callee(account, time_zone="Europe/Berlin")
    at = gates.next_hour(person, "+4915112345678", after=datetime(2026, 3, 28, 21, tzinfo=UTC))
    assert at == datetime(2026, 3, 29, 6, tzinfo=UTC)  # eight o'clock, summer time


def test_zones_without_a_common_hour_have_no_next_attempt(account, settings, monkeypatch):
    settings.CALL_HOURS = (8, 9)
    zones = [gates.first_zone("Asia/Tokyo"), gates.first_zone("Europe/Berlin")]
    monkeypatch.setattr(gates, "zones_of", lambda *_: zones)
    assert gates.next_hour(make_callee(account), "+1", after=timezone.now()) is None


def test_what_comes_due_at_night_waits_for_the_morning(unanswered, twilio, settings):
    now = timezone.now()
    there = now.astimezone(gates.first_zone("Europe/Berlin"))
    begins = (there.hour + 2) % 24
    settings.CALL_HOURS = (begins, begins + 1)
    make_due(unanswered)
    assert retrying.call_again(unanswered.pk) is None
    unanswered.refresh_from_db()
    assert now < unanswered.retry_at <= now + timedelta(hours=2, minutes=15)
    assert len(twilio.forms) == 1


def test_a_deleted_call_is_followed_by_nothing(unanswered, api, twilio):
    make_due(unanswered)
    assert api.delete(f"/conversations/{unanswered.sid}").status_code == 200
    tasks.sweep()
    assert len(twilio.forms) == 1
