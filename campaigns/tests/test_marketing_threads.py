"""/email-thread(s): what was written to a person, by the documented words."""

import pytest
from django.test import Client
from django.utils import timezone

from campaigns import addresses
from campaigns.models import Delivery, SentText
from tests.factories import bearer, make_account, make_key

pytestmark = pytest.mark.django_db
EMAIL = "ada@example.com"


@pytest.fixture
def account():
    return make_account("acme")


@pytest.fixture
def api(account):
    return Client(headers=bearer(make_key(account)))


def sent(account, email=EMAIL, *, number=1, state="sent"):
    person, _new = addresses.add(account, email)
    delivery = Delivery.objects.create(
        account=account,
        contact=person.contact,
        campaign=person.campaign,
        recipient=person,
        purpose="invitation",
        key=f"step-{number}:{email}",
        to_email=email,
        subject=f"Email {number}",
        state=state,
        sent_at=timezone.now() if state == "sent" else None,
    )
    SentText.objects.create(delivery=delivery, text=f"Hello, number {number}.")
    return delivery


def test_a_thread_has_its_emails_in_order(api, account):
    for number in (1, 2):
        sent(account, number=number)
    thread = api.get(f"/email-thread/acme/{EMAIL}").json()

    assert [one["follow_up_number"] for one in thread["thread"]] == [1, 2]
    assert thread["thread"][0]["content"] == "Hello, number 1."
    assert {one["email_status"] for one in thread["thread"]} == {"sent"}
    assert (thread["email"], thread["total_emails"]) == (EMAIL, 2)
    assert thread["last_sent"].endswith("Z")


def test_what_failed_is_in_it_and_what_waits_is_not(api, account):
    sent(account, number=1, state="failed")
    sent(account, number=2, state="queued")
    thread = api.get(f"/email-thread/acme/{EMAIL}").json()["thread"]
    assert [one["email_status"] for one in thread] == ["failed"]


def test_the_thread_of_nobody_is_empty_and_says_nothing_of_a_last_email(api):
    assert api.get(f"/email-thread/acme/{EMAIL}").json() == {"email": EMAIL, "thread": [], "total_emails": 0}


def test_threads_are_listed_latest_first(api, account):
    sent(account, "bo@example.com")
    sent(account)
    listed = api.get("/email-threads/acme").json()

    assert [one["email"] for one in listed["threads"]] == [EMAIL, "bo@example.com"]
    assert listed["total_conversations"] == 2
    assert listed["threads"][0]["latest_follow_up_number"] == 1


@pytest.mark.parametrize("path", [f"/email-thread/acme/{EMAIL}", "/email-threads/acme"])
def test_another_account_is_told_404_and_nobody_401(account, path):
    sent(account)
    stranger = Client(headers=bearer(make_key(make_account("other"))))
    assert stranger.get(path).status_code == 404
    assert Client().get(path).status_code == 401
