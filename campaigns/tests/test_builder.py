"""The builder and the preview: a campaign put together on one page, and read as one of its people."""

from datetime import UTC, datetime

import pytest
import time_machine

from campaigns.models import Campaign, Delivery, Schedule, SplitTest, Step
from campaigns.tests.test_campaign_admin import at, no_parts
from crm.consent import suppress
from tests.factories import (
    make_account,
    make_campaign,
    make_contact,
    make_smtp_server,
    make_template,
)
from tests.fakes.smtp_sink import SmtpSink

pytestmark = pytest.mark.django_db


def form_of(campaign, **parts):
    own = {"name": campaign.name, "guide": str(campaign.guide_id), "template": str(campaign.template_id)}
    return own | {"smtp_server": campaign.smtp_server_id or ""} | no_parts(**parts)


def saved(admin_client, campaign, data):
    response = admin_client.post(at("campaign_change", campaign.pk), data)
    assert response.status_code == 302, response.context["errors"]
    return Campaign.objects.get(pk=campaign.pk)


def test_a_campaign_is_built_on_one_page(admin_client):
    campaign = make_campaign(people=1)
    reminder = make_template(campaign.account, name="Reminder")
    data = form_of(campaign, steps=1, schedule=1, split_test=1) | {
        "steps-0-position": "1",
        "steps-0-template": str(reminder.pk),
        "steps-0-delay_minutes_0": "3",
        "steps-0-delay_minutes_1": "1440",
        "steps-0-condition": "always",
        "schedule-0-send_from": "09:00",
        "schedule-0-send_until": "17:30",
        "schedule-0-weekdays": ["1", "2", "5"],
        "schedule-0-holidays": "2026-12-25\n2027-01-01",
        "schedule-0-interval_minutes": "60",
        "split_test-0-subject_b": "Ten minutes for us?",
        "split_test-0-test_percent": "50",
        "split_test-0-metric": "started",
        "split_test-0-min_sample": "20",
        "split_test-0-decide_after_hours": "24",
    }
    campaign = saved(admin_client, campaign, data)
    assert (Step.objects.get().template, Step.objects.get().delay_minutes) == (reminder, 3 * 1440)
    schedule = campaign.schedule
    assert (str(schedule.send_from), schedule.weekdays) == ("09:00:00", "125")
    assert schedule.holidays == ["2026-12-25", "2027-01-01"]
    assert campaign.split_test.subject_b == "Ten minutes for us?"
    page = admin_client.get(at("campaign_change", campaign.pk)).content.decode()
    assert "2027-01-01" in page


def test_public_holidays_are_chosen_from_a_list_of_countries(admin_client):
    campaign = make_campaign()
    days = {"schedule-0-weekdays": list("12345"), "schedule-0-interval_minutes": "0"}
    data = form_of(campaign, schedule=1) | days
    chosen = {"schedule-0-holiday_country": "DE", "schedule-0-holiday_subdivision": "BY"}
    schedule = saved(admin_client, campaign, data | chosen).schedule
    assert (schedule.holiday_country, schedule.holiday_subdivision) == ("DE", "BY")
    page = admin_client.get(at("campaign_change", campaign.pk)).content.decode()
    assert '<option value="DE" selected>Germany</option>' in page


def test_a_wrong_part_of_a_country_is_told(admin_client):
    campaign = make_campaign()
    days = {"schedule-0-weekdays": ["1"], "schedule-0-interval_minutes": "0"}
    wrong = {"schedule-0-holiday_country": "DE", "schedule-0-holiday_subdivision": "XX"}
    data = form_of(campaign, schedule=1) | days | wrong
    response = admin_client.post(at("campaign_change", campaign.pk), data)
    assert "XX is no part of DE" in response.content.decode()


def test_parts_that_were_left_empty_are_not_made(admin_client):
    campaign = make_campaign()
    empty = {"schedule-0-weekdays": list("1234567"), "schedule-0-interval_minutes": "0"}
    empty |= {"split_test-0-test_percent": "100", "split_test-0-metric": "started"}
    empty |= {"split_test-0-min_sample": "100", "split_test-0-decide_after_hours": "72"}
    saved(admin_client, campaign, form_of(campaign, schedule=1, split_test=1) | empty)
    assert not Schedule.objects.exists()
    assert not SplitTest.objects.exists()


def test_a_running_campaign_shows_its_parts_in_words_and_offers_no_form_it_would_drop(admin_client):
    campaign = make_campaign()
    Schedule.objects.create(campaign=campaign, weekdays="12", holidays=["2026-12-24"])
    Step.objects.create(campaign=campaign, template=campaign.template, delay_minutes=4320)
    Campaign.objects.update(state="running")
    page = admin_client.get(at("campaign_change", campaign.pk)).content.decode()
    assert "split_test-0-subject_b" not in page
    assert "A/B test" not in page
    for words in ("Monday, Tuesday", "2026-12-24", "3 days"):
        assert words in page
    assert "4320" not in page


def test_a_wrong_holiday_is_told(admin_client):
    campaign = make_campaign()
    data = form_of(campaign, schedule=1) | {"schedule-0-weekdays": ["1"], "schedule-0-holidays": "Christmas"}
    response = admin_client.post(at("campaign_change", campaign.pk), data)
    assert "Write a list of dates like 2026-12-25." in response.content.decode()


def test_a_template_of_another_account_is_not_taken_for_a_follow_up(admin_client):
    campaign = make_campaign()
    foreign = make_template(make_account("other"))
    data = form_of(campaign, steps=1) | {
        "steps-0-position": "1",
        "steps-0-template": str(foreign.pk),
        "steps-0-delay_minutes_0": "1",
        "steps-0-delay_minutes_1": "60",
        "steps-0-condition": "always",
    }
    assert admin_client.post(at("campaign_change", campaign.pk), data).status_code == 200
    assert not Step.objects.exists()


def test_what_has_started_is_not_built_anew(admin_client):
    campaign = make_campaign(people=1, state="running")
    Step.objects.create(campaign=campaign, template=campaign.template)
    page = admin_client.get(at("campaign_change", campaign.pk)).content.decode()
    assert 'name="steps-0-template"' not in page
    assert "Follow-up" in page


# --- Live preview -----------------------------------------------------------------------------------


def live(admin_client, campaign, **query):
    return admin_client.get(at("campaign_preview_live", campaign.pk), query).json()


def test_the_preview_reads_as_a_chosen_person(admin_client):
    campaign = make_campaign(people=1)
    campaign.recipients.create(contact=make_contact(name="Zoë Łącka", email="zoe@example.com"))
    assert live(admin_client, campaign, **{"as": "zoe@example.com"})["subject"].startswith("Zoë,")
    assert live(admin_client, campaign)["subject"].startswith("Ada,")
    assert "Nobody in this campaign" in live(admin_client, campaign, **{"as": "x@example.com"})["problem"]


def test_the_preview_follows_the_form_before_it_is_saved(admin_client):
    campaign = make_campaign(people=1)
    other = make_template(campaign.account, subject="Another subject")
    assert live(admin_client, campaign, template=str(other.pk))["subject"] == "Another subject"
    assert Campaign.objects.get().template != other


def test_the_preview_shows_no_template_of_another_account(admin_client):
    campaign = make_campaign(people=1)
    foreign = make_template(make_account("other"), subject="Secret")
    assert live(admin_client, campaign, template=str(foreign.pk))["subject"] != "Secret"


def test_the_preview_shows_version_b_and_the_follow_ups(admin_client):
    campaign = make_campaign(people=1)
    reminder = make_template(campaign.account, subject="A reminder")
    Step.objects.create(campaign=campaign, template=reminder, keeps_subject=False)
    Step.objects.create(campaign=campaign, template=reminder, position=2)
    SplitTest.objects.create(campaign=campaign, subject_b="Version B")
    assert live(admin_client, campaign, email="b")["subject"] == "Version B"
    assert live(admin_client, campaign, email="step-1")["subject"] == "A reminder"
    assert live(admin_client, campaign, email="step-2")["subject"] == "Re: Ada, may we ask you something?"
    page = admin_client.get(at("campaign_preview", campaign.pk), {"email": "step-1"}).content.decode()
    assert "A reminder" in page


def test_a_preview_writes_nothing_and_its_links_lead_nowhere(admin_client):
    campaign = make_campaign(people=1)
    said = live(admin_client, campaign)
    assert "this-is-only-a-preview" in said["html"]
    assert not campaign.guide.interviews.exists()
    assert not Delivery.objects.exists()


def test_the_html_of_a_preview_runs_in_a_sandbox(admin_client):
    campaign = make_campaign(people=1)
    page = admin_client.get(at("campaign_preview", campaign.pk)).content.decode()
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in page
    assert "allow-scripts" not in page


def test_a_test_goes_out_as_the_chosen_email_and_person(admin_client):
    with SmtpSink() as sink:
        campaign = make_campaign(people=1, smtp_server=make_smtp_server(port=sink.port))
        reminder = make_template(subject="{{ first_name }}, a reminder")
        Step.objects.create(campaign=campaign, template=reminder, keeps_subject=False)
        data = {"to": "me@example.com", "email": "step-1", "recipient": campaign.recipients.get().pk}
        admin_client.post(at("campaign_preview", campaign.pk), data)
    assert sink.received[0].message["Subject"] == "[Test] Ada, a reminder"
    assert not Delivery.objects.exists()


def test_the_preview_says_who_is_skipped_and_why(admin_client):
    campaign = make_campaign(people=2)
    campaign.recipients.create(contact=make_contact(email="gone@example.com"))
    suppress(campaign.account, "email", "gone@example.com", "unsubscribe")
    page = admin_client.get(at("campaign_preview", campaign.pk)).content.decode()
    assert "<b>2</b> people will get this email" in page
    assert "1 skipped: Unsubscribed" in page


def test_the_builder_needs_the_same_queries_however_many_people_there_are(
    admin_client, django_assert_max_num_queries
):
    campaign = make_campaign(people=40)
    for number in range(1, 4):
        Step.objects.create(campaign=campaign, template=campaign.template, position=number)
    with django_assert_max_num_queries(40):
        admin_client.get(at("campaign_change", campaign.pk))


# --- Who gets what, and when --------------------------------------------------------------------------


def with_people(people, **schedule):
    campaign = make_campaign()
    for number in range(people):
        contact = make_contact(email=f"p{number}@example.com", time_zone="America/New_York")
        campaign.recipients.create(contact=contact)
    if schedule:
        Schedule.objects.create(campaign=campaign, **schedule)
    return campaign


@time_machine.travel(datetime(2026, 3, 6, 12, 0, tzinfo=UTC), tick=False)
def test_the_timetable_is_in_each_persons_own_time(admin_client):
    campaign = with_people(1, send_from="09:00", send_until="17:00", weekdays="12345")
    Step.objects.create(campaign=campaign, template=campaign.template, delay_minutes=24 * 60)
    page = admin_client.get(at("campaign_preview", campaign.pk)).content.decode()
    # Friday at nine in New York; a day later is Saturday, so Monday at nine, after the clocks changed.
    assert "Fri 6 Mar, 09:00 · Invitation" in page
    assert "Mon 9 Mar, 09:00 · Follow-up 1" in page
    assert "America/New_York" in page


def test_whoever_is_skipped_stands_in_the_timetable_with_the_reason(admin_client):
    campaign = with_people(2)
    suppress(campaign.account, "email", "p0@example.com", "unsubscribe")
    page = admin_client.get(at("campaign_preview", campaign.pk)).content.decode()
    assert "Nothing: Unsubscribed" in page
    assert page.count('class="rc-times"') == 1


def test_the_timetable_comes_page_by_page_in_the_same_queries(admin_client, django_assert_max_num_queries):
    campaign = with_people(30)
    Step.objects.create(campaign=campaign, template=campaign.template)
    with django_assert_max_num_queries(32):
        page = admin_client.get(at("campaign_preview", campaign.pk)).content.decode()
    assert page.count('class="rc-times"') == 25
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
