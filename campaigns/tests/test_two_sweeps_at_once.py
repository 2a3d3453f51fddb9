"""Two sweeps, two beats, two workers: nobody gets the same step twice, and nobody is left out."""

import threading
from collections import Counter
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone

from campaigns import followups, inviting, queueing, states
from campaigns.models import Delivery, Recipient, Schedule
from campaigns.tests.following import DAY, stepped_campaign
from config.api.models import Account
from tests.factories import make_contact

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch):
    for module in (queueing, inviting):
        monkeypatch.setattr(module, "CHUNK", 5)


def at_once(*works):
    """Runs each in a thread of its own, all let go together; their errors."""
    barrier, errors = threading.Barrier(len(works)), []

    def run(work):
        barrier.wait()
        try:
            work()
        except Exception as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return errors


def test_four_workers_invite_everybody_once():
    campaign = stepped_campaign(people=40)
    states.begin(campaign.pk)
    assert at_once(*[lambda: inviting.invite_people(campaign.pk)] * 4) == []
    assert Counter(Delivery.objects.values_list("recipient", flat=True)).most_common(1)[0][1] == 1
    assert Delivery.objects.count() == 40


def test_four_sweeps_follow_everybody_up_once():
    campaign = stepped_campaign(people=40)
    states.begin(campaign.pk)
    inviting.invite_people(campaign.pk)
    long_ago = timezone.now() - timedelta(minutes=4 * DAY)
    Delivery.objects.update(state="sent", sent_at=long_ago)
    Recipient.objects.update(next_at=timezone.now())
    assert at_once(*[lambda: followups.follow_up(campaign.pk)] * 4) == []
    assert Counter(Delivery.objects.values_list("step", flat=True)) == {0: 40, 1: 40}
    assert set(Recipient.objects.values_list("next_step", "next_at")) == {(2, None)}


def test_the_greatest_number_of_a_day_holds_with_four_workers():
    campaign = stepped_campaign(people=40, delays=[])
    Schedule.objects.create(campaign=campaign, max_invitations_a_day=12)
    states.begin(campaign.pk)
    assert at_once(*[lambda: inviting.invite_people(campaign.pk)] * 4) == []
    assert Delivery.objects.count() == 12


def test_the_cap_holds_when_two_campaigns_want_the_same_people_at_once():
    people = [make_contact() for _number in range(20)]
    Account.objects.update(email_cap=1)
    campaigns = [stepped_campaign(people=0, delays=[]) for _number in range(2)]
    for campaign in campaigns:
        Recipient.objects.bulk_create(Recipient(campaign=campaign, contact=one) for one in people)
        states.begin(campaign.pk)
    works = [lambda pk=one.pk: inviting.invite_people(pk) for one in campaigns]
    assert at_once(*works) == []
    assert Counter(Delivery.objects.values_list("contact", flat=True)).most_common(1)[0][1] == 1
    assert Delivery.objects.count() == 20


def test_a_stop_beside_a_sweep_leaves_nothing_queued():
    campaign = stepped_campaign(people=20)
    states.begin(campaign.pk)
    inviting.invite_people(campaign.pk)
    Delivery.objects.update(state="sent", sent_at=timezone.now() - timedelta(days=5))
    Recipient.objects.update(next_at=timezone.now())
    everybody = Recipient.objects.filter(campaign=campaign)
    errors = at_once(
        lambda: followups.follow_up(campaign.pk), lambda: followups.stop(everybody, Recipient.Stop.REPLIED)
    )
    assert errors == []
    assert not Delivery.objects.filter(state="queued").exists()
    assert not everybody.filter(stopped_at=None).exists()


def test_the_unique_key_has_the_last_word():
    campaign = stepped_campaign(people=1)
    states.begin(campaign.pk)
    inviting.invite_people(campaign.pk)
    Recipient.objects.update(state="waiting", next_step=0, next_at=timezone.now())  # as a bug would
    inviting.invite_people(campaign.pk)
    assert Delivery.objects.count() == 1
