"""What tests of sending share: a campaign that runs, its emails queued, and a sender with short limits."""

from collections import Counter

from django.utils import timezone

from campaigns import inviting, sending
from campaigns.lanes import POOL
from campaigns.models import Campaign, Delivery
from campaigns.smtp import Limits
from tests.factories import make_campaign, make_smtp_server

QUICK = Limits(connect=1, envelope=1, final_reply=1)


def queued_campaign(sink, people=3, *, connections=2, server=None, **fields):
    server = server or make_smtp_server(port=sink.port, max_connections=connections, **fields)
    campaign = make_campaign(people=people, smtp_server=server)
    # Without a wake-up, which in tests would send at once: each test says who sends, and when.
    Campaign.objects.filter(pk=campaign.pk).update(state=Campaign.State.RUNNING, started_at=timezone.now())
    inviting.invite_people(campaign.pk)
    return campaign


def send(campaign, *, limits=QUICK, seconds=15):
    try:
        return sending.send_due(campaign.smtp_server_id, limits=limits, seconds=seconds)
    finally:
        POOL.close()


def states_of(campaign):
    return dict(Counter(Delivery.objects.filter(campaign=campaign).values_list("state", flat=True)))


def fresh(campaign):
    return Campaign.objects.get(pk=campaign.pk)
