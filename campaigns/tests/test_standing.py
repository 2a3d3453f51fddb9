"""The standing campaign of an account: made once, and where the marketing API's people are invited."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from campaigns import addresses, daily_schedule, inviting, outbox, own_words
from campaigns.models import Campaign, Delivery, Recipient
from campaigns.standing import campaign_of
from interviews import requesting, starting
from interviews.models import Guide, Interview
from tests.factories import make_account, make_guide

pytestmark = pytest.mark.django_db
EMAIL = "ada@example.com"


@pytest.fixture
def account():
    return make_account("acme")


@pytest.fixture
def campaign(account):
    """It runs, and no task has looked at it yet."""
    found = campaign_of(account)
    Campaign.objects.filter(pk=found.pk).update(state="running")
    return found


def email_to(email=EMAIL):
    return outbox.read(Delivery.objects.get(to_email=email))


def test_there_is_one_of_an_account(account):
    assert campaign_of(account) == campaign_of(account)
    assert campaign_of(account).guide.questions.count() == 5


def test_it_takes_a_guide_that_is_there(account):
    guide = make_guide(account)
    assert campaign_of(account).guide == guide
    assert Guide.objects.count() == 1


def test_an_interview_asked_for_before_is_the_one_that_the_invitation_leads_to(account, campaign):
    asked = requesting.request(account, EMAIL)
    addresses.add(account, EMAIL)
    inviting.invite_people(campaign.pk)

    assert Interview.objects.get() == asked
    assert Recipient.objects.get().interview == asked
    assert Delivery.objects.count() == 1


def test_an_interview_asked_for_later_is_the_one_of_the_list(account, campaign):
    addresses.add(account, EMAIL)
    asked = requesting.request(account, EMAIL)
    inviting.invite_people(campaign.pk)

    assert Recipient.objects.get().interview == asked == Interview.objects.get()


def test_nobody_is_invited_to_what_they_have_ended(account, campaign):
    addresses.add(account, EMAIL)
    asked = requesting.request(account, EMAIL)
    starting.call_off(asked.pk)
    inviting.invite_people(campaign.pk)

    person = Recipient.objects.get()
    assert (person.state, person.skip_reason) == ("skipped", "declined")


def test_whoever_is_tried_again_gets_another_email_to_the_same_interview(account, campaign):
    addresses.add(account, EMAIL)
    inviting.invite_people(campaign.pk)
    Delivery.objects.update(state="failed")
    addresses.try_again(addresses.person_at(account, EMAIL))
    inviting.invite_people(campaign.pk)

    assert Delivery.objects.count() == 2
    assert Interview.objects.count() == 1


def test_a_text_of_their_own_takes_the_place_of_the_template(account, campaign):
    addresses.add(account, EMAIL)
    addresses.add(account, "bo@example.com")
    text = "Hi {email}, mail {follow_up_num}: {interview_link} and {{ organisation }} {other}"
    own_words.keep(account, EMAIL, text, at=campaign.created_at)
    inviting.invite_people(campaign.pk)

    hers = email_to().text
    assert re.search(r"Hi ada@example.com, mail 1: http://testserver/i/[\w-]{43}", hers)
    assert "{other}" in hers
    assert "{ { organisation } }" in hers
    assert "we would like to hear about your work" in email_to("bo@example.com").text


def test_an_interview_asked_for_does_not_wait_for_the_time_of_day(account):
    in_an_hour = timezone.now() + timedelta(hours=1)
    schedule = daily_schedule.set_up(
        account, max_emails=3, interval_minutes=60, daily_at=f"{in_an_hour:%H:%M}"
    )
    for email in (EMAIL, "bo@example.com"):
        addresses.add(account, email)
    requesting.request(account, EMAIL)
    inviting.invite_people(schedule.campaign_id)

    assert [delivery.to_email for delivery in Delivery.objects.all()] == [EMAIL]


def test_the_scheduler_makes_three_reminders_and_repeats_the_last(account):
    schedule = daily_schedule.set_up(account, max_emails=7, interval_minutes=60, daily_at="09:00")

    assert schedule.repeats_last_step
    assert schedule.campaign.steps.count() == 3
    assert campaign_of(account).state == "running"
