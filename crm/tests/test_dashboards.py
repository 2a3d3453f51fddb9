"""The admin's page of dashboards: the charts of chats with influencers."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse
from django.utils import timezone

from crm.admin import dashboards
from crm.models import Message
from crm.reporting import figures
from crm.reporting.figures import Period
from tests.factories import make_account, make_contact, make_conversation, make_persona

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client):
    client.force_login(get_user_model().objects.create_superuser("admin", "", "secret-enough"))
    return client


def make_chat(account=None, name="Tomasz", *, contact=None, days_ago=(0, 0)):
    """With a message of either side in turn, so many days ago."""
    account = account or make_account()
    contact = contact or make_contact(account)
    bot = make_persona(account, kind="influencer", name=name)
    chat = make_conversation(contact, persona=bot, pair_key=f"{contact.pk}:{bot.pk}"[:73])
    for seq, ago in enumerate(days_ago, start=1):
        at = timezone.now() - timedelta(days=ago)
        author = "person" if seq % 2 else "persona"
        Message.objects.create(conversation=chat, seq=seq, author=author, created_at=at)
    return chat


def page(staff, **query):
    answer = staff.get(reverse("admin:crm_dashboards"), query)
    assert answer.status_code == 200
    return answer


def test_an_empty_installation_has_its_dashboards_too(staff):
    html = page(staff).content.decode()
    assert "Nobody has talked with an influencer in these days." in html
    assert html.count("<rect") == 2 * 30


def test_it_shows_each_day_each_influencer_and_the_last_chats(staff):
    contact = make_contact(name="Ada Lovelace")
    make_chat(contact=contact, days_ago=(0, 0, 1))
    make_chat(contact=contact, name="Nora", days_ago=(2,))
    answer = page(staff, days="7")
    totals = answer.context["totals"]
    assert (totals.messages, totals.of_users, totals.users, totals.chats, totals.bots) == (4, 3, 1, 2, 2)
    messages, users = answer.context["charts"]
    assert [bar.number for bar in messages.bars][-3:] == [1, 1, 2]
    assert [bar.number for bar in users.bars][-3:] == [1, 1, 1]
    assert [(bot["name"], bot["messages"]) for bot in answer.context["bots"]] == [("Tomasz", 3), ("Nora", 1)]
    assert "Ada Lovelace" in answer.content.decode()


def test_older_days_and_other_talks_are_not_counted(staff):
    make_chat(days_ago=(8, 9))
    Message.objects.create(conversation=make_conversation(), seq=1, author="person")
    assert page(staff, days="7").context["totals"].messages == 0
    assert page(staff, days="30").context["totals"].messages == 2


def test_one_account_shows_nothing_of_another(staff):
    make_chat(make_account("acme"), "Tomasz")
    make_chat(make_account("other"), "Nora")
    answer = page(staff, account="acme")
    assert answer.context["totals"].messages == 2
    assert "Nora" not in answer.content.decode()


def test_an_account_that_is_not_there_is_not_found(staff):
    assert staff.get(reverse("admin:crm_dashboards"), {"account": "nobody"}).status_code == 404


def test_a_length_that_is_not_offered_is_the_usual_one(staff):
    assert page(staff, days="36500").context["period"].days == 30


def test_who_may_not_see_conversations_may_not_see_their_figures(client):
    client.force_login(get_user_model().objects.create_user("viewer", password="x", is_staff=True))
    assert client.get(reverse("admin:crm_dashboards")).status_code == 403


def test_it_asks_the_same_number_of_questions_however_much_there_is(staff, django_assert_max_num_queries):
    make_chat()
    page(staff)
    with django_assert_max_num_queries(20) as few:
        page(staff)
    for number in range(5):
        make_chat(make_account(f"account-{number}"), f"Bot {number}", days_ago=(0, 1, 2, 3))
    with django_assert_max_num_queries(len(few.captured_queries)):
        page(staff)


def test_a_day_ends_at_midnight_utc():
    chat = make_chat(days_ago=())
    for seq, at in enumerate(
        (datetime(2026, 6, 1, 23, 59, 59, tzinfo=UTC), datetime(2026, 6, 2, tzinfo=UTC)), 1
    ):
        Message.objects.create(conversation=chat, seq=seq, author="person", created_at=at)
    last = datetime(2026, 6, 2, tzinfo=UTC).date()
    assert [day.messages for day in figures.per_day(Period(None, last, 7))][-2:] == [1, 1]


@pytest.mark.parametrize("length", figures.LENGTHS)
def test_bars_stay_inside_the_drawing_and_the_last_day_is_named(length):
    today = datetime(2026, 6, 2, tzinfo=UTC).date()
    drawn = dashboards.bars([(today - timedelta(days=length - 1 - n), n) for n in range(length)])
    assert drawn[-1].x + drawn[-1].width <= 560.1
    assert drawn[-1].label == "2 Jun"
    assert 5 <= sum(bool(bar.label) for bar in drawn) <= 9
    assert (drawn[-1].height, drawn[-1].y) == (100, 10)
