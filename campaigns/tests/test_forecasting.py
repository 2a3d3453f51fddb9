"""Who would get what and when, before a campaign starts."""

from datetime import UTC, datetime

import pytest
import time_machine

from campaigns.forecasting import forecasts
from campaigns.models import Schedule, Step
from campaigns.tests.test_campaign_admin import at
from crm.consent import suppress
from tests.factories import make_campaign, make_contact

pytestmark = pytest.mark.django_db
FRIDAY_NOON = datetime(2026, 3, 6, 12, 0, tzinfo=UTC)


def built(people=1, **schedule):
    campaign = make_campaign()
    with time_machine.travel(datetime(2026, 3, 1, tzinfo=UTC), tick=False):
        for number in range(people):
            contact = make_contact(email=f"p{number}@example.com", time_zone="America/New_York")
            campaign.recipients.create(contact=contact)
    if schedule:
        Schedule.objects.create(campaign=campaign, **schedule)
    return campaign


def forecast(campaign, **options):
    people = campaign.recipients.select_related("contact").prefetch_related("contact__addresses")
    return forecasts(campaign, list(people.order_by("pk")), at=FRIDAY_NOON, **options)


def test_emails_leave_in_the_windows_of_each_persons_own_time():
    campaign = built(send_from="09:00", send_until="17:00", weekdays="12345")
    Step.objects.create(campaign=campaign, template=campaign.template, delay_minutes=24 * 60)
    one = forecast(campaign)[0]
    assert one.zone == "America/New_York"
    # Friday at nine in New York; a day later is Saturday, so Monday at nine, after the clocks changed.
    assert [when.isoformat() for _step, when in one.times] == [
        "2026-03-06T09:00:00-05:00",
        "2026-03-09T09:00:00-04:00",
    ]


def test_a_limit_of_invitations_a_day_spreads_people_over_days():
    times = [one.times[0][1].day for one in forecast(built(people=5, max_invitations_a_day=2))]
    assert times == [6, 6, 7, 7, 8]
    assert forecast(built(people=1, max_invitations_a_day=2), ahead=4)[0].times[0][1].day == 8


def test_whoever_is_skipped_gets_nothing_and_the_reason_is_said():
    campaign = built(people=2)
    suppress(campaign.account, "email", "p0@example.com", "unsubscribe")
    first, second = forecast(campaign)
    assert (first.reason, first.times) == ("unsubscribe", [])
    assert len(second.times) == 1


def test_a_repeated_last_step_ends_at_the_greatest_number():
    campaign = built(max_emails=4, repeats_last_step=True)
    Step.objects.create(campaign=campaign, template=campaign.template)
    assert len(forecast(campaign)[0].times) == 4


def test_the_preview_shows_the_timetable_page_by_page(admin_client, django_assert_max_num_queries):
    campaign = built(people=30)
    Step.objects.create(campaign=campaign, template=campaign.template)
    with django_assert_max_num_queries(24):
        page = admin_client.get(at("campaign_preview", campaign.pk)).content.decode()
    assert page.count('class="rc-times"') == 25
    assert "Follow-up 1" in page
    last = campaign.recipients.order_by("pk")[24]
    assert f"?after={last.pk}#timetable" in page
    page = admin_client.get(at("campaign_preview", campaign.pk), {"after": last.pk}).content.decode()
    assert page.count('class="rc-times"') == 5


def test_a_campaign_is_started_later_by_staff(admin_client):
    campaign = make_campaign(people=1)
    path = at("campaign_schedule", campaign.pk)
    assert "1 person will be invited" in admin_client.get(path).content.decode()
    assert "in the future" in admin_client.post(path, {"at": "2020-01-01T10:00"}).content.decode()
    assert admin_client.post(path, {"at": "2099-01-01T10:00"}).status_code == 302
    campaign.refresh_from_db()
    assert (campaign.state, campaign.scheduled_at.year) == ("scheduled", 2099)
