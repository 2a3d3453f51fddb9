"""A/B tests: a split that never changes, a winner only on enough people, and the winner for the rest."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from campaigns import inviting, splitting, states, tasks
from campaigns.models import Delivery, Recipient, SplitTest
from campaigns.splitting import Side, Split, p_value_of
from campaigns.tests.following import START, after
from config.api.ids import uuid7
from interviews.models import Interview
from tests.factories import make_campaign, make_contact, make_template

pytestmark = pytest.mark.django_db


@pytest.fixture
def clock():
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


def split_campaign(people=40, **fields):
    fields.setdefault("subject_b", "Another way to ask")
    fields.setdefault("min_sample", 10)
    campaign = make_campaign(people=people)
    test = SplitTest.objects.create(campaign=campaign, **fields)
    return campaign, test


def test_the_split_is_the_same_whoever_asks_and_about_even():
    split = Split(uuid7(), 100, "")
    people = [uuid7() for _number in range(4000)]
    variants = [split.variant_of(one) for one in people]
    assert variants == [split.variant_of(one) for one in people]
    assert 1850 < variants.count("a") < 2150
    assert variants.count("") == 0


def test_so_many_percent_take_part_and_another_campaign_splits_otherwise():
    people = [uuid7() for _number in range(4000)]
    first, second = Split(uuid7(), 20, ""), Split(uuid7(), 20, "")
    taking_part = [one for one in people if first.variant_of(one)]
    assert 700 < len(taking_part) < 900
    assert {second.variant_of(one) for one in taking_part} == {"a", "b", ""}


def test_each_version_is_sent_under_its_subject(clock):
    campaign, _test = split_campaign()
    states.begin(campaign.pk)
    inviting.invite_people(campaign.pk)
    for delivery in Delivery.objects.select_related("recipient"):
        is_b = delivery.subject == "Another way to ask"
        assert delivery.recipient.variant == ("b" if is_b else "a")
    assert {one.variant for one in Recipient.objects.all()} == {"a", "b"}


def test_the_rest_waits_and_gets_the_winner_that_staff_choose(clock):
    campaign, test = split_campaign(test_percent=30)
    states.begin(campaign.pk)
    tasks.sweep()
    waiting = campaign.recipients.filter(state="waiting").count()
    assert 0 < waiting < 40
    after(clock, days=2)
    assert campaign.recipients.filter(state="waiting").count() == waiting
    splitting.choose(test, "b", by="staff")
    after(clock, minutes=1)
    assert campaign.recipients.filter(state="waiting").count() == 0
    assert Delivery.objects.filter(subject="Another way to ask").count() >= waiting
    campaign.refresh_from_db()
    assert campaign.state == "finished"


def test_a_winner_is_chosen_once(clock):
    _campaign, test = split_campaign(people=1)
    splitting.choose(test, "a", by="staff")
    with pytest.raises(splitting.SplitRefusedError):
        splitting.choose(test, "b", by="somebody else")
    test.refresh_from_db()
    assert (test.winner, test.decided_by) == ("a", "staff")


def finish_some(campaign, **shares):
    """So many people of each version completed their interview."""
    for variant, number in shares.items():
        ids = campaign.recipients.filter(variant=variant).values_list("interview", flat=True)[:number]
        done = {"state": "completed", "started_at": timezone.now(), "completed_at": timezone.now()}
        Interview.objects.filter(pk__in=list(ids)).update(**done)


def sides_of(campaign):
    return {v: campaign.recipients.filter(variant=v, state="invited").count() for v in ("a", "b")}


def test_a_clear_difference_is_named_only_on_enough_people(clock):
    campaign, test = split_campaign(people=60, metric="completed")
    states.begin(campaign.pk)
    tasks.sweep()
    finish_some(campaign, a=1, b=20)
    assert splitting.result_of(test).leader == "b"
    test.min_sample = 1000
    assert splitting.result_of(test).leader == ""


def test_an_automatic_test_is_decided_when_its_time_is_over(clock):
    campaign, test = split_campaign(people=100, test_percent=60, is_automatic=True, decide_after_hours=48)
    states.begin(campaign.pk)
    tasks.sweep()
    finish_some(campaign, a=0, b=20)
    after(clock, days=1)
    test.refresh_from_db()
    assert test.winner == ""
    after(clock, days=1, minutes=1)
    test.refresh_from_db()
    assert test.winner == "b"
    assert "p = 0.0" in test.decided_by
    after(clock, minutes=1)
    assert campaign.recipients.filter(state="waiting").count() == 0


@pytest.mark.parametrize(
    ("min_sample", "days", "words"), [(10, 3, "no clear difference"), (500, 6, "too few")]
)
def test_without_a_clear_winner_a_stays(clock, min_sample, days, words):
    campaign, test = split_campaign(people=60, is_automatic=True, min_sample=min_sample)
    states.begin(campaign.pk)
    tasks.sweep()
    type(campaign).objects.update(state="running")  # as if others still waited
    clock.move_to(START + timedelta(days=days, hours=1))
    assert splitting.decide_due() == 1
    test.refresh_from_db()
    assert test.winner == "a"
    assert words in test.decided_by


@pytest.mark.parametrize(
    ("a", "b", "p"),
    [
        # by R: prop.test(c(x, y), c(n, m), correct = FALSE)
        (Side(200, 30), Side(200, 50), 0.0124),
        (Side(1000, 100), Side(1000, 110), 0.4655),
        (Side(100, 10), Side(100, 10), 1.0),
        (Side(0, 0), Side(100, 10), 1.0),
        (Side(50, 0), Side(50, 0), 1.0),
    ],
)
def test_the_difference_is_judged_by_two_proportions(a, b, p):
    assert p_value_of(a, b) == pytest.approx(p, abs=0.0005)


@given(st.integers(1, 500), st.integers(1, 500), st.data())
def test_the_test_is_fair_to_both_sides(n, m, data):
    a, b = Side(n, data.draw(st.integers(0, n))), Side(m, data.draw(st.integers(0, m)))
    assert 0 <= p_value_of(a, b) <= 1
    assert p_value_of(a, b) == pytest.approx(p_value_of(b, a))


def test_b_may_be_another_template(clock):
    other = make_template(name="B", subject="Hello again", text="Quite other words. {{ link }}")
    campaign, _test = split_campaign(subject_b="", template_b=other)
    Recipient.objects.create(campaign=campaign, contact=make_contact())
    states.begin(campaign.pk)
    tasks.sweep()
    assert Delivery.objects.filter(subject="Hello again").exists()
