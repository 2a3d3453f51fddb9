"""What becomes of a person on the list over days, by the documented words. The clock is moved."""

import pytest
import time_machine
from django.test import Client

from campaigns import daily_schedule, tasks
from campaigns.models import Delivery
from campaigns.tests.following import START, after
from tests.factories import bearer, make_account, make_key

pytestmark = pytest.mark.django_db
EMAIL = "ada@example.com"
NOW = "2026-11-26T10:00:00Z"


@pytest.fixture
def clock():
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


@pytest.fixture
def account(clock):
    return make_account("acme")


@pytest.fixture
def api(account):
    """Ada is on the list, and gets two emails at most, one hour apart."""
    client = Client(headers=bearer(make_key(account)))
    add(client, EMAIL)
    daily_schedule.set_up(account, max_emails=2, interval_minutes=60, daily_at=f"{START:%H:%M}")
    tasks.sweep()
    tasks.sweep()
    return client


def add(api, email, **fields):
    body = {"user_id": "acme", "email": email, "created_at": NOW, "updated_at": NOW, **fields}
    assert api.post("/emails", body, content_type="application/json").status_code == 200


def word(api):
    return api.get("/emails/acme").json()[0]["status"]


def say(api, status):
    api.put(f"/emails/acme/{EMAIL}/status", {"status": status}, content_type="application/json")


def test_the_last_email_exhausts_an_address_until_more_are_allowed(api, account, clock):
    assert word(api) == "sent"
    after(clock, minutes=61)
    assert (word(api), Delivery.objects.count()) == ("exhausted", 2)
    daily_schedule.set_up(account, max_emails=3, interval_minutes=60, daily_at=f"{START:%H:%M}")
    assert word(api) == "sent"
    after(clock, minutes=61)
    assert (word(api), Delivery.objects.count()) == ("exhausted", 3)


def test_an_exhausted_person_who_is_tried_again_gets_all_the_emails_again(api, clock):
    after(clock, minutes=61)
    say(api, "pending")
    assert word(api) == "pending"
    after(clock, minutes=1)
    after(clock, minutes=61)
    assert sorted(Delivery.objects.filter(state="sent").values_list("step", flat=True)) == [0, 0, 1, 1]
    assert word(api) == "exhausted"


def test_a_failure_from_before_does_not_stop_whoever_is_tried_again(api, clock):
    after(clock, minutes=61)
    Delivery.objects.filter(step=1).update(state="failed")
    say(api, "pending")
    after(clock, minutes=1)
    after(clock, minutes=61)
    assert Delivery.objects.filter(state="sent", step=1).count() == 1


def test_emails_that_the_account_sent_itself_before_count_against_the_limit(api, clock):
    add(api, "bo@example.com", follow_up_count=1)
    after(clock, days=1, minutes=1)
    after(clock, minutes=61)
    assert Delivery.objects.filter(to_email="bo@example.com").count() == 1
    (bo,) = [row for row in api.get("/emails/acme").json() if row["email"] == "bo@example.com"]
    assert (bo["status"], bo["follow_up_count"]) == ("exhausted", 2)
