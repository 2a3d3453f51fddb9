"""Work whose wake-up was lost is found again from rows."""

from datetime import timedelta

import pytest
from django.utils import timezone

from campaigns import importing, states, stopping, tasks
from campaigns.lanes import POOL
from campaigns.models import Campaign, ContactImport, Delivery
from campaigns.tests.running import queued_campaign, states_of
from tests.factories import make_campaign
from tests.fakes.smtp_sink import SmtpSink

pytestmark = pytest.mark.django_db


def test_a_running_campaign_nobody_woke_goes_on():
    campaign = make_campaign(people=3)
    states.begin(campaign.pk)
    tasks.sweep()
    assert states_of(campaign) == {"sent": 3}
    assert Campaign.objects.get().state == "finished"


def test_due_mail_of_every_server_is_sent():
    with SmtpSink() as first, SmtpSink() as second:
        campaigns = [queued_campaign(first, people=2), queued_campaign(second, people=2)]
        tasks.sweep()
        POOL.close()
    assert [states_of(one) for one in campaigns] == [{"sent": 2}, {"sent": 2}]


def test_an_import_a_dead_worker_left_is_finished():
    kept = importing.keep(make_campaign(), b"email\na@example.com\n", filename="p.csv")
    ContactImport.objects.update(state="running")
    tasks.sweep()
    kept.refresh_from_db()
    assert kept.state == "done"


def test_what_a_cancelled_campaign_got_back_is_cancelled():
    with SmtpSink() as sink:
        campaign = queued_campaign(sink, people=1)
        Campaign.objects.update(state="cancelled")
        tasks.sweep()
    assert states_of(campaign) == {"cancelled": 1}


def test_a_deferred_email_is_sent_when_it_is_due():
    with SmtpSink() as sink:
        campaign = queued_campaign(sink, people=1)
        Delivery.objects.update(state="deferred", not_before=timezone.now() + timedelta(minutes=5))
        tasks.sweep()
        assert states_of(campaign) == {"deferred": 1}
        Delivery.objects.update(not_before=timezone.now())
        tasks.sweep()
        POOL.close()
    assert states_of(campaign) == {"sent": 1}


def test_a_stopping_worker_begins_no_email():
    with SmtpSink() as sink:
        campaign = queued_campaign(sink, people=2)
        stopping.stop()
        try:
            tasks.send_due(campaign.smtp_server_id)
        finally:
            stopping.go_on()
    assert states_of(campaign) == {"queued": 2}


def test_sweeping_twice_changes_nothing():
    campaign = make_campaign(people=2)
    states.begin(campaign.pk)
    tasks.sweep()
    tasks.sweep()
    assert Delivery.objects.count() == 2
