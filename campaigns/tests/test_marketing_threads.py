"""/email-thread(s): what was written to a person, by the documented words."""

from datetime import timedelta

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


def test_what_waits_or_was_cancelled_is_not_counted_as_sent(api, account):
    sent(account, number=1, state="cancelled")
    sent(account, number=2)
    sent(account, number=3, state="queued")
    (listed,) = api.get("/email-threads/acme").json()["threads"]
    thread = api.get(f"/email-thread/acme/{EMAIL}").json()

    assert (listed["total_emails_sent"], listed["latest_follow_up_number"]) == (1, 1)
    assert [one["follow_up_number"] for one in thread["thread"]] == [1]


def test_a_link_leads_on_through_all_threads(api, account):
    at = timezone.now()
    for number in range(5):
        delivery = sent(account, f"p{number}@example.com")
        # two of them at the same moment
        Delivery.objects.filter(pk=delivery.pk).update(sent_at=at - timedelta(minutes=number // 2))
    listed, path = [], "/email-threads/acme?limit=2"
    while path:
        answer = api.get(path)
        listed.append([one["email"][:2] for one in answer.json()["threads"]])
        assert answer.json()["total_conversations"] == 5
        link = answer.headers.get("Link", "")
        path = link.removeprefix("<").partition(">")[0].removeprefix("http://testserver")
    assert listed == [["p0", "p1"], ["p2", "p3"], ["p4"]]


def test_a_page_of_threads_asks_as_much_however_many_there_are(api, account, django_assert_max_num_queries):
    for number in range(6):
        sent(account, f"p{number}@example.com")
    with django_assert_max_num_queries(8):
        assert len(api.get("/email-threads/acme?limit=5").json()["threads"]) == 5


@pytest.mark.parametrize(
    "wrong",
    [
        "limit=0",
        "limit=x",
        "limit=10001",
        "cursor=x",
        "cursor=WyJ4IiwgInkiXQ",
        "cursor=WyIyMDI2LTAxLTAxIiwgIngiXQ",
    ],
)
def test_a_page_that_makes_no_sense_is_told(api, wrong):
    assert api.get(f"/email-threads/acme?{wrong}").status_code == 422


@pytest.mark.parametrize("path", [f"/email-thread/acme/{EMAIL}", "/email-threads/acme"])
def test_another_account_is_told_404_and_nobody_401(account, path):
    sent(account)
    stranger = Client(headers=bearer(make_key(make_account("other"))))
    assert stranger.get(path).status_code == 404
    assert Client().get(path).status_code == 401
