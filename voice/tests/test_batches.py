"""Bulk calls: so many at once, each person once, at hours of their own, paused when calls fail in a row."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from crm import consent
from tests.fakes.twilio_server import Behaviour, Fault
from voice import audience, batches, booking, calls, dialling, tasks
from voice.models import CallBatch, Callee, PhoneCall, TimeSlot
from voice.tests.batching import dial, figures, make_batch, make_people, started, states
from voice.tests.conftest import make_callee, make_slots
from voice.tests.test_races import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def end(line="completed", **chosen):
    """The first call that goes on ends."""
    call = PhoneCall.objects.filter(status="active", **chosen).order_by("started_at").first()
    calls.report(call.pk, line)


def test_no_more_calls_are_in_progress_than_the_batch_allows(twilio, account):
    batch = make_batch(account, make_people(account, 4), calls_at_once=2)
    batches.start(batch)
    assert len(twilio.forms) == 2
    assert states(batch) == ["calling", "calling", "waiting", "waiting"]
    end()  # a call that ended makes room for the next, without a sweep
    assert len(twilio.forms) == 3
    for _left in range(3):
        end()
    batch.refresh_from_db()
    assert (batch.state, len(twilio.forms), states(batch)) == ("finished", 4, ["done"] * 4)
    assert figures(batch).outcomes == {"hung_up": 4}


def test_workers_that_dial_at_once_call_each_person_once_and_keep_to_the_number(twilio, account):
    batch = started(make_batch(account, make_people(account, 6), calls_at_once=4))
    at_once(lambda _worker: dial(batch), range(3))
    assert len(twilio.forms) == 4
    assert len({form["To"][0] for form in twilio.forms}) == 4


def test_a_worker_killed_before_the_call_has_a_row_rang_nobody(twilio, account):
    batch = started(make_batch(account, make_people(account, 1)))
    claimed = dialling.claim(batch, now=timezone.now() - dialling.LEASE - timedelta(seconds=1))
    assert dial(batch) is False
    assert len(twilio.forms) == 1
    claimed.refresh_from_db()
    assert claimed.state == "calling"


def test_a_claim_that_is_being_worked_on_is_left_alone(twilio, account):
    batch = started(make_batch(account, make_people(account, 1)))
    dialling.claim(batch, now=timezone.now())
    dial(batch)
    assert (twilio.forms, states(batch)) == ([], ["claimed"])


def killed_while_asking(batch):
    """As a worker leaves it that was killed between the call's row and Twilio's answer."""
    at = timezone.now() - dialling.LEASE - timedelta(seconds=1)
    callee = dialling.claim(batch, now=at)
    return PhoneCall.objects.create(
        account=batch.account,
        contact=callee.contact,
        callee=callee,
        to_number="+4915112300000",
        started_at=at,
    )


def test_whether_it_rang_before_the_kill_is_for_a_person_to_decide(twilio, account):
    batch = started(make_batch(account, make_people(account, 1)))
    killed_while_asking(batch)
    dial(batch)
    dial(batch)
    batch.refresh_from_db()
    assert (twilio.forms, states(batch), batch.state) == ([], ["unknown"], "running")
    assert batches.decide(Callee.objects.get(), again=True)
    assert len(twilio.forms) == 1
    assert [call.attempt for call in PhoneCall.objects.order_by("attempt")] == [1, 2]
    assert not batches.decide(Callee.objects.get(), again=True)


def test_an_unknown_call_may_be_left_at_that(twilio, account):
    batch = started(make_batch(account, make_people(account, 1)))
    killed_while_asking(batch)
    dial(batch)
    assert batches.decide(Callee.objects.get(), again=False)
    batch.refresh_from_db()
    assert (twilio.forms, states(batch), batch.state) == ([], ["done"], "finished")


def test_an_unknown_call_that_reports_is_known_and_can_not_be_decided_about(twilio, account):
    batch = started(make_batch(account, make_people(account, 1)))
    call = killed_while_asking(batch)
    dial(batch)
    callee = Callee.objects.get()
    calls.report(call.pk, "ringing")
    assert not batches.decide(callee, again=True)
    dial(batch)
    assert states(batch) == ["calling"]


def test_a_worker_thought_dead_does_not_ring_a_second_time(twilio, account):
    batch = started(make_batch(account, make_people(account, 1)))
    slow = dialling.claim(batch, now=timezone.now() - dialling.LEASE - timedelta(seconds=1))
    dial(batch)
    dialling.call(batch, slow)
    assert len(twilio.forms) == 1
    assert states(batch) == ["calling"]


def test_failures_in_a_row_pause_the_batch_and_say_why(twilio, account):
    twilio.script(*[Behaviour(Fault.STATUS, status=400, code=21220)] * 3)
    batch = make_batch(account, make_people(account, 6), calls_at_once=1, pause_after=3)
    batches.start(batch)
    batch.refresh_from_db()
    assert batch.state == "paused"
    assert batch.state_reason.startswith("3 calls in a row could not be placed.")
    assert "21220" in batch.state_reason
    assert len(twilio.forms) == 0
    assert states(batch) == ["waiting"] * 6  # those three again after an hour, by the retry rules
    batches.resume(batch.pk)  # all is well again
    assert len(twilio.forms) == 1


def test_a_call_that_rang_ends_the_row_of_failures(twilio, account):
    failed = Behaviour(Fault.STATUS, status=400, code=21220)
    twilio.script(failed, failed, Behaviour(), failed, failed)
    batch = make_batch(account, make_people(account, 6), calls_at_once=1, pause_after=3)
    batches.start(batch)
    end("busy")
    batch.refresh_from_db()
    assert batch.state == "running"


def test_lost_answers_count_as_failures_and_are_unknown(twilio, account):
    twilio.script(*[Behaviour(Fault.NOT_DONE)] * 2)
    batch = make_batch(account, make_people(account, 4), calls_at_once=4, pause_after=2)
    batches.start(batch)
    batch.refresh_from_db()
    assert batch.state == "paused"
    assert states(batch) == ["unknown", "unknown", "waiting", "waiting"]


def test_a_number_that_cannot_be_called_is_not_tried_again(twilio, account):
    twilio.script(Behaviour(Fault.STATUS, status=400, code=21211))
    batch = make_batch(account, make_people(account, 1))
    batches.start(batch)
    batch.refresh_from_db()
    assert (batch.state, figures(batch).outcomes) == ("finished", {"not_placed": 1})


def test_who_was_not_reached_is_called_again_by_the_retry_rules_within_the_number(twilio, account, settings):
    settings.RETRY_MINUTES = {"no_answer": (120,)}
    batch = make_batch(account, make_people(account, 2), calls_at_once=1)
    batches.start(batch)
    end("no-answer")
    first = Callee.objects.order_by("id").first()
    assert (first.state, first.outcome) == ("waiting", "no_answer")
    assert timedelta(minutes=119) < first.next_at - timezone.now() < timedelta(minutes=121)
    tasks.call_again()
    Callee.objects.filter(pk=first.pk).update(next_at=timezone.now())
    PhoneCall.objects.filter(callee=first).update(retry_at=timezone.now())
    tasks.call_again()  # not before the batch has room
    dial(batch)
    assert len(twilio.forms) == 2
    end("completed")
    assert len(twilio.forms) == 3
    end("no-answer")
    first.refresh_from_db()
    batch.refresh_from_db()
    assert (first.state, first.outcome, batch.state) == ("done", "no_answer", "finished")
    assert [call.attempt for call in first.calls.order_by("attempt")] == [1, 2]


def test_a_paused_or_cancelled_batch_calls_nobody(twilio, account):
    batch = make_batch(account, make_people(account, 3), calls_at_once=1)
    batches.start(batch)
    assert batches.pause(batch.pk, reason="Lunch.")
    end("no-answer")
    tasks.sweep()
    assert len(twilio.forms) == 1
    assert batches.cancel(batch.pk)
    tasks.sweep()
    assert len(twilio.forms) == 1
    assert states(batch) == ["cancelled"] * 3
    assert not PhoneCall.objects.exclude(retry_at=None).exists()
    assert not batches.resume(batch.pk)


def test_a_call_of_a_cancelled_batch_goes_on_and_is_followed_by_none(twilio, account):
    batch = make_batch(account, make_people(account, 1))
    batches.start(batch)
    batches.cancel(batch.pk)
    assert states(batch) == ["calling"]
    end("no-answer")
    assert states(batch) == ["cancelled"]
    assert not PhoneCall.objects.exclude(retry_at=None).exists()


@pytest.mark.parametrize(
    ("setting", "value", "says"),
    [("TWILIO_AUTH_TOKEN", "", "TWILIO_AUTH_TOKEN"), ("WEBHOOK_BASE_URL", "http://localhost", "public")],
)
def test_what_keeps_everybody_from_being_called_pauses_before_anybody_is(
    twilio, account, settings, setting, value, says
):
    setattr(settings, setting, value)
    batch = make_batch(account, make_people(account, 2))
    batches.start(batch)
    batch.refresh_from_db()
    assert batch.state == "paused"
    assert says in batch.state_reason
    assert states(batch) == ["waiting", "waiting"]


def test_nobody_is_called_while_no_time_is_on_offer(twilio, account):
    batch = make_batch(account, make_people(account, 1))
    TimeSlot.objects.update(is_offered=False)
    batches.start(batch)
    batch.refresh_from_db()
    assert (batch.state, batch.state_reason) == (
        "paused",
        "No time is on offer. Add time slots, then resume.",
    )


def test_a_batch_whose_last_call_took_the_last_time_is_finished(twilio, account):
    (slot,) = make_slots(account, 1)
    batch = make_batch(account, make_people(account, 1))
    batches.start(batch)
    booking.book(PhoneCall.objects.get(), str(slot.pk))
    end()
    batch.refresh_from_db()
    assert batch.state == "finished"


def test_the_sweep_goes_on_with_what_a_lost_wake_up_left(twilio, account):
    batch = started(make_batch(account, make_people(account, 1)))
    tasks.sweep()
    assert len(twilio.forms) == 1
    assert states(batch) == ["calling"]


def test_nobody_is_called_who_must_not_be(twilio, account):
    no_consent, said_no, stopped, no_number, called = make_mixed(account)
    batch = make_batch(account, [no_consent, said_no, stopped, no_number, called])
    batches.start(batch)
    assert [form["To"][0] for form in twilio.forms] == ["+4915112399999"]
    reasons = {one.contact: one.reason for one in batch.people.filter(state="skipped")}
    assert reasons == {
        no_consent: "no_consent",
        said_no: "declined",
        stopped: "unsubscribe",
        no_number: "no_phone_number",
    }


def make_mixed(account):
    no_consent = make_callee(account, phone="+4915112311111", agrees=False)
    said_no = make_callee(account, phone="+4915112322222")
    consent.record(said_no, "phone", "invitation", given=False, source="phone call")
    stopped = make_callee(account, phone="+4915112333333")
    consent.suppress(account, "phone", "+4915112333333", "unsubscribe")
    return (
        no_consent,
        said_no,
        stopped,
        make_callee(account, phone="12345"),
        make_callee(account, "+4915112399999"),
    )


AT = datetime(2027, 1, 12, 20, 30, tzinfo=UTC)  # half past nine in the evening in Berlin


def agreed_before(people):
    for one in people:
        consent.record(
            one, "phone", "invitation", given=True, source="x", at=datetime(2026, 1, 1, tzinfo=UTC)
        )


def test_the_preview_says_who_is_called_who_later_and_who_not(account, settings):
    settings.CALL_HOURS = (8, 21)
    mixed = make_mixed(account)
    abroad = make_callee(account, phone="+12125550123", time_zone="America/New_York")
    agreed_before([mixed[-1], abroad])
    found = audience.audience_of(make_batch(account, [*mixed, abroad]), now=AT)
    assert (found.will_be_called, found.later) == (1, 1)
    assert found.skipped == {"no_consent": 1, "declined": 1, "unsubscribe": 1, "no_phone_number": 1}
    words = audience.sentence(found)
    assert words.startswith("1 will be called now; 1 later, outside their hours now; 4 skipped: ")
    assert "1 do not call: asked for it" in words


def test_the_preview_asks_as_often_for_many_people_as_for_few(account, settings, django_assert_num_queries):
    settings.CALL_HOURS = (0, 24)
    few, many = make_batch(account, make_people(account, 2)), make_batch(account)
    for person in make_people_beyond(account, 20):
        Callee.objects.create(batch=many, contact=person)
    with django_assert_num_queries(7):
        assert audience.audience_of(few).will_be_called == 2
    with django_assert_num_queries(7):
        assert audience.audience_of(many).will_be_called == 20


def make_people_beyond(account, count):
    return [make_callee(account, phone=f"+49151124{number:05d}") for number in range(count)]


def test_outside_their_hours_people_wait_for_their_morning(twilio, account, settings):
    import time_machine

    settings.CALL_HOURS = (8, 21)
    with time_machine.travel(AT, tick=False):
        person = make_callee(account, time_zone="Europe/Berlin")
        batch = make_batch(account, [person])
        batches.start(batch)
        callee = Callee.objects.get()
    assert twilio.forms == []
    assert (callee.state, callee.next_at) == ("waiting", datetime(2027, 1, 13, 7, 0, tzinfo=UTC))


def test_a_batch_without_people_does_not_start(twilio, account):
    with pytest.raises(batches.MoveRefused):
        batches.start(make_batch(account))


def test_people_are_added_once_and_only_of_the_account_and_so_many(account, settings):
    from crm.models import Contact
    from tests.factories import make_account

    people, batch = make_people(account, 3), make_batch(account)
    make_callee(make_account("other"))
    assert batches.add(batch, Contact.objects.all()) == 3
    assert batches.add(batch, Contact.objects.filter(pk=people[0].pk)) == 0
    settings.BATCH_PEOPLE = 3
    make_callee(account, phone="+4915199999999")
    with pytest.raises(batches.MoveRefused):
        batches.add(batch, Contact.objects.all())
    assert CallBatch.objects.get().people.count() == 3


def test_erasing_a_person_takes_them_out_of_batches(twilio, account):
    from voice import personal_data

    (person,) = make_people(account, 1)
    batch = make_batch(account, [person])
    batches.start(batch)
    personal_data.erase(person)
    assert not batch.people.exists()
