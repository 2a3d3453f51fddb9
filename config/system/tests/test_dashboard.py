"""The admin's start page."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from campaigns.models import Delivery
from config.system import attention, daily, dashboard
from config.system.models import DailyFigure
from crm import talk
from crm.models import ContactMerge, Conversation, Message, MessageReport
from interviews.models import Interview
from knowledge.models import Document
from tests.factories import (
    make_account,
    make_collection,
    make_contact,
    make_conversation,
    make_guide,
    make_smtp_server,
)
from voice.models import VoiceEvent

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client):
    client.force_login(get_user_model().objects.create_superuser("admin", "", "secret-enough"))
    return client


def make_document(number, state=Document.State.FAILED):
    collection = make_collection(slug=f"collection-of-{number}")
    return Document.objects.create(collection=collection, title="Handbook", checksum=str(number), state=state)


def make_delivery(number, state=Delivery.State.UNKNOWN):
    contact = make_contact()
    return Delivery.objects.create(
        account=contact.account,
        contact=contact,
        purpose="invitation",
        key=str(number),
        to_email="a@example.com",
        state=state,
    )


def page(staff):
    response = staff.get("/admin/")
    assert response.status_code == 200
    return response.content.decode()


def test_when_nothing_is_wrong_it_says_so(staff):
    assert "Nothing. Everything that could go on by itself does." in page(staff)


def test_what_needs_a_person_comes_first(staff):
    make_document(1)
    make_delivery(1)
    make_delivery(2)
    shown = page(staff)
    assert "document could not be read" in shown
    assert "emails may or may not have arrived" in shown
    assert shown.index("Needs you") < shown.index("Now</h2>")


def test_a_person_who_waits_for_staff_is_the_first_thing_said(staff):
    conversation = make_conversation()
    talk.take_over(conversation, get_user_model().objects.get())
    assert "waits for an answer of staff" not in page(staff)
    talk.record_message(conversation, "Is somebody there?")
    shown = page(staff)
    assert "<strong>1</strong> person waits for an answer of staff" in shown
    (link,) = re.findall(r'href="(\S+taken_over_by\S+)"', shown)
    assert str(conversation.contact) in staff.get(link).content.decode()


def test_reports_proposed_merges_and_dead_webhooks_wait_for_a_person(staff):
    account = make_account()
    first, second = make_contact(account), make_contact(account)
    conversation = make_conversation(first)
    reply = talk.say(conversation, "Something untrue.")
    MessageReport.objects.create(account=account, contact=first, message=reply, reason="untrue")
    ContactMerge.propose([(first, second, ["phone"])])
    VoiceEvent.objects.create(account=account, source="webhook", event_id="1", state="dead")
    shown = page(staff)
    for words in (
        "reply was reported by a person",
        "pair of contacts may be one person",
        "webhook of a talk could not be read",
    ):
        assert f"<strong>1</strong> {words}" in shown


def test_a_failed_reply_counts_for_a_day(staff):
    conversation = make_conversation()
    message = Message.objects.create(conversation=conversation, seq=1, author="persona", state="failed")
    assert "reply failed in the last day" in page(staff)
    Message.objects.filter(pk=message.pk).update(created_at=timezone.now() - timedelta(days=2))
    assert "reply failed in the last day" not in page(staff)


def test_the_chart_has_a_table_with_the_same_numbers(staff):
    yesterday = timezone.now().date() - timedelta(days=1)
    DailyFigure.objects.create(account=make_account(), name=daily.COMPLETED, day=yesterday, value=7)
    DailyFigure.objects.create(account=make_account("b"), name=daily.COMPLETED, day=yesterday, value=4)
    shown = page(staff)
    assert "11 interviews completed in 14 days" in shown
    assert "<td>11</td>" in shown
    assert shown.count("<rect") == 14


def test_an_interview_completed_just_now_is_in_the_chart_before_anything_was_counted(staff):
    guide = make_guide()
    talk = make_conversation(make_contact(guide.account))
    Interview.objects.create(
        account=guide.account,
        guide=guide,
        contact=talk.contact,
        conversation=talk,
        state=Interview.State.COMPLETED,
        completed_at=timezone.now(),
    )
    assert "1 interview completed in 14 days" in page(staff)
    daily.catch_up(until=timezone.now())
    assert "1 interview completed in 14 days" in page(staff)


def test_it_asks_the_same_number_of_questions_however_much_there_is(staff, django_assert_max_num_queries):
    page(staff)
    with django_assert_max_num_queries(30) as few:
        page(staff)
    for number in range(8):
        make_document(number)
        make_delivery(number)
    with django_assert_max_num_queries(len(few.captured_queries)):
        page(staff)


def test_staff_see_only_what_they_may(client):
    user = get_user_model().objects.create_user("viewer", password="secret-enough", is_staff=True)
    client.force_login(user)
    make_document(1)
    assert "document could not be read" not in page(client)


def test_counting_stops_at_a_bound(monkeypatch):
    monkeypatch.setattr(attention, "MOST_COUNTED", 2)
    for _ in range(4):
        make_conversation()
    figure = attention.Figure("conversations", attention.counted(Conversation.objects.all()), "")
    assert figure.number == 3
    assert figure.shown == "2+"


def links(rf, path="/admin/", user=None):
    """The sidebar's links as that person sees them: title to whether it is where they are."""
    request = rf.get(path)
    request.user = user or get_user_model().objects.get()
    items = [item for group in dashboard.sidebar(request) for item in group["items"]]
    assert all(item["link"] for item in items)
    return {item["title"]: item["active"] for item in items if _is_let_in(item, request)}


def _is_let_in(item, request):
    return item.get("permission", lambda request: True)(request)


def test_the_sidebar_leads_to_what_is_in_the_admin(staff, rf):
    shown = links(rf)
    assert list(shown)[:3] == ["Start", "Ask", "Dashboards"]
    assert {"Campaigns", "Interviews", "Guides", "Contacts", "Documents", "API keys"} <= set(shown)


@pytest.mark.parametrize(
    ("path", "here"),
    [
        ("/admin/", "Start"),
        ("/admin/knowledge/question/ask/", "Ask"),
        ("/admin/knowledge/question/", "Questions"),
        ("/admin/crm/conversation/dashboards/", "Dashboards"),
        ("/admin/campaigns/campaign/some/change/", "Campaigns"),
    ],
)
def test_the_sidebar_marks_the_one_place_where_one_is(staff, rf, path, here):
    assert [title for title, is_here in links(rf, path).items() if is_here] == [here]


def test_the_sidebar_shows_only_what_one_may_see(staff, rf):
    user = get_user_model().objects.create_user("viewer", password="secret-enough", is_staff=True)
    assert list(links(rf, user=user)) == ["Start"]


def test_emails_are_the_outbox_until_there_is_a_server(staff, rf):
    assert "Outbox" in links(rf)
    make_smtp_server()
    assert "Outbox" not in links(rf)
    assert "Emails" in links(rf)


@pytest.mark.parametrize(
    "address",
    ["auth/user/", "auth/user/add/", "system/heartbeat/", "system/requestfigure/", "system/providerprobe/"],
)
def test_the_lists_of_the_installation_open(staff, address):
    assert staff.get(f"/admin/{address}").status_code == 200
