"""How a campaign comes along: its course over time, its people, and emails nobody is sure about."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from campaigns import courses, figures
from campaigns.admin import progress
from campaigns.admin.charts import chart_of
from campaigns.models import Campaign, Delivery, Recipient, SplitTest
from campaigns.tests.running import queued_campaign, send
from campaigns.tests.test_campaign_admin import at, sent_campaign
from config.api.models import AuditEntry
from interviews.models import Interview
from tests.factories import make_campaign
from tests.fakes.smtp_sink import DROP, Script, SmtpSink

pytestmark = pytest.mark.django_db
START = datetime(2026, 3, 4, 9, 30, tzinfo=UTC)


def spread_out(people=4):
    """A campaign over five hours: an email each hour; two opened, one began an hour later and completed."""
    campaign = sent_campaign(people=people)
    Campaign.objects.update(started_at=START, finished_at=START + timedelta(hours=5))
    for number, email in enumerate(Delivery.objects.order_by("pk")):
        Delivery.objects.filter(pk=email.pk).update(sent_at=START + timedelta(hours=number))
    first, second = Interview.objects.order_by("pk")[:2]
    Interview.objects.filter(pk=second.pk).update(opened_at=START + timedelta(hours=2), state="opened")
    Interview.objects.filter(pk=first.pk).update(
        opened_at=START + timedelta(hours=1),
        started_at=START + timedelta(hours=2),
        completed_at=START + timedelta(hours=3),
        state="completed",
    )
    campaign.refresh_from_db()
    return campaign


def test_the_course_counts_running_totals():
    course = courses.course_of(spread_out())
    assert course.unit == "hour"
    assert course.totals == {
        "sent": [1, 2, 3, 4, 4, 4],
        "opened": [0, 1, 2, 2, 2, 2],
        "started": [0, 0, 1, 1, 1, 1],
        "completed": [0, 0, 0, 1, 1, 1],
    }
    assert course.times[0] == START.replace(minute=0)
    assert [totals for _at, totals in course.rows()] == [
        [1, 0, 0, 0],
        [2, 1, 0, 0],
        [3, 2, 1, 0],
        [4, 2, 1, 1],
    ]


@pytest.mark.parametrize(
    ("length", "unit"),
    [(timedelta(minutes=20), "minute"), (timedelta(days=3), "hour"), (timedelta(days=90), "day")],
)
def test_the_course_has_few_steps_however_long_it_is(length, unit):
    spread_out(people=2)
    Campaign.objects.update(finished_at=START + length)
    course = courses.course_of(Campaign.objects.get())
    last = START + max(length, timedelta(hours=2))  # people go on answering
    assert course.unit == unit
    assert len(course.times) <= 200
    assert course.times[-1] <= last
    assert course.totals["sent"][-1] == 2


def test_a_course_needs_the_same_queries_however_many_people_there_are(django_assert_max_num_queries):
    campaign = spread_out()
    with django_assert_max_num_queries(5):
        courses.course_of(campaign)


def test_the_pace_and_the_time_to_finish_are_told_while_it_runs():
    campaign = make_campaign(people=2, state="running")
    assert progress.speed(campaign, left=100) == {"per_second": 0.0, "finish": "–"}
    figures.count([(campaign.pk, "sent")] * 120)
    told = progress.speed(campaign, left=100)
    assert told["per_second"] > 0
    assert told["finish"] != "–"
    campaign.state = "paused"
    assert progress.speed(campaign, left=100)["finish"] == "–"


@pytest.mark.parametrize(("seconds", "words"), [(40, "40 s"), (600, "10 min"), (7500, "2 h 5 min")])
def test_the_time_to_finish_is_told_in_words(seconds, words):
    assert progress.in_words(seconds) == words


def test_a_draft_has_no_course():
    assert courses.course_of(make_campaign()) is None


def test_the_chart_stands_in_its_box():
    chart = chart_of(courses.course_of(spread_out()))
    corners = [
        tuple(map(float, corner.split(","))) for line in chart.lines for corner in line.points.split(" ")
    ]
    assert all(0 <= x <= 640 and 0 <= y <= 200 for x, y in corners)
    assert chart.heights[-1].text == "5"


def test_the_page_has_the_figures_as_text_and_as_a_table(admin_client):
    campaign = spread_out()
    page = admin_client.get(at("campaign_course", campaign.pk)).content.decode()
    assert 'role="img"' in page
    assert "Sent: <b>4</b>" in page
    assert page.count("<polyline") == 4
    assert "The figures as a table" in page
    part = admin_client.get(at("campaign_course", campaign.pk), {"part": "course"}).content.decode()
    assert "<polyline" in part
    assert "<html" not in part


def test_a_page_without_a_course_says_when_there_will_be_one(admin_client):
    page = admin_client.get(at("campaign_course", make_campaign().pk)).content.decode()
    assert "appears here when the campaign starts" in page


def test_the_progress_page_needs_the_same_queries_however_many_people(
    admin_client, django_assert_max_num_queries
):
    campaign = spread_out(people=30)
    with django_assert_max_num_queries(20):
        admin_client.get(at("campaign_course", campaign.pk))


# --- A/B tests ----------------------------------------------------------------------------------------


def with_versions():
    campaign = sent_campaign(people=4)
    SplitTest.objects.create(campaign=campaign, subject_b="B", min_sample=10)
    for number, person in enumerate(campaign.recipients.all()):
        Recipient.objects.filter(pk=person.pk).update(variant="ab"[number % 2])
    return campaign


def test_the_versions_of_a_test_are_compared_on_the_page(admin_client):
    campaign = with_versions()
    Interview.objects.filter(recipient=campaign.recipients.first()).update(started_at=timezone.now())
    page = admin_client.get(at("campaign_course", campaign.pk)).content.decode()
    assert "Too few emails to compare: 10 of each are wanted." in page
    assert "50 %" in page
    assert at("campaign_winner", campaign.pk, "b") in page


def test_a_person_chooses_the_winner_once_and_it_is_written_down(admin_client):
    campaign = with_versions()
    path = at("campaign_winner", campaign.pk, "b")
    assert "not been invited yet" in admin_client.get(path).content.decode()
    assert SplitTest.objects.get().winner == ""
    admin_client.post(path)
    test = SplitTest.objects.get()
    assert (test.winner, test.decided_by) == ("b", "admin")
    assert AuditEntry.objects.get(action="chose the winner of an A/B test").detail == {"winner": "b"}
    page = admin_client.post(at("campaign_winner", campaign.pk, "a"), follow=True).content.decode()
    assert "chosen before" in page
    assert SplitTest.objects.get().winner == "b"


def test_a_version_that_is_none_is_not_found(admin_client):
    assert admin_client.get(at("campaign_winner", with_versions().pk, "c")).status_code == 404
    assert admin_client.get(at("campaign_winner", make_campaign().pk, "a")).status_code == 404


# --- Unknown emails -----------------------------------------------------------------------------------


@pytest.fixture
def unknown():
    with SmtpSink(Script(after_dot=[DROP, DROP])) as sink:
        campaign = queued_campaign(sink, people=2)
        send(campaign)
    assert set(Delivery.objects.values_list("state", flat=True)) == {"unknown"}
    return campaign


def test_a_person_decides_about_unknown_emails_and_it_is_written_down(admin_client, unknown):
    path = at("campaign_unknown", unknown.pk)
    page = admin_client.get(path).content.decode()
    assert "Send 2 emails again" in page
    assert "will get it twice" in page
    assert set(Delivery.objects.values_list("state", flat=True)) == {"unknown"}
    admin_client.post(path)
    assert set(Delivery.objects.values_list("state", flat=True)) == {"queued"}
    entry = AuditEntry.objects.get(action="sent unknown emails again")
    assert (entry.detail, entry.actor) == ({"emails": 2}, "admin")
    assert "nothing to decide" in admin_client.get(path).content.decode()


def test_only_this_campaigns_unknown_emails_are_sent_again(admin_client, unknown):
    other = sent_campaign(people=1)
    Delivery.objects.filter(campaign=other).update(state="unknown")
    admin_client.post(at("campaign_unknown", unknown.pk))
    assert Delivery.objects.get(campaign=other).state == "unknown"


# --- People -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        {"state__exact": "skipped"},
        {"skip_reason": "unsubscribe"},
        {"stop_reason": "replied"},
        {"next_step": "2"},
        {"interview_state": "started"},
    ],
)
def test_people_are_found_by_what_became_of_them(admin_client, query):
    campaign = sent_campaign(people=2)
    wanted = campaign.recipients.first()
    Recipient.objects.filter(pk=wanted.pk).update(
        state="skipped" if "state__exact" in query else "invited",
        skip_reason=query.get("skip_reason", ""),
        stop_reason=query.get("stop_reason", ""),
        stopped_at=timezone.now() if "stop_reason" in query else None,
        next_step=int(query.get("next_step", 1)),
        next_at=timezone.now() if "next_step" in query else None,
    )
    if "interview_state" in query:
        Interview.objects.filter(pk=wanted.interview_id).update(state="started")
    query |= {"campaign__id__exact": str(campaign.pk)}
    response = admin_client.get(at("recipient_changelist"), query)
    assert [row.pk for row in response.context["cl"].result_list] == [wanted.pk]


@pytest.mark.parametrize(
    "query", [{"campaign__id__exact": "nonsense"}, {"skip_reason": "'; drop"}, {"next_step": "x"}]
)
def test_filters_that_mean_nothing_break_nothing(admin_client, query):
    sent_campaign(people=1)
    assert admin_client.get(at("recipient_changelist"), query).status_code == 200


def test_the_accounts_of_people_are_kept_apart_by_the_filter(admin_client):
    from tests.factories import make_account

    sent_campaign(people=1)
    other = make_campaign(make_account("other"), people=1)
    query = {"campaign__account__id__exact": str(other.account_id)}
    response = admin_client.get(at("recipient_changelist"), query)
    assert {row.campaign_id for row in response.context["cl"].result_list} == {other.pk}


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ({"skip_reason": "unsubscribe"}, "recipient_skipped_why"),
        ({"stop_reason": "replied"}, "recipient_stopped_why"),
        ({"state__exact": "waiting"}, "recipient_waiting"),
    ],
)
@pytest.mark.skipif(connection.vendor != "sqlite", reason="a small table is read whole by PostgreSQL")
def test_the_people_of_a_campaign_are_found_by_an_index(admin_client, query, index):
    campaign = sent_campaign(people=1)
    query |= {"campaign__id__exact": str(campaign.pk)}
    found = admin_client.get(at("recipient_changelist"), query).context["cl"].queryset
    assert index in found.explain()
