"""What each person would get and when, before a campaign starts."""

from datetime import UTC, datetime

import pytest
import time_machine

from campaigns import previewing
from campaigns.models import Campaign, Schedule, Step
from crm.consent import suppress
from tests.factories import make_campaign, make_contact

pytestmark = pytest.mark.django_db
FRIDAY_NOON = datetime(2026, 3, 6, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _on_friday():
    with time_machine.travel(FRIDAY_NOON, tick=False):
        yield


def built(people=1, **schedule):
    campaign = make_campaign()
    for number in range(people):
        contact = make_contact(email=f"p{number}@example.com", time_zone="America/New_York")
        campaign.recipients.create(contact=contact)
    if schedule:
        Schedule.objects.create(campaign=campaign, **schedule)
    return Campaign.objects.get(pk=campaign.pk)


def planned(campaign, **options):
    people = campaign.recipients.select_related("contact").prefetch_related("contact__addresses")
    return previewing.plan_for(campaign, list(people.order_by("pk")), **options)


def test_emails_leave_in_the_windows_of_each_persons_own_time():
    campaign = built(send_from="09:00", send_until="17:00", weekdays="12345")
    Step.objects.create(campaign=campaign, template=campaign.template, delay_minutes=24 * 60)
    one = planned(campaign)[0]
    assert (one.zone, one.address) == ("America/New_York", "p0@example.com")
    # Friday at nine in New York; a day later is Saturday, so Monday at nine, after the clocks changed.
    assert [(email.number, email.at.isoformat()) for email in one.emails] == [
        (0, "2026-03-06T09:00:00-05:00"),
        (1, "2026-03-09T09:00:00-04:00"),
    ]


def test_the_days_time_for_new_people_is_in_the_overview_too():
    campaign = built(people=2, daily_at="09:00")
    (opening,) = previewing.audience_of(campaign).opens
    assert (opening.people, opening.at.isoformat()) == (2, "2026-03-07T09:00:00+00:00")
    assert {one.emails[0].at for one in planned(campaign)} == {opening.at}


def test_a_limit_of_invitations_a_day_spreads_people_over_days():
    days = [one.emails[0].at.day for one in planned(built(people=5, max_invitations_a_day=2))]
    assert days == [6, 6, 7, 7, 8]


def test_people_ahead_count_against_the_limit_of_a_day():
    campaign = built(max_invitations_a_day=2)
    assert planned(campaign, ahead=4)[0].emails[0].at.day == 8


def test_whoever_is_skipped_gets_nothing_and_the_reason_is_said():
    campaign = built(people=2)
    suppress(campaign.account, "email", "p0@example.com", "unsubscribe")
    first, second = planned(campaign)
    assert (first.reason, first.emails) == ("unsubscribe", ())
    assert len(second.emails) == 1


@pytest.mark.parametrize(("most", "shown"), [(4, 4), (1000, previewing.SHOWN_EMAILS)])
def test_a_repeated_last_step_ends_at_the_greatest_number_or_what_is_shown(most, shown):
    campaign = built(max_emails=most, repeats_last_step=True)
    Step.objects.create(campaign=campaign, template=campaign.template)
    assert len(planned(campaign)[0].emails) == shown


def test_a_scheduled_campaign_is_planned_from_its_start():
    campaign = built()
    campaign.state, campaign.scheduled_at = "scheduled", datetime(2026, 4, 1, 8, 0, tzinfo=UTC)
    assert planned(campaign)[0].emails[0].at == campaign.scheduled_at
