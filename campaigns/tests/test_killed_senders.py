"""Senders as real processes: killed in mid-campaign, or two at once."""

import signal
import subprocess
import sys
import threading
import time

import pytest
from django.db import connection

from campaigns import states
from campaigns.models import Delivery, SmtpServer
from campaigns.smtp import Limits
from campaigns.tests.running import fresh, queued_campaign, send, states_of
from tests.fakes.smtp_sink import HANG, Script, SmtpSink

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
    wait_until(lambda: len(sink.received) >= count)


def wait_until(happened):
    deadline = time.monotonic() + 20
    while not happened() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert happened()


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
            # As if the dead sender's hold had run out; the next one takes back what it held.
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


def test_a_sender_told_to_stop_leaves_nothing_unknown():
    with SmtpSink(Script(delay=0.01)) as sink:
        campaign = queued_campaign(sink, people=200, connections=CONNECTIONS)
        (child,) = senders(campaign, 1)
        begin(child)
        wait_for(sink, 10)
        child.send_signal(signal.SIGTERM)
        assert ended(child) == 0
    found = states_of(campaign)
    assert set(found) == {"sent", "queued"}, found
    assert found["sent"] == len({one.recipient for one in sink.received}) == len(sink.received)


@pytest.mark.parametrize("script", [Script(greeting=[HANG] * 9), Script(seconds_per_byte=5)], ids=str)
def test_others_are_not_held_up_by_a_server_that_says_nothing_or_drips(script):
    """In one process, as in the worker that sends."""
    with SmtpSink() as good:
        with SmtpSink(script) as slow:
            waiting = queued_campaign(slow, people=2)
            fine = queued_campaign(good, people=30, connections=CONNECTIONS)
            slow_sender = threading.Thread(target=send_patiently, args=[waiting])
            slow_sender.start()
            wait_until(lambda: slow.connections)
            send(fine)
            assert states_of(fine) == {"sent": 30}
            assert slow_sender.is_alive()
        slow_sender.join(20)
    assert states_of(waiting) == {"deferred": 2}


def send_patiently(campaign):
    try:
        send(campaign, limits=Limits(connect=60))
    finally:
        connection.close()


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
        for _number in range(100):
            send(campaign, limits=Limits(), seconds=0.005)
            states.pause(campaign.pk)
            before = len(sink.received)
            send(campaign, limits=Limits(), seconds=0.005)
            assert len(sink.received) == before
            states.resume(campaign.pk)
        send(campaign, limits=Limits())
    assert states_of(campaign) == {"sent": 60}
    assert len({one.recipient for one in sink.received}) == len(sink.received) == 60
