"""Limits of a server: exact in every window, over all senders, and waited for where that is short."""

import random
import threading
from collections import Counter

import pytest
from django.db import connections, transaction
from hypothesis import given
from hypothesis import strategies as st

from campaigns import pacing
from campaigns.models import Delivery, SendingPace
from campaigns.pacing import DAY, HOUR, MINUTE, SECOND, Grant
from campaigns.tests.running import queued_campaign, send, states_of
from tests.factories import make_smtp_server
from tests.fakes.smtp_sink import Script, SmtpSink


@given(
    window=st.sampled_from([SECOND, MINUTE, HOUR, DAY]),
    most=st.integers(1, 40),
    steps=st.lists(st.tuples(st.floats(0, 0.4), st.integers(1, 30)), min_size=1, max_size=60),
)
def test_no_window_ever_holds_more_than_its_limit(window, most, steps):
    limits, counts, now, left = {window: most}, {}, 1_800_000_000.0, []
    for pause, wanted in steps:
        now += pause * window.seconds
        emails = min(wanted, pacing.room(counts, limits, now))
        counts = pacing.counted(counts, limits, now, emails)
        left.append((now, emails))
    for began, _emails in left:
        assert sum(n for at, n in left if began <= at < began + window.seconds) <= most


@given(window=st.sampled_from([SECOND, MINUTE, HOUR, DAY]), most=st.integers(1, 20), into=st.floats(0, 1))
def test_after_the_wait_there_is_room(window, most, into):
    now = 1_800_000_000.0 + into * window.bin_seconds
    counts = pacing.counted({}, {window: most}, now, most)
    wait = pacing.wait(counts, {window: most}, now)
    assert window.seconds <= wait <= window.seconds + 2 * window.bin_seconds
    assert pacing.room(counts, {window: most}, now + wait - window.bin_seconds) == 0
    assert pacing.room(counts, {window: most}, now + wait + 0.01) == most


def test_a_clock_that_was_ahead_blocks_for_one_window_at_most():
    counts = pacing.counted({}, {SECOND: 5}, 1_800_000_600.0, 5)
    assert pacing.room(counts, {SECOND: 5}, 1_800_000_000.0) == 0
    counts = pacing.counted(counts, {SECOND: 5}, 1_800_000_000.0, 0)
    assert pacing.room(counts, {SECOND: 5}, 1_800_000_001.1) == 5


@pytest.mark.django_db
def test_without_limits_nothing_is_counted():
    assert pacing.take(make_smtp_server(), ["a.example"] * 3) == [Grant.GO] * 3
    assert not SendingPace.objects.exists()


@pytest.mark.django_db
def test_each_limit_has_its_say():
    server = make_smtp_server(per_hour=3, domain_per_minute=1)
    granted = pacing.take(server, ["a.example", "a.example", "b.example", "c.example", "d.example"])
    assert granted == ["go", "domain_full", "go", "go", "server_full"]
    assert pacing.room_at(server)[0] == 0
    assert 3600 <= pacing.room_at(server)[1] <= 3661


@pytest.mark.django_db(transaction=True)
def test_senders_at_the_same_moment_share_one_limit():
    server, granted = make_smtp_server(per_day=100), Counter()

    def work():
        try:
            for _turn in range(10):
                with transaction.atomic():
                    granted.update(pacing.take(server, ["a.example"] * random.randint(1, 6)))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert granted[Grant.GO] == 100


@pytest.mark.django_db
def test_a_server_gets_no_more_in_a_second_than_it_allows():
    with SmtpSink() as sink:
        campaign = queued_campaign(sink, people=9, connections=4, per_second=4)
        send(campaign)
    assert states_of(campaign) == {"sent": 9}
    times = sorted(one.at for one in sink.received)
    assert all(later - earlier > 0.9 for earlier, later in zip(times, times[4:], strict=False))


@pytest.mark.django_db
def test_what_no_limit_lets_leave_today_stays_queued_and_no_attempt_is_counted():
    with SmtpSink() as sink:
        campaign = queued_campaign(sink, people=8, connections=4, per_day=5)
        report = send(campaign)
        assert (report.sent, report.is_more, report.is_paced) == (5, True, False)
        assert send(campaign).sent == 0
    assert states_of(campaign) == {"sent": 5, "queued": 3}
    assert set(Delivery.objects.filter(state="queued").values_list("attempts", flat=True)) == {0}


@pytest.mark.django_db
def test_a_recipient_domain_gets_few_emails_at_once_and_others_do_not_wait_for_it():
    with SmtpSink(Script(delay=0.01)) as sink:
        campaign = queued_campaign(sink, people=12, connections=6, domain_connections=2)
        others = list(Delivery.objects.values_list("pk", flat=True))[8:]
        Delivery.objects.filter(pk__in=others).update(to_email="somebody@other.example")
        send(campaign)
    assert states_of(campaign) == {"sent": 12}
    assert sink.most_at_once <= 4


@pytest.mark.django_db
def test_a_recipient_domain_gets_so_many_a_minute_and_the_rest_waits():
    with SmtpSink() as sink:
        campaign = queued_campaign(sink, people=6, connections=3, domain_per_minute=4)
        send(campaign)
    assert states_of(campaign) == {"sent": 4, "queued": 2}
    pacing.forget_quiet_domains()
    assert SendingPace.objects.filter(domain="example.com").exists()
