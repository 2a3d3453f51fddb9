"""The standing campaign of an account: made once, and where the marketing API's people are invited."""

import pytest

from campaigns import daily_schedule
from campaigns.standing import campaign_of
from interviews.models import Guide
from tests.factories import make_account, make_guide

pytestmark = pytest.mark.django_db


@pytest.fixture
def account():
    return make_account("acme")


def test_there_is_one_of_an_account(account):
    assert campaign_of(account) == campaign_of(account)
    assert campaign_of(account).guide.questions.count() == 5


def test_it_takes_a_guide_that_is_there(account):
    guide = make_guide(account)
    assert campaign_of(account).guide == guide
    assert Guide.objects.count() == 1


def test_the_scheduler_makes_three_reminders_and_repeats_the_last(account):
    schedule = daily_schedule.set_up(account, max_emails=7, interval_minutes=60, daily_at="09:00")

    assert schedule.repeats_last_step
    assert schedule.campaign.steps.count() == 3
    assert campaign_of(account).state == "running"
