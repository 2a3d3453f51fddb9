"""GET /metrics: read by the parser of those who scrape it."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from campaigns.models import Delivery
from config.system import attention, health, heartbeats
from config.system.models import RequestFigure
from tests.factories import bearer, make_account, make_contact, make_key

pytestmark = pytest.mark.django_db


@pytest.fixture
def key():
    return bearer(make_key(make_account("acme"), scopes=["admin"]))


def make_delivery(**fields):
    contact = make_contact()
    return Delivery.objects.create(
        account=contact.account, contact=contact, purpose="invitation", to_email="a@example.com", **fields
    )


def scraped(client, key, **headers):
    answer = client.get("/metrics", headers={**key, **headers})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    samples = {}
    for family in text_string_to_metric_families(answer.content.decode()):
        for sample in family.samples:
            samples[sample.name, *sample.labels.values()] = sample.value
    return samples


def test_parts_and_processes(client, key):
    for part in health.WORKERS:
        heartbeats.beat(part)
    found = scraped(client, key)
    assert found["rapport_part_up", "database"] == found["rapport_part_up", "worker"] == 1
    assert found["rapport_processes", "mail"] == 1


def test_a_worker_that_is_gone_is_down(client, key):
    assert scraped(client, key)["rapport_part_up", "worker"] == 0


def test_the_last_whole_minute(client, key):
    minute = timezone.now().replace(second=0, microsecond=0) - timedelta(minutes=1)
    for ago in (0, 1):
        RequestFigure.objects.create(
            minute=minute - timedelta(minutes=ago), requests=7, errors=2, total_milliseconds=1500
        )
    # A minute may end between the two clocks.
    RequestFigure.objects.create(
        minute=minute + timedelta(minutes=1), requests=7, errors=2, total_milliseconds=1500
    )
    found = scraped(client, key)
    assert found["rapport_requests_last_minute",] == 7
    assert found["rapport_request_errors_last_minute",] == 2
    assert found["rapport_request_seconds_last_minute",] == 1.5


def test_what_waits_is_counted(client, key):
    make_delivery(key="1", state=Delivery.State.UNKNOWN)
    make_delivery(key="2", state=Delivery.State.QUEUED, not_before=timezone.now() - timedelta(minutes=1))
    found = scraped(client, key)
    assert found["rapport_emails_due",] == 1
    assert found["rapport_attention", "unknown_deliveries"] == 1
    assert {name for kind, *name in found if kind == "rapport_attention" for name in name} == {
        figure.__name__ for _model, figure in attention.WAITING
    }


@pytest.mark.parametrize("accept", ["application/openmetrics-text", "text/html", "nonsense"])
def test_there_is_one_form_whatever_is_asked_for(client, key, accept):
    assert scraped(client, key, Accept=accept)


def test_it_asks_for_a_key_with_its_scope(client):
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers=bearer(make_key(scopes=["crm"]))).status_code == 403


def test_the_number_of_questions_does_not_grow(client, key):
    asked = []
    for number in range(1, 4):
        make_delivery(key=str(number), state=Delivery.State.UNKNOWN)
        heartbeats.beat(f"part-{number}")
        with CaptureQueriesContext(connection) as seen:
            scraped(client, key)
        asked.append(len(seen))
    assert len(set(asked[1:])) == 1
