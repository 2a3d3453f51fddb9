"""Senders as real processes: killed in mid-campaign, or two at once."""

import signal
import subprocess
import sys
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from campaigns import claiming, states
from campaigns.models import Delivery, SmtpServer
from campaigns.smtp import Limits
from campaigns.tests.running import fresh, queued_campaign, send, states_of
from tests.fakes.smtp_sink import Script, SmtpSink

pytestmark = pytest.mark.django_db(transaction=True)
CONNECTIONS = 4


def senders(campaign, number, mode="hold"):
    """Senders that wait for their start: loading Django takes them seconds, and they do it side by side."""
    database = str(connection.settings_dict["NAME"])
    words = ["-m", "campaigns.tests.sending_child", database, str(campaign.smtp_server_id), mode]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    children = [subprocess.Popen([sys.executable, *words], **pipes) for _ in range(number)]
    for child in children:
        assert child.stdout.readline() == "ready\n"
    return children


def begin(child):
    child.stdin.write("go\n")
    child.stdin.close()


def wait_for(sink, count):
    deadline = time.monotonic() + 20
    while len(sink.received) < count and time.monotonic() < deadline:
        time.sleep(0.005)
    assert len(sink.received) >= count


def ended(child):
    child.stdout.close()
    return child.wait(40)


def test_a_sender_killed_again_and_again_loses_nothing_and_sends_nothing_twice():
    kills = 3
    with SmtpSink(Script(delay=0.004)) as sink:
        campaign = queued_campaign(sink, people=120, connections=CONNECTIONS)
        for number, child in enumerate(senders(campaign, kills), 1):
            begin(child)
            wait_for(sink, 25 * number)
            child.send_signal(signal.SIGKILL)
            ended(child)
            later = timezone.now() + claiming.LEASE + timedelta(seconds=1)
            claiming.recover(at=later)
            SmtpServer.objects.update(sending_until=None)
        send(campaign, limits=Limits(), seconds=20)
    found = states_of(campaign)
    taken = [one.recipient for one in sink.received]
    assert set(found) <= {"sent", "unknown"}
    assert found.get("unknown", 0) <= kills * CONNECTIONS
    assert len(taken) == len(set(taken))
    everybody = set(Delivery.objects.values_list("to_email", flat=True))
    unknown = set(Delivery.objects.filter(state="unknown").values_list("to_email", flat=True))
    assert everybody - unknown <= set(taken)
    states.finish_done()
    assert fresh(campaign).state == "finished"


def test_two_senders_at_once_send_everything_once():
    with SmtpSink(Script(delay=0.002)) as sink:
        campaign = queued_campaign(sink, people=80, connections=CONNECTIONS)
        children = senders(campaign, 2, "share")
        for child in children:
            begin(child)
        assert [ended(child) for child in children] == [0, 0]
    assert states_of(campaign) == {"sent": 80}
    taken = [one.recipient for one in sink.received]
    assert len(taken) == len(set(taken)) == 80


def test_pausing_and_resuming_many_times_sends_everything_once():
    with SmtpSink(Script(delay=0.001)) as sink:
        campaign = queued_campaign(sink, people=60, connections=CONNECTIONS)
        for _number in range(20):
            send(campaign, limits=Limits(), seconds=0.05)
            states.pause(campaign.pk)
            before = len(sink.received)
            send(campaign, limits=Limits(), seconds=0.05)
            assert len(sink.received) == before
            states.resume(campaign.pk)
        send(campaign, limits=Limits())
    assert states_of(campaign) == {"sent": 60}
    assert len({one.recipient for one in sink.received}) == len(sink.received) == 60
