"""Requests counted per minute, days counted per account, and who is alive."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import pytest
from django.utils import timezone

from config import asgi
from config.api import measures
from config.system import daily, figures, heartbeats, tasks
from config.system.models import DailyFigure, Heartbeat, RequestFigure
from crm.models import Contact
from tests.factories import make_account, make_contact

pytestmark = pytest.mark.django_db
AT = datetime(2026, 3, 1, 12, 30, 5, tzinfo=UTC)


@pytest.fixture(autouse=True)
def nothing_counted():
    figures.take()


def count(status=200, at=AT):
    figures.count(status=status, milliseconds=2.5, at=at.timestamp())


def test_requests_of_a_minute_are_one_row():
    count()
    count(status=503)
    figures.write()
    row = RequestFigure.objects.get()
    assert (row.minute, row.requests, row.errors, row.total_milliseconds) == (AT.replace(second=0), 2, 1, 5)


def test_probes_are_no_requests():
    """While an installation starts it asks itself `/ready` many times, and is told 503."""

    async def away(scope, receive, send):
        await send({"type": "http.response.start", "status": 503, "headers": []})

    async def nobody(_message):
        pass

    http = asgi.Http()
    http.plain = away
    for path in ("/ready", "/live", "/crm/users"):
        asyncio.run(http({"type": "http", "path": path}, None, nobody))
    counted = figures.take().values()
    assert [(minute.requests, minute.errors) for minute in counted] == [(1, 1)]


def test_a_second_writing_adds_to_the_row():
    for _ in range(2):
        count()
        figures.write()
    assert RequestFigure.objects.get().requests == 2


def test_nothing_is_counted_twice():
    count()
    figures.write()
    figures.write()
    assert RequestFigure.objects.get().requests == 1


def test_a_beat_is_one_row_per_process():
    heartbeats.beat("worker")
    heartbeats.beat("worker")
    assert Heartbeat.objects.count() == 1
    assert heartbeats.alive("worker")
    assert not heartbeats.alive("beat")


def test_a_start_forgets_what_this_machine_left_behind():
    heartbeats.beat("worker")
    Heartbeat.objects.create(part="worker", instance="another-machine:1")
    heartbeats.forget_this_host()
    assert Heartbeat.objects.get().instance == "another-machine:1"


def test_the_sweep_forgets_processes_and_minutes_long_gone():
    Heartbeat.objects.create(part="web", instance="gone:1", at=timezone.now() - timedelta(hours=2))
    RequestFigure.objects.create(minute=timezone.now() - timedelta(days=15))
    tasks.sweep()
    assert not Heartbeat.objects.exists()
    assert not RequestFigure.objects.exists()


def test_a_day_is_counted_by_account():
    mine, other = make_account("mine"), make_account("other")
    make_contact(mine)
    make_contact(mine)
    make_contact(other)
    Contact.objects.update(created_at=AT)
    daily.count_day(AT.date())
    found = DailyFigure.objects.filter(name="contacts_created").values_list("account__slug", "value")
    assert dict(found) == {"mine": 2, "other": 1}


def test_counting_a_day_again_corrects_it():
    make_contact(make_account("mine"))
    Contact.objects.update(created_at=AT)
    daily.count_day(AT.date())
    make_contact(make_account("mine"))
    Contact.objects.update(created_at=AT)
    daily.count_day(AT.date())
    assert DailyFigure.objects.get(name="contacts_created").value == 2


def test_a_day_begins_and_ends_at_midnight_utc():
    start, end = daily.day_bounds(date(2026, 3, 1))
    assert (start, end) == (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC))


def test_the_sweep_counts_the_day_when_there_is_no_figure_yet():
    make_contact(make_account("mine"))
    Contact.objects.update(created_at=timezone.now() - timedelta(minutes=1))
    tasks.sweep()
    assert DailyFigure.objects.filter(name="contacts_created", day=timezone.now().date()).exists()


def test_a_quiet_minute_in_which_a_web_process_was_there_has_a_row():
    figures.write_alive()
    assert RequestFigure.objects.get().requests == 0


def test_looking_for_passages_is_measured_by_minute():
    measures.take("retrieval")
    for milliseconds in (20, 40):
        measures.note("retrieval", seconds=milliseconds / 1000, at=AT.timestamp())
    count()
    figures.write()
    row = RequestFigure.objects.get()
    assert (row.requests, row.retrievals, row.retrieval_microseconds) == (1, 2, 60_000)


def test_where_nobody_takes_the_measures_the_oldest_are_forgotten():
    measures.take("unused")
    for minute in range(measures.MOST_MINUTES + 5):
        measures.note("unused", seconds=1, at=minute * 60)
    assert min(measures.take("unused")) == 5
