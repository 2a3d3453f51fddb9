"""How far a campaign is, while it is sent: the figures, their cost, and who may see them."""

from datetime import timedelta

import pytest
from django.utils import timezone

from campaigns import figures, states
from campaigns.models import Campaign, SendingFigure
from campaigns.tests.running import queued_campaign, send
from tests.factories import bearer, make_account, make_campaign, make_key
from tests.fakes.smtp_sink import DROP, Script, SmtpSink

pytestmark = pytest.mark.django_db


def test_it_says_what_became_of_each_email():
    script = Script(at_rcpt=["550 5.1.1 nobody", "450 4.2.0 grey"], after_dot=[DROP])
    with SmtpSink(script) as sink:
        campaign = queued_campaign(sink, people=8, connections=1)
        send(campaign)
    live = figures.live(Campaign.objects.get())
    assert (live.people, live.sent, live.failed, live.deferred, live.unknown) == (8, 5, 1, 1, 1)
    assert live.left == 1
    (row,) = SendingFigure.objects.all()
    assert (row.sent, row.failed, row.deferred, row.unknown) == (5, 1, 1, 1)


def test_the_speed_is_that_of_the_last_minute():
    campaign, now = make_campaign(people=1), timezone.now().replace(second=30, microsecond=0)
    for seconds, sent in ((200, 5000), (50, 300), (20, 600), (10, 0)):
        figures.count([(campaign.pk, "sent")] * sent, at=now - timedelta(seconds=seconds))
    assert figures.sent_per_second(campaign.pk, at=now) == 15
    Campaign.objects.update(state="running")
    live = figures.live(Campaign.objects.get(), at=now)
    assert (live.sent_per_second, live.seconds_left) == (15.0, 0)


def test_a_campaign_that_just_began_has_the_speed_of_its_first_seconds():
    campaign, now = make_campaign(), timezone.now().replace(second=25, microsecond=0)
    figures.count([(campaign.pk, "sent")] * 100, at=now - timedelta(seconds=5))
    assert figures.sent_per_second(campaign.pk, at=now) == 20


def test_when_nothing_moves_nobody_can_say_when_it_ends():
    campaign = make_campaign(people=3)
    Campaign.objects.update(state="running")
    assert figures.live(Campaign.objects.get(pk=campaign.pk)).seconds_left is None


def test_it_takes_the_same_few_queries_however_large_the_campaign(django_assert_num_queries):
    with SmtpSink() as sink:
        campaign = queued_campaign(sink, people=20)
        send(campaign)
    campaign = Campaign.objects.get()
    with django_assert_num_queries(4):
        figures.live(campaign)


def test_the_owner_reads_it_over_the_api_and_a_stranger_gets_404(client):
    campaign = make_campaign(people=2)
    states.begin(campaign.pk)
    path = f"/api/v1/campaigns/{campaign.pk}/progress"
    shown = client.get(path, headers=bearer(make_key())).json()["data"]
    assert (shown["people"], shown["left"], shown["sent"]) == (2, 2, 0)
    assert shown["minutes"] == []
    stranger = bearer(make_key(make_account("other")))
    assert client.get(path, headers=stranger).status_code == 404
    assert client.get(path).status_code == 401 or client.get(path).status_code == 403
