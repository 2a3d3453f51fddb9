"""What must never be in the rows of schedules, steps and splits is refused by the database itself."""

from datetime import time

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from campaigns.models import Recipient, Schedule, SplitTest, Step
from tests.factories import make_account, make_campaign, make_template

pytestmark = pytest.mark.django_db


def refused(make):
    with pytest.raises(IntegrityError), transaction.atomic():
        make()


def test_there_is_one_standing_campaign_of_an_account():
    make_campaign(is_standing=True)
    make_campaign(is_standing=False)
    make_campaign(make_account("other"), is_standing=True)
    refused(lambda: make_campaign(is_standing=True))


@pytest.mark.parametrize("wrong", [{"position": 0}, {"delay_minutes": 0}])
def test_a_step_comes_after_the_invitation_and_with_a_delay(wrong):
    campaign = make_campaign()
    refused(lambda: Step.objects.create(campaign=campaign, template=campaign.template, **wrong))


def test_two_steps_never_share_a_position():
    campaign = make_campaign()
    Step.objects.create(campaign=campaign, template=campaign.template)
    refused(lambda: Step.objects.create(campaign=campaign, template=campaign.template))


@pytest.mark.parametrize(
    "wrong",
    [
        {"send_from": time(9)},
        {"send_until": time(9)},
        {"send_from": time(9), "send_until": time(9)},
        {"weekdays": ""},
        {"repeats_last_step": True},
        {"max_emails": 0},
        {"holiday_subdivision": "BY"},
    ],
)
def test_a_schedule_that_sends_nothing_or_for_ever_is_refused(wrong):
    refused(lambda: Schedule.objects.create(campaign=make_campaign(), **wrong))


@pytest.mark.parametrize(
    "wrong",
    [
        {"weekdays": "890"},
        {"time_zone": "Mars/Olympus"},
        {"holidays": ["25.12.2026"]},
        {"holidays": "2026-12-25"},
        {"holidays": 7},
        {"holiday_country": "pl"},
        {"holiday_country": "ZZ"},
        {"holiday_country": "PL", "holiday_subdivision": "BY"},
        {"holiday_country": "DE", "holiday_subdivision": "XX"},
        {"max_emails": 1001},
    ],
)
def test_a_schedule_is_checked_with_words(wrong):
    with pytest.raises(ValidationError):
        Schedule(campaign=make_campaign(), **wrong).full_clean()


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"subject_b": "Other", "test_percent": 0},
        {"subject_b": "Other", "test_percent": 101},
        {"subject_b": "Other", "winner": "a"},
        {"subject_b": "Other", "decided_at": timezone.now()},
    ],
)
def test_a_split_compares_two_emails_and_is_decided_once(wrong):
    refused(lambda: SplitTest.objects.create(campaign=make_campaign(), **wrong))


def test_a_split_by_another_template_needs_no_subject():
    SplitTest.objects.create(campaign=make_campaign(), template_b=make_template())


@pytest.mark.parametrize(
    "wrong",
    [
        {"stopped_at": timezone.now(), "next_at": None},
        {"stop_reason": "replied"},
        {"stopped_at": timezone.now(), "stop_reason": "replied"},
    ],
)
def test_whoever_was_stopped_has_a_reason_and_nothing_due(wrong):
    campaign = make_campaign(people=1)
    refused(lambda: Recipient.objects.filter(campaign=campaign).update(**wrong))
