"""Follow-ups: who gets which, when, and what stops them. The clock is moved; the sweep does the rest."""

from datetime import UTC, datetime, time, timedelta
from email import message_from_string, policy

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.utils import timezone

from campaigns import followups, inviting, leaving, outcomes, sending, states, tasks, unsubscribing
from campaigns.models import Campaign, Delivery, EmailEvent, Recipient, Step
from campaigns.tests.following import DAY, START, after, interview_of, stepped_campaign, steps_sent
from crm import consent, talk
from crm.models import AccessLink
from interviews import starting
from interviews.models import Interview
from tests.factories import make_campaign, make_contact

pytestmark = pytest.mark.django_db


@pytest.fixture
def clock():
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


def begun(campaign):
    states.begin(campaign.pk)
    tasks.sweep()
    tasks.sweep()
    return campaign


def test_a_followup_comes_after_its_delay_and_not_before(clock):
    campaign = begun(stepped_campaign(delays=[3 * DAY, 4 * DAY]))
    assert steps_sent(campaign) == {0: 1}
    after(clock, days=2, minutes=DAY - 1)
    assert steps_sent(campaign) == {0: 1}
    after(clock, minutes=2)
    assert steps_sent(campaign) == {0: 1, 1: 1}
    after(clock, days=4, minutes=1)
    assert steps_sent(campaign) == {0: 1, 1: 1, 2: 1}
    campaign.refresh_from_db()
    assert campaign.state == "finished"
    person = campaign.recipients.get()
    assert (person.emails_sent, person.next_at) == (3, None)


def test_a_campaign_with_followups_to_come_is_not_finished(clock):
    campaign = begun(stepped_campaign())
    campaign.refresh_from_db()
    assert campaign.state == "running"
    assert states.progress([campaign.pk])[campaign.pk].followed == 1


def test_a_followup_answers_the_first_email_and_has_a_link_that_works(clock):
    campaign = begun(stepped_campaign())
    after(clock, days=3, minutes=1)
    first, second = Delivery.objects.order_by("step")
    email = message_from_string(second.rendered, policy=policy.default)
    assert email["In-Reply-To"] == email["References"] == first.message_id
    assert email["Subject"] == f"Re: {first.subject}"
    assert email["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    tokens = [link for link in AccessLink.objects.filter(purpose="conversation")]
    assert len(tokens) == 2
    assert {link.conversation_id for link in tokens} == {interview_of(campaign).conversation_id}
    assert {link.revoked_at for link in tokens} == {None}


def test_a_step_may_have_a_subject_of_its_own(clock):
    campaign = stepped_campaign()
    Step.objects.update(keeps_subject=False)
    begun(campaign)
    after(clock, days=3, minutes=1)
    assert Delivery.objects.get(step=1).subject == "Still there?"


def reply(campaign):
    followups.stop(campaign.recipients.all(), Recipient.Stop.REPLIED)


def complete(campaign):
    Interview.objects.update(state="completed", completed_at=timezone.now())


def decline(campaign):
    starting.decline(interview_of(campaign).pk)


def unsubscribe(campaign):
    link = AccessLink.objects.filter(purpose="unsubscribe").first()
    unsubscribing.unsubscribe(link, how="test")


def bounce(campaign):
    delivery = Delivery.objects.first()
    consent.suppress(delivery.account, "email", delivery.to_email, "hard_bounce")


def complain(campaign):
    delivery = Delivery.objects.first()
    consent.suppress(delivery.account, "email", delivery.to_email, "complaint")


def take_over_and_hand_back(campaign):
    interview = interview_of(campaign)
    starting.begin(interview.pk, consent_evidence={})
    interview.conversation.refresh_from_db()
    talk.take_over(interview.conversation, get_user_model().objects.create_user("staff"))
    talk.hand_back(interview.conversation)


def expire(campaign):
    Interview.objects.update(expires_at=timezone.now())


STOPS = [
    (reply, "replied"),
    (complete, "completed"),
    (decline, "declined"),
    (unsubscribe, "unsubscribed"),
    (bounce, "bounced"),
    (complain, "complained"),
    (take_over_and_hand_back, "taken_over"),
    (expire, "expired"),
]


@pytest.mark.parametrize(("happens", "reason"), STOPS)
def test_what_stops_a_person_before_the_followup_is_due(clock, happens, reason):
    campaign = begun(stepped_campaign())
    happens(campaign)
    after(clock, days=3, minutes=1)
    assert steps_sent(campaign) == {0: 1}
    person = campaign.recipients.get()
    assert (person.stop_reason, person.next_at) == (reason, None)
    campaign.refresh_from_db()
    assert campaign.state == "finished"


@pytest.mark.parametrize(("happens", "reason"), STOPS)
def test_what_stops_a_person_between_the_queue_and_the_sending(clock, happens, reason):
    campaign = begun(stepped_campaign())
    clock.move_to(START + timedelta(days=3, minutes=1))
    followups.follow_up(campaign.pk)
    assert Delivery.objects.get(step=1).state == "queued"
    happens(campaign)
    sending.send_due(None)
    late = Delivery.objects.get(step=1)
    assert (late.state, late.rendered) == ("cancelled", "")
    assert reason[:4] in late.last_reply or late.last_reply in ("unsubscribe", "hard_bounce", "complaint")
    assert campaign.recipients.get().stop_reason == reason
    assert EmailEvent.objects.filter(delivery=late, kind="cancelled").count() == 1


def test_a_person_stopped_while_a_sender_holds_the_email_gets_none(clock):
    from campaigns import claiming

    campaign = begun(stepped_campaign())
    clock.move_to(START + timedelta(days=3, minutes=1))
    followups.follow_up(campaign.pk)
    claim = claiming.new_claim()
    held = claiming.claim_due(None, claim=claim, limit=5)
    reply(campaign)
    assert claiming.begin_data([one.pk for one in held], claim=claim) == set()
    claiming.release([one.pk for one in held], claim=claim)
    sending.send_due(None)
    assert Delivery.objects.get(step=1).state == "cancelled"


def test_the_first_reason_stays_and_stopping_twice_changes_nothing(clock):
    campaign = begun(stepped_campaign())
    assert followups.stop(campaign.recipients.all(), "replied") == 1
    assert followups.stop(campaign.recipients.all(), "completed") == 0
    assert campaign.recipients.get().stop_reason == "replied"


def test_stopping_a_contact_stops_every_campaign_but_not_who_only_waits(clock):
    contact = make_contact()
    invited, waiting = stepped_campaign(people=0), stepped_campaign(people=0)
    for campaign in (invited, waiting):
        Recipient.objects.create(campaign=campaign, contact=contact)
    begun(invited)
    assert followups.stop_contact(contact, "taken_over") == 1
    assert waiting.recipients.get().state == "waiting"


def test_staff_stop_somebody_who_waits_and_they_are_skipped(clock):
    campaign = stepped_campaign()
    followups.stop(campaign.recipients.all(), "staff")
    begun(campaign)
    assert campaign.recipients.get().state == "skipped"
    assert not Delivery.objects.exists()


@pytest.mark.parametrize(
    ("condition", "state", "is_sent"),
    [
        ("always", "opened", True),
        ("always", "started", True),
        ("not_started", "opened", True),
        ("not_started", "started", False),
        ("not_started", "abandoned", False),
        ("started", "invited", False),
        ("started", "abandoned", True),
    ],
)
def test_a_step_goes_to_those_its_condition_names(clock, condition, state, is_sent):
    campaign = begun(stepped_campaign(condition=condition))
    Interview.objects.update(state=state)
    after(clock, days=3, minutes=1)
    assert (1 in steps_sent(campaign)) is is_sent


def test_a_step_left_out_does_not_hold_the_next_one(clock):
    campaign = stepped_campaign(delays=[DAY, DAY])
    Step.objects.filter(position=1).update(condition="started")
    begun(campaign)
    after(clock, days=1, minutes=1)
    after(clock, days=1, minutes=1)
    assert steps_sent(campaign) == {0: 1, 2: 1}


def test_a_condition_that_fails_after_queueing_leaves_the_email_out_and_goes_on(clock):
    campaign = begun(stepped_campaign(delays=[DAY, DAY], condition="not_started"))
    Step.objects.filter(position=2).update(condition="always")
    clock.move_to(START + timedelta(days=1, minutes=1))
    followups.follow_up(campaign.pk)
    Interview.objects.update(state="started")
    sending.send_due(None)
    assert Delivery.objects.get(step=1).state == "cancelled"
    after(clock, days=1, minutes=1)
    assert steps_sent(campaign) == {0: 1, 2: 1}


def test_the_delay_counts_from_the_true_time_of_sending(clock):
    campaign = stepped_campaign()
    states.begin(campaign.pk)
    inviting.invite_people(campaign.pk)
    clock.move_to(START + timedelta(days=2))  # the sender was away for two days
    tasks.send_due(None)
    after(clock, days=1, minutes=1)
    assert steps_sent(campaign) == {0: 1}
    after(clock, days=2)
    assert steps_sent(campaign) == {0: 1, 1: 1}


def test_an_email_that_is_still_under_way_holds_the_next(clock):
    campaign = stepped_campaign(delays=[5])
    states.begin(campaign.pk)
    inviting.invite_people(campaign.pk)
    clock.move_to(START + timedelta(minutes=6))
    followups.follow_up(campaign.pk)
    assert Delivery.objects.count() == 1
    assert campaign.recipients.get().next_at == START + timedelta(minutes=21)


def test_a_person_whose_email_failed_is_not_followed_up(clock):
    campaign = begun(stepped_campaign())
    Delivery.objects.update(state="failed")
    after(clock, days=3, minutes=1)
    assert campaign.recipients.get().stop_reason == "failed"


# --- The schedule ------------------------------------------------------------------------------------------


def test_the_documented_scheduler_sends_max_emails_with_its_interval(clock):
    rules = {"max_emails": 4, "interval_minutes": 60, "repeats_last_step": True}
    campaign = begun(stepped_campaign(delays=[1], schedule=rules, is_standing=True))
    for _hour in range(8):
        after(clock, minutes=61)
    assert steps_sent(campaign) == {0: 1, 1: 1, 2: 1, 3: 1}
    campaign.refresh_from_db()
    assert campaign.state == "running"


def test_a_higher_maximum_goes_on_where_it_ended(clock):
    rules = {"max_emails": 2, "interval_minutes": 60, "repeats_last_step": True}
    campaign = begun(stepped_campaign(delays=[1], schedule=rules, is_standing=True))
    after(clock, minutes=61)
    after(clock, minutes=61)
    assert steps_sent(campaign) == {0: 1, 1: 1}
    campaign.schedule.__class__.objects.update(max_emails=3)
    assert followups.plan_again(campaign) == 1
    after(clock, minutes=1)
    assert steps_sent(campaign) == {0: 1, 1: 1, 2: 1}


def test_a_standing_campaign_invites_people_added_later(clock):
    campaign = begun(make_campaign(is_standing=True))
    Recipient.objects.create(campaign=campaign, contact=make_contact())
    after(clock, minutes=1)
    assert steps_sent(campaign) == {0: 1}


def test_new_people_are_invited_at_the_days_time(clock):
    campaign = begun(stepped_campaign(people=0, delays=[], schedule={"daily_at": time(9)}, is_standing=True))
    Recipient.objects.create(campaign=campaign, contact=make_contact())
    after(clock, minutes=60)
    assert steps_sent(campaign) == {}
    after(clock, to=datetime(2026, 11, 27, 9, 0, tzinfo=UTC))
    assert steps_sent(campaign) == {0: 1}


def test_a_days_invitations_keep_to_the_greatest_number(clock):
    campaign = begun(stepped_campaign(people=5, delays=[], schedule={"max_invitations_a_day": 2}))
    after(clock, minutes=30)
    assert steps_sent(campaign) == {0: 2}
    after(clock, to=datetime(2026, 11, 27, 0, 1, tzinfo=UTC))
    assert steps_sent(campaign) == {0: 4}
    after(clock, days=1)
    assert steps_sent(campaign) == {0: 5}
    campaign.refresh_from_db()
    assert campaign.state == "finished"


def test_each_person_is_written_to_in_their_own_morning(clock):
    campaign = stepped_campaign(people=0, delays=[], schedule={"send_from": time(9), "send_until": time(17)})
    for zone in ("Asia/Tokyo", "Europe/Warsaw", "America/New_York"):
        contact = make_contact(time_zone=zone)
        Recipient.objects.create(campaign=campaign, contact=contact)
    begun(campaign)  # 10:00 UTC: 19:00, 11:00 and 05:00
    assert steps_sent(campaign) == {0: 1}
    after(clock, to=datetime(2026, 11, 26, 14, 0, tzinfo=UTC))
    assert steps_sent(campaign) == {0: 2}
    after(clock, to=datetime(2026, 11, 27, 0, 0, tzinfo=UTC))
    assert steps_sent(campaign) == {0: 3}


def test_a_window_that_closed_before_the_sender_came_holds_the_email(clock):
    campaign = stepped_campaign(delays=[], schedule={"send_from": time(9), "send_until": time(17)})
    states.begin(campaign.pk)
    inviting.invite_people(campaign.pk)
    clock.move_to(datetime(2026, 11, 26, 17, 0, tzinfo=UTC))
    tasks.sweep()
    held = Delivery.objects.get()
    assert (held.state, held.not_before) == ("queued", datetime(2026, 11, 27, 9, 0, tzinfo=UTC))
    after(clock, to=held.not_before)
    assert steps_sent(campaign) == {0: 1}


def test_a_followup_over_the_change_of_clocks_comes_at_nine_by_the_new_time():
    before = datetime(2026, 3, 27, 9, 0, tzinfo=UTC)
    with time_machine.travel(before, tick=False) as clock:
        campaign = stepped_campaign(
            people=0, delays=[2 * DAY], schedule={"send_from": time(9), "send_until": time(17)}
        )
        contact = make_contact(time_zone="Europe/Warsaw")
        Recipient.objects.create(campaign=campaign, contact=contact)
        begun(campaign)
        after(clock, to=datetime(2026, 3, 29, 6, 59, tzinfo=UTC))
        assert steps_sent(campaign) == {0: 1}
        # 09:00 in summer time; two days have passed at 09:00 UTC
        after(clock, to=datetime(2026, 3, 29, 9, 0, tzinfo=UTC))
        assert steps_sent(campaign) == {0: 1, 1: 1}


@pytest.mark.parametrize("minutes", [-10, 10])
def test_a_clock_that_jumps_ten_minutes_sends_nothing_twice(clock, minutes):
    campaign = begun(stepped_campaign(people=3, delays=[60, 60]))
    after(clock, minutes=61)
    after(clock, minutes=minutes)
    after(clock, minutes=1)
    assert steps_sent(campaign) == {0: 3, 1: 3}


def test_a_sweep_that_was_dead_for_a_week_sends_one_followup_not_all(clock):
    campaign = begun(stepped_campaign(people=3, delays=[DAY, DAY, DAY]))
    after(clock, days=7)
    tasks.sweep()
    assert steps_sent(campaign) == {0: 3, 1: 3}
    after(clock, days=1, minutes=1)
    assert steps_sent(campaign) == {0: 3, 1: 3, 2: 3}


def test_a_cancelled_campaign_has_nothing_due(clock):
    campaign = begun(stepped_campaign())
    states.cancel(campaign.pk)
    after(clock, days=4)
    assert steps_sent(campaign) == {0: 1}
    assert campaign.recipients.get().stop_reason == "cancelled"


def test_a_paused_campaign_follows_nobody_up_until_it_goes_on(clock):
    campaign = begun(stepped_campaign())
    states.pause(campaign.pk)
    after(clock, days=4)
    assert steps_sent(campaign) == {0: 1}
    states.resume(campaign.pk)
    after(clock, minutes=1)
    assert steps_sent(campaign) == {0: 1, 1: 1}


def test_pausing_a_hundred_times_leaves_exact_counts(clock):
    campaign = stepped_campaign(people=7, delays=[1])
    states.begin(campaign.pk)
    for _round in range(100):
        states.pause(campaign.pk)
        tasks.sweep()
        states.resume(campaign.pk)
        tasks.sweep()
        clock.shift(timedelta(seconds=5))
    assert steps_sent(campaign) == {0: 7, 1: 7}
    figures = states.progress([campaign.pk])[campaign.pk]
    assert (figures.people, figures.sent, figures.followups_sent, figures.left) == (7, 7, 7, 0)


def test_a_person_with_an_interview_of_their_own_is_invited_to_it(clock):
    campaign = stepped_campaign()
    person = campaign.recipients.get()
    person.interview = starting.invite(campaign.guide, person.contact).interview
    person.save()
    begun(campaign)
    assert Interview.objects.count() == 1
    assert steps_sent(campaign) == {0: 1}


def test_the_queries_are_the_same_for_ten_people_and_for_a_hundred(clock, django_assert_max_num_queries):
    campaign = begun(stepped_campaign(people=100))
    clock.move_to(START + timedelta(days=3, minutes=1))
    with django_assert_max_num_queries(45):
        assert followups.follow_up(campaign.pk) == 100
    deliveries = list(Delivery.objects.filter(step=1).select_related("account", "contact__account"))
    with django_assert_max_num_queries(8):
        assert leaving.held_back(deliveries) == {}


def test_outcomes_of_other_mail_touch_no_recipient(clock):
    contact = make_contact()
    delivery = Delivery.objects.create(
        account=contact.account,
        contact=contact,
        purpose="transactional",
        key="k",
        to_email="a@example.com",
        state="claimed",
        claim="x",
    )
    outcomes.hold_back(delivery, leaving.Held("inactive"), claim="x")
    delivery.refresh_from_db()
    assert delivery.state == "cancelled"
    assert not Recipient.objects.exists()


def test_a_campaign_that_is_not_running_invites_and_follows_nobody(clock):
    campaign = stepped_campaign()
    assert inviting.invite_people(campaign.pk).invited == 0
    assert followups.follow_up(campaign.pk) == 0
    assert Campaign.objects.get().state == "draft"


def test_staff_may_send_again_what_had_failed(clock):
    from campaigns import claiming

    campaign = begun(stepped_campaign())
    kept = Delivery.objects.get().rendered
    Delivery.objects.update(state="failed", sent_at=None)
    after(clock, days=3, minutes=1)
    assert campaign.recipients.get().stop_reason == "failed"
    assert kept
    assert claiming.resend(Delivery.objects.all()) == 1
    sending.send_due(None)
    assert Delivery.objects.get().state == "sent"


def test_emails_held_for_another_day_hold_nobody_else_up(clock, monkeypatch):
    from campaigns import queueing

    monkeypatch.setattr(queueing, "AHEAD", 1)
    campaign = stepped_campaign(people=2, delays=[])
    states.begin(campaign.pk)
    first = campaign.recipients.order_by("pk").first()
    Recipient.objects.exclude(pk=first.pk).update(next_at=START + timedelta(minutes=1))
    inviting.invite_people(campaign.pk)
    Delivery.objects.update(not_before=START + timedelta(days=1))
    clock.move_to(START + timedelta(minutes=2))
    assert inviting.invite_people(campaign.pk).invited == 1


def test_a_raised_max_limit_of_the_documented_scheduler_goes_on(clock):
    from campaigns import daily_schedule
    from campaigns.standing import campaign_of

    person = make_contact()
    campaign = campaign_of(person.account)
    Recipient.objects.create(campaign=campaign, contact=person)
    rules = {"interval_minutes": 60, "daily_at": "00:00"}
    daily_schedule.set_up(person.account, max_emails=1, **rules)
    after(clock, days=1)
    after(clock, minutes=61)
    assert steps_sent(campaign) == {0: 1}
    daily_schedule.set_up(person.account, max_emails=2, **rules)
    after(clock, minutes=1)
    assert steps_sent(campaign) == {0: 1, 1: 1}
