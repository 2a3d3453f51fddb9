"""Steps, schedule, A/B test and previews over the API, and their strangers."""

import pytest
import time_machine

from campaigns import previewing, states, tasks
from campaigns.models import Campaign, Recipient, Schedule, SplitTest, Step
from campaigns.tests.following import stepped_campaign
from campaigns.tests.test_campaign_api import BASE, Api
from crm import consent
from tests.factories import make_account, make_campaign, make_contact, make_key, make_template

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(client):
    return Api(client, make_key())


@pytest.fixture
def stranger(client):
    return Api(client, make_key(make_account("stranger")))


def put(api, path, body):
    return api.client.put(path, body, content_type="application/json", headers=api.headers)


def test_steps_are_set_in_their_order_and_read_back(api):
    campaign, first, second = make_campaign(), make_template(name="1"), make_template(name="2")
    path = f"{BASE}/{campaign.pk}/steps"
    steps = [
        {"template": str(first.pk), "delay_minutes": 60},
        {"template": str(second.pk), "delay_minutes": 90, "condition": "not_started", "keeps_subject": False},
    ]
    shown = put(api, path, {"steps": steps}).json()["data"]["steps"]
    assert [(one["position"], one["template"], one["condition"]) for one in shown] == [
        (1, str(first.pk), "always"),
        (2, str(second.pk), "not_started"),
    ]
    assert api.get(path).json()["data"]["steps"] == shown
    assert put(api, path, {"steps": []}).status_code == 200
    assert not Step.objects.exists()


@pytest.mark.parametrize(
    "wrong", [{"delay_minutes": 0}, {"condition": "opened"}, {"template": "x"}, {"template": None}]
)
def test_a_step_that_makes_no_sense_is_told(api, wrong):
    template = {"template": str(make_template().pk), "delay_minutes": 5}
    answer = put(api, f"{BASE}/{make_campaign().pk}/steps", {"steps": [{**template, **wrong}]})
    assert answer.status_code == 400


def test_a_foreign_template_is_no_step(api):
    foreign = make_template(make_account("other"))
    body = {"steps": [{"template": str(foreign.pk), "delay_minutes": 5}]}
    assert put(api, f"{BASE}/{make_campaign().pk}/steps", body).status_code == 400


def test_the_schedule_is_set_whole(api):
    path = f"{BASE}/{make_campaign().pk}/sending-schedule"
    assert api.get(path).json()["data"]["weekdays"] == [1, 2, 3, 4, 5, 6, 7]
    body = {
        "send_from": "09:00",
        "send_until": "17:30",
        "weekdays": [5, 1],
        "holidays": ["2026-12-25"],
        "time_zone": "Europe/Warsaw",
        "max_emails": 3,
    }
    shown = put(api, path, body).json()["data"]
    assert (shown["send_from"], shown["weekdays"], shown["max_emails"]) == ("09:00:00", [1, 5], 3)
    assert put(api, path, {}).json()["data"]["max_emails"] is None
    assert Schedule.objects.count() == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"send_from": "09:00"},
        {"send_from": "09:00", "send_until": "09:00"},
        {"weekdays": []},
        {"weekdays": [8]},
        {"holidays": ["Christmas"]},
        {"holiday_country": "ZZ"},
        {"holiday_country": "POL"},
        {"holiday_country": None},
        {"holiday_subdivision": "BY"},
        {"holiday_country": "DE", "holiday_subdivision": "XX"},
        {"time_zone": "Mars/Olympus"},
        {"max_emails": 0},
        {"repeats_last_step": True},
        {"daily_at": "25:99"},
        {"interval_minutes": -1},
    ],
)
def test_a_schedule_that_makes_no_sense_is_told(api, wrong):
    answer = put(api, f"{BASE}/{make_campaign().pk}/sending-schedule", wrong)
    assert answer.status_code == 400


@time_machine.travel("2026-12-20T10:00Z", tick=False)
def test_a_country_closes_its_holidays_and_says_which(api):
    campaign = make_campaign(people=1)
    path = f"{BASE}/{campaign.pk}"
    body = {"holiday_country": "DE", "holiday_subdivision": "BY", "time_zone": "Europe/Berlin"}
    shown = put(api, f"{path}/sending-schedule", body).json()["data"]
    assert (shown["holiday_country"], shown["holiday_subdivision"]) == ("DE", "BY")
    assert shown["coming_holidays"][0] == {"day": "2026-12-25", "name": "Christmas Day"}
    assert "2027-01-06" in [one["day"] for one in shown["coming_holidays"]]
    with time_machine.travel("2026-12-25T10:00Z", tick=False):
        opens = api.get(f"{path}/preview").json()["data"]["opens"]
    assert opens[0]["at"].startswith("2026-12-26T23:00")  # midnight there, after two holidays


def test_a_wrong_part_of_a_country_is_told_with_those_there_are(api):
    wrong = {"holiday_country": "DE", "holiday_subdivision": "Bavaria"}
    answer = put(api, f"{BASE}/{make_campaign().pk}/sending-schedule", wrong)
    assert answer.status_code == 400
    assert "BB, BE, BW, BY" in answer.content.decode()


def test_a_running_campaign_keeps_its_steps_and_a_paused_one_does_not(api):
    campaign = make_campaign(people=1)
    states.begin(campaign.pk)
    for tail, body in (("steps", {"steps": []}), ("sending-schedule", {})):
        assert put(api, f"{BASE}/{campaign.pk}/{tail}", body).status_code == 409
    states.pause(campaign.pk)
    assert put(api, f"{BASE}/{campaign.pk}/steps", {"steps": []}).status_code == 200


def test_a_standing_campaign_changes_while_it_runs_and_looks_at_everybody_again(api):
    campaign = make_campaign(people=1, is_standing=True)
    states.begin(campaign.pk)
    tasks.sweep()
    assert Recipient.objects.get().next_at is None
    body = {"steps": [{"template": str(make_template().pk), "delay_minutes": 5}]}
    assert put(api, f"{BASE}/{campaign.pk}/steps", body).status_code == 200
    assert Recipient.objects.get().next_at is not None


def test_an_account_has_one_standing_campaign(api):
    standing = make_campaign(is_standing=True)
    body = {"name": "x", "guide": str(standing.guide_id), "template": str(standing.template_id)}
    assert api.post(BASE, {**body, "is_standing": True}).status_code == 400
    assert api.patch(f"{BASE}/{standing.pk}", {"is_standing": True}).status_code == 200


def test_a_split_test_is_set_and_decided_once(api):
    campaign = make_campaign(people=1)
    path = f"{BASE}/{campaign.pk}/split-test"
    assert api.get(path).status_code == 404
    assert put(api, path, {}).status_code == 400
    shown = put(api, path, {"subject_b": "Other", "min_sample": 20}).json()["data"]
    assert (shown["winner"], shown["result"]["leader"], shown["result"]["has_sample"]) == ("", "", False)
    assert api.post(f"{path}/winner", {"winner": "c"}).status_code == 400
    assert api.post(f"{path}/winner", {"winner": "b"}).json()["data"]["winner"] == "b"
    assert api.post(f"{path}/winner", {"winner": "a"}).status_code == 409
    Campaign.objects.update(state="running")
    assert put(api, path, {"subject_b": "Third"}).status_code == 409


def test_one_person_is_stopped(api):
    campaign = stepped_campaign()
    states.begin(campaign.pk)
    tasks.sweep()
    person = campaign.recipients.get()
    assert api.post(f"{BASE}/{campaign.pk}/recipients/{person.pk}/stop").status_code == 204
    assert api.post(f"{BASE}/{campaign.pk}/recipients/{person.pk + 1}/stop").status_code == 404
    shown = api.get(f"{BASE}/{campaign.pk}/recipients").json()["data"][0]
    assert (shown["stop_reason"], shown["next_at"]) == ("staff", None)


@pytest.mark.parametrize("tail", ["steps", "sending-schedule", "split-test", "preview/people"])
def test_a_stranger_reads_nothing(stranger, tail):
    campaign = make_campaign(people=1)
    SplitTest.objects.create(campaign=campaign, subject_b="x")
    assert stranger.get(f"{BASE}/{campaign.pk}/{tail}").status_code == 404


@pytest.mark.parametrize("tail", ["steps", "sending-schedule", "split-test"])
def test_a_stranger_sets_nothing(stranger, tail):
    assert put(stranger, f"{BASE}/{make_campaign().pk}/{tail}", {"steps": []}).status_code == 404


def test_a_stranger_stops_nobody_and_chooses_nothing(stranger):
    campaign = make_campaign(people=1)
    SplitTest.objects.create(campaign=campaign, subject_b="x")
    person = campaign.recipients.get()
    assert stranger.post(f"{BASE}/{campaign.pk}/recipients/{person.pk}/stop").status_code == 404
    assert stranger.post(f"{BASE}/{campaign.pk}/split-test/winner", {"winner": "a"}).status_code == 404


# --- Previews ---------------------------------------------------------------------------------------------


def audience_with_reasons():
    campaign = stepped_campaign(people=0, delays=[60])
    Schedule.objects.create(campaign=campaign, max_emails=5, repeats_last_step=True)
    people = [make_contact(time_zone=zone) for zone in ("Asia/Tokyo", "Europe/Warsaw", "", "", "", "", "")]
    Recipient.objects.bulk_create(Recipient(campaign=campaign, contact=one) for one in people)
    consent.suppress(campaign.account, "email", people[2].addresses.get().value, "complaint")
    consent.record(people[3], "email", "invitation", given=False, source="test")
    people[4].addresses.all().delete()
    people[5].is_active = False
    people[5].save()
    return campaign


def test_a_preview_says_who_is_skipped_and_why_and_when_it_begins(api):
    campaign = audience_with_reasons()
    shown = api.get(f"{BASE}/{campaign.pk}/preview").json()["data"]
    assert shown["will_get"] == 3
    assert shown["skipped"] == {"complaint": 1, "declined": 1, "no_address": 1, "inactive": 1}
    assert {one["time_zone"]: one["people"] for one in shown["opens"]} == {
        "Asia/Tokyo": 1,
        "Europe/Warsaw": 1,
        "UTC": 1,
    }


def test_a_preview_pages_through_the_people_with_what_each_would_get(api):
    campaign = audience_with_reasons()
    path = f"{BASE}/{campaign.pk}/preview/people"
    first = api.get(path, limit=4).json()
    rest = api.get(path, limit=4, cursor=first["pagination"]["next"]).json()
    people = first["data"] + rest["data"]
    assert [one["reason"] for one in people] == [
        "",
        "",
        "complaint",
        "declined",
        "no_address",
        "inactive",
        "",
    ]
    assert [email["step"] for email in people[0]["emails"]] == [0, 1, 2, 3, 4]
    assert people[2]["emails"] == []


def test_the_preview_and_the_campaign_agree(api):
    campaign = audience_with_reasons()
    audience = previewing.audience_of(campaign)
    states.begin(campaign.pk)
    tasks.sweep()
    assert campaign.recipients.filter(state="invited").count() == audience.will_get
    reasons = campaign.recipients.filter(state="skipped").values_list("skip_reason", flat=True)
    assert {reason: list(reasons).count(reason) for reason in reasons} == audience.skipped


def test_the_totals_need_the_same_queries_for_any_number_of_people(django_assert_num_queries):
    small, large = make_campaign(people=2), make_campaign(people=60)
    for campaign in (small, large):
        campaign = Campaign.objects.select_related("account", "schedule").get(pk=campaign.pk)
        with django_assert_num_queries(3):
            assert previewing.audience_of(campaign).will_get in (2, 60)
