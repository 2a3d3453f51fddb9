"""GET /admin/analytics/…: figures of hand-made rows, who may ask, and how many questions it takes."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.utils import timezone

from config.system import analytics, daily
from config.system.models import ContactDay, CountingProgress, DailyFigure, RequestFigure
from crm import erasure, merging
from crm.merging import Choice
from crm.models import Contact, ContactAddress, ContactMerge, Conversation, Message, Rating
from knowledge.models import Collection
from tests.factories import (
    bearer,
    make_account,
    make_collection,
    make_contact,
    make_conversation,
    make_key,
    make_persona,
)

pytestmark = pytest.mark.django_db

SYSTEM, OVERVIEW = "/admin/analytics/system", "/admin/analytics/overview"
# A Friday. What happened on Monday to Wednesday is counted; Friday comes after the last count.
NOW = datetime(2026, 3, 6, 12, tzinfo=UTC)
COUNTED = datetime(2026, 3, 6, 11, 50, tzinfo=UTC)

# The table of facts: contact, when (day of March, minute of it), who wrote, seconds a reply took, provider.
FACTS = (
    ("ada", 2, 600, "person", None, ""),
    ("ada", 2, 601, "sales_agent", 2, "openai"),
    ("ada", 2, 610, "person", None, ""),
    ("ada", 2, 611, "sales_agent", 4, "openai"),
    ("ada", 3, 600, "person", None, ""),
    ("ada", 3, 640, "person", None, ""),
    ("ada", 3, 641, "general_agent", 6, "offline"),
    ("bob", 4, 1430, "person", None, ""),
    ("bob", 5, 10, "person", None, ""),  # the same session, past midnight
    ("ada", 6, 715, "person", None, ""),  # after the last count
    ("ada", 6, 716, "general_agent", 8, "offline"),
)


def moment(day, minute):
    return datetime(2026, 3, day, tzinfo=UTC) + timedelta(minutes=minute)


@pytest.fixture
def people():
    account = make_account("acme")
    slugs = ("sales_agent", "general_agent")
    agents = {slug: make_persona(account, slug=slug) for slug in slugs}
    found = {}
    for name in ("ada", "bob"):
        contact = make_contact(account, email=f"{name}@example.com", name=name.title())
        found[name] = make_conversation(contact, persona=agents["general_agent"], title=f"Talk with {name}")
    for name, day, minute, author, seconds, provider in FACTS:
        write(found[name], moment(day, minute), agents.get(author), seconds=seconds, provider=provider)
    Contact.objects.update(created_at=moment(2, 0))
    Conversation.objects.update(created_at=moment(2, 590))
    return {name: talk.contact for name, talk in found.items()}


def write(talk, at, agent=None, *, seconds=None, provider=""):
    """A person's message, or a reply to the last one."""
    asked = None if agent is None else talk.messages.filter(reply=None, author="person").last()
    talk.last_seq += 1
    talk.last_activity_at = at
    talk.save()
    return Message.objects.create(
        conversation=talk,
        seq=talk.last_seq,
        author="persona" if agent else "person",
        text="Well.",
        reply_to=asked,
        persona=agent,
        provider=provider,
        attempts=1 if agent else 0,
        created_at=at,
        completed_at=at + timedelta(seconds=seconds or 0),
    )


@pytest.fixture
def counted(people):
    assert daily.catch_up(until=COUNTED)
    return people


@pytest.fixture
def key():
    return bearer(make_key(make_account("acme"), scopes=["analytics"]))


def system():
    return analytics.system(make_account("acme"), now=NOW)


# --- exact figures -------------------------------------------------------------------------------
def test_totals_are_what_was_counted_and_what_came_after(counted):
    assert system()["overview"] == {
        "total_users": 2,
        "active_users": 2,
        "total_conversations": 2,
        "total_messages": len(FACTS),
        "avg_response_time": 5.0,  # (2 + 4 + 6 + 8) / 4
    }


def test_means_are_per_day_since_the_first_figure(counted):
    assert system()["usage_metrics"] == {
        "messages_per_day": 2.2,  # 11 in five days
        "conversations_per_day": 0.4,
        "new_users_per_day": 0.4,
        # Ada: 11 min; nothing, 1 min; 1 min. Bob: 20 min. Five sessions.
        "avg_session_length": 396.0,
    }


def test_only_replies_worded_by_a_model_count_for_the_model(counted):
    assert system()["performance_metrics"]["avg_openai_response_time"] == 3.0


def test_the_figures_are_the_same_whether_they_are_counted_or_not_yet(counted):
    before = system()
    CountingProgress.objects.all().delete()
    for until in (moment(5, 721), moment(6, 714), moment(6, 715.5), NOW):
        daily.catch_up(until=until)
        assert analytics.system(make_account("acme"), now=NOW)["usage_metrics"] == before["usage_metrics"]


def test_a_user_has_exact_figures(counted):
    found = analytics.user(counted["ada"], now=NOW)
    assert found["conversation_stats"] == {
        "total_conversations": 1,
        "avg_messages_per_conversation": 9.0,
        "most_active_day": "Monday",  # two messages, as on Tuesday: the earlier in the week
        "preferred_agent": "general_agent",  # two replies each: the first by name
    }
    assert found["engagement_metrics"] == {
        "total_time_spent": 13 * 60,
        "avg_session_length": 195.0,
        "response_satisfaction": None,
        "last_active": moment(6, 716),
    }
    assert [talk["message_count"] for talk in found["conversation_history"]] == [9]


def test_a_session_past_midnight_is_one(counted):
    found = analytics.user(counted["bob"], now=NOW)
    assert found["engagement_metrics"]["total_time_spent"] == 20 * 60
    assert found["engagement_metrics"]["avg_session_length"] == 1200.0
    assert found["conversation_stats"]["preferred_agent"] is None


@pytest.mark.parametrize(
    ("thumbs", "satisfaction"), [([1], 5.0), ([-1], 1.0), ([1, 1, -1, 1], 4.0), ([], None)]
)
@pytest.mark.parametrize("at", [moment(3, 700), moment(6, 718)])
def test_satisfaction_is_the_share_of_thumbs_up_from_1_to_5(people, thumbs, satisfaction, at):
    replies = Message.objects.filter(conversation__contact=people["ada"], author="persona")
    for reply, thumb in zip(replies, thumbs, strict=False):
        Rating.objects.create(message=reply, thumbs=thumb, rated_at=at)
    Rating.objects.create(message=replies[0], thumbs=-1, rated_at=at, staff=User.objects.create_user("staff"))
    daily.catch_up(until=COUNTED)
    found = analytics.user(people["ada"], now=NOW)
    assert found["engagement_metrics"]["response_satisfaction"] == satisfaction


def test_requests_errors_and_uptime_come_from_their_rows():
    for minute, requests, errors, milliseconds in ((0, 90, 1, 900), (1, 0, 0, 0), (5, 10, 1, 1100)):
        RequestFigure.objects.create(
            minute=NOW - timedelta(minutes=9 - minute),
            requests=requests,
            errors=errors,
            total_milliseconds=milliseconds,
            retrievals=1,
            retrieval_microseconds=45_000,
        )
    RequestFigure.objects.create(minute=NOW - timedelta(days=8), requests=1000, errors=1000)
    found = system()
    assert found["performance_metrics"] == {
        "avg_api_response_time": 0.02,
        "avg_openai_response_time": 0.0,
        "error_rate": 0.02,
        "uptime_percentage": 40.0,  # three minutes and this one, of ten
    }
    assert found["document_metrics"]["avg_retrieval_time"] == 0.045


def test_documents_and_chunks_are_what_there_is(people):
    """Also in the minutes between two counts: one that replaced another, or was removed, is no second one."""
    collection = make_collection(make_account("acme"))
    Collection.objects.filter(pk=collection.pk).update(document_count=3, chunk_count=12)
    daily.catch_up(until=COUNTED)
    Collection.objects.filter(pk=collection.pk).update(document_count=2, chunk_count=8)
    stranger = make_collection(make_account("other"))
    Collection.objects.filter(pk=stranger.pk).update(document_count=7, chunk_count=99)
    found = system()["document_metrics"]
    assert (found["total_documents"], found["total_chunks"]) == (2, 8)


@pytest.mark.parametrize("counted_before", [True, False])
def test_who_was_merged_or_erased_is_no_user(people, counted_before):
    erased, twin = make_contact(), make_contact()
    erasure.run(erasure.request(erased).pk)
    ContactMerge.propose([(people["ada"], twin, ["email"])])
    merging.merge(ContactMerge.objects.get().pk, Choice(people["ada"].pk), by="nora")
    if counted_before:
        Contact.objects.update(created_at=moment(2, 0))
    else:
        Contact.objects.filter(pk__in=[erased.pk, twin.pk]).update(created_at=moment(6, 719))
    daily.catch_up(until=COUNTED)
    assert system()["overview"]["total_users"] == 2


def test_an_empty_account_has_zeros_and_no_error():
    found = system()
    assert found["overview"]["total_messages"] == 0
    assert found["usage_metrics"]["avg_session_length"] == 0.0
    assert found["performance_metrics"]["uptime_percentage"] == 100.0


def test_a_user_without_a_word_has_nothing_invented():
    found = analytics.user(make_contact(), now=NOW)
    assert found["conversation_stats"] == {
        "total_conversations": 0,
        "avg_messages_per_conversation": 0.0,
        "most_active_day": None,
        "preferred_agent": None,
    }
    assert found["engagement_metrics"]["last_active"] is None


def test_a_deactivated_user_is_not_active(people):
    Contact.objects.filter(pk=people["bob"].pk).update(is_active=False)
    daily.catch_up(until=COUNTED)
    assert (system()["overview"]["total_users"], system()["overview"]["active_users"]) == (2, 1)


# --- counting ------------------------------------------------------------------------------------
def figures():
    rows = DailyFigure.objects.order_by("day", "name").values_list("account", "day", "name", "value")
    days = ContactDay.objects.order_by("contact_key", "day")
    return list(rows), list(
        days.values_list("contact_key", "day", "messages", "written", "sessions", "replies")
    )


def test_counting_again_changes_nothing(counted):
    before = figures()
    daily.catch_up(until=COUNTED)
    for day in range(2, 6):
        daily.count_day(moment(day, 0).date())
    assert figures() == before


def test_counting_in_steps_is_counting_at_once(counted):
    before = figures()
    for model in (CountingProgress, DailyFigure, ContactDay):
        model.objects.all().delete()
    for _step in range(10):
        if daily.catch_up(until=COUNTED, seconds=0):
            break
    assert figures() == before


def test_a_count_that_is_not_finished_says_so_and_goes_on(people):
    assert not daily.catch_up(until=COUNTED, seconds=0)
    assert CountingProgress.objects.get().counted_until == moment(3, 0)
    assert daily.catch_up(until=COUNTED)


def test_after_a_long_stop_the_last_totals_are_still_there(counted):
    found = analytics.system(make_account("acme"), now=NOW + timedelta(days=40))
    assert found["overview"]["total_users"] == 2


def test_two_never_count_at_once(people):
    CountingProgress.objects.create(lease_until=timezone.now() + timedelta(minutes=1))
    assert not daily.catch_up(until=COUNTED)
    assert not ContactDay.objects.exists()


def test_a_count_left_by_a_killed_worker_is_taken_up(people):
    CountingProgress.objects.create(lease_until=timezone.now() - timedelta(seconds=1))
    assert daily.catch_up(until=COUNTED)


def test_what_was_erased_leaves_the_figures_of_old_days(counted):
    Message.objects.filter(conversation__contact=counted["bob"]).delete()
    daily.catch_up(until=COUNTED + timedelta(minutes=5))
    assert system()["overview"]["total_messages"] == len(FACTS) - 2
    assert not ContactDay.objects.filter(contact_key=counted["bob"].pk).exists()


def test_counting_late_rows_of_yesterday_never_takes_back_what_is_counted(counted, monkeypatch):
    """Else a reader would add what came since midnight to figures that hold it already."""
    midnight = moment(7, 0)
    daily.catch_up(until=midnight + timedelta(minutes=20))
    seen = []

    def look(day, until, progress):
        count(day, until, progress)
        seen.append(CountingProgress.objects.get().counted_until)

    count = daily._count_up_to
    monkeypatch.setattr(daily, "_count_up_to", look)
    daily.catch_up(until=midnight + timedelta(minutes=26))
    assert seen == [midnight + timedelta(minutes=20), midnight + timedelta(minutes=26)]


def test_merged_people_have_one_life_once_their_days_are_counted_again(counted):
    Conversation.objects.filter(contact=counted["bob"]).update(contact=counted["ada"])
    daily.catch_up(until=COUNTED + timedelta(minutes=5))
    found = analytics.user(counted["ada"], now=NOW)
    assert found["engagement_metrics"]["total_time_spent"] == (13 + 20) * 60


def test_an_old_day_that_is_as_it_was_is_not_written_again(counted):
    before = set(ContactDay.objects.values_list("pk", flat=True))
    daily.recount_old_days(CountingProgress.objects.get(), before=COUNTED.date())
    assert set(ContactDay.objects.values_list("pk", flat=True)) == before


@pytest.mark.parametrize("what", ["figure", "contact's day", "surplus", "missing"])
def test_an_old_day_that_says_something_else_is_written_anew(counted, what):
    right = figures()
    first = ContactDay.objects.order_by("day").first()
    if what == "figure":
        DailyFigure.objects.filter(name="sessions", day=moment(2, 0)).update(value=77)
    elif what == "contact's day":
        ContactDay.objects.filter(pk=first.pk).update(replies={"nobody": 3})
    elif what == "surplus":
        ContactDay.objects.create(account=first.account, contact_key=uuid4(), day=first.day)
    else:
        first.delete()
    assert figures() != right
    daily.recount_old_days(CountingProgress.objects.get(), before=COUNTED.date())
    assert figures() == right


def test_old_days_take_turns(counted):
    progress = CountingProgress.objects.get()
    seen = []
    for _turn in range(5):
        daily.recount_old_days(progress, before=COUNTED.date(), seconds=0)
        seen.append(progress.recount_day.day)
    assert seen == [3, 4, 5, 6, 3]


def test_it_is_due_five_minutes_after_the_last_count(counted):
    assert not daily.is_due(now=COUNTED + timedelta(minutes=4))
    assert daily.is_due(now=COUNTED + timedelta(minutes=5))


# --- who may ask ---------------------------------------------------------------------------------
def user_path(contact):
    return f"/admin/analytics/user/{contact.pk}"


def test_the_answer_has_the_documented_shape(client, people, key):
    body = client.get(SYSTEM, headers=key).json()
    assert body["success"] is True
    assert {"response_time", "timestamp", "request_id"} <= set(body["metadata"])
    assert {name: set(values) for name, values in body["data"].items()} == {
        "overview": {
            "total_users",
            "active_users",
            "total_conversations",
            "total_messages",
            "avg_response_time",
        },
        "usage_metrics": {
            "messages_per_day",
            "conversations_per_day",
            "new_users_per_day",
            "avg_session_length",
        },
        "performance_metrics": {
            "avg_api_response_time",
            "avg_openai_response_time",
            "error_rate",
            "uptime_percentage",
        },
        "document_metrics": {"total_documents", "total_chunks", "avg_retrieval_time"},
    }


def test_a_users_answer_has_the_documented_shape(client, people, key):
    data = client.get(user_path(people["ada"]), headers=key).json()["data"]
    assert set(data["user_info"]) == {"id", "name", "email", "created_at"}
    assert data["user_info"]["email"] == "ada@example.com"
    assert data["user_info"]["created_at"].endswith("Z")
    assert set(data["conversation_history"][0]) == {
        "id",
        "title",
        "created_at",
        "message_count",
        "category",
    }


def test_the_overview_says_the_totals(client, people, key):
    daily.catch_up()
    data = client.get(OVERVIEW, headers=key).json()["data"]
    assert data["summary"]["total_users"] == 2
    assert data["system_metrics"]["total_messages"] == len(FACTS)


def test_another_accounts_user_is_not_there(client, people):
    stranger = bearer(make_key(make_account("other"), scopes=["*"]))
    answer = client.get(user_path(people["ada"]), headers=stranger)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "NOT_FOUND"
    assert "Ada" not in answer.content.decode()


def test_another_accounts_figures_are_not_shown(client, counted):
    stranger = bearer(make_key(make_account("other"), scopes=["analytics"]))
    overview = client.get(SYSTEM, headers=stranger).json()["data"]["overview"]
    assert overview["total_users"] == overview["total_messages"] == overview["total_conversations"] == 0


def test_a_user_is_found_by_the_id_that_clients_gave_it(client, people, key):
    ContactAddress.objects.create(
        account=people["ada"].account, contact=people["ada"], kind="external_id", value="user123"
    )
    assert client.get("/admin/analytics/user/user123", headers=key).status_code == 200
    stranger = bearer(make_key(make_account("other"), scopes=["analytics"]))
    assert client.get("/admin/analytics/user/user123", headers=stranger).status_code == 404


def test_a_user_is_called_as_in_the_crm_api(client, people, key):
    """Callers' ids may look like ours, may be long, and belong to the person also after a merge."""
    talk = people["ada"].conversations.get()
    Conversation.objects.filter(pk=talk.pk).update(external_id="conv456", title="")
    for value in (str(uuid4()), "u" * 300):
        ContactAddress.objects.create(
            account=people["ada"].account, contact=people["ada"], kind="external_id", value=value
        )
        data = client.get(f"/admin/analytics/user/{value}", headers=key).json()["data"]
        assert data["user_info"]["email"] == "ada@example.com"
    user = client.get(f"/crm/users/{people['ada'].pk}", headers=bearer(make_key())).json()["data"]
    assert data["user_info"]["id"] == user["id"]
    assert [(row["id"], row["title"] != "") for row in data["conversation_history"]] == [("conv456", True)]


def test_a_merged_users_id_leads_to_the_whole_person(client, people, key):
    twin = make_contact()
    ContactMerge.propose([(people["ada"], twin, ["email"])])
    merging.merge(ContactMerge.objects.get().pk, Choice(people["ada"].pk), by="nora")
    data = client.get(user_path(twin), headers=key).json()["data"]
    assert data["user_info"]["email"] == "ada@example.com"
    client.force_login(staff_with("view_contact"))
    assert client.get(user_path(twin)).json()["data"]["user_info"] == data["user_info"]


def test_an_erased_user_is_not_there(client, people, key):
    erasure.run(erasure.request(people["bob"]).pk)
    assert client.get(user_path(people["bob"]), headers=key).status_code == 404


@pytest.mark.parametrize("user_id", ["nobody", "x" * 300, "01890000-0000-7000-8000-000000000000"])
def test_an_unknown_user_is_404(client, key, user_id):
    assert client.get(f"/admin/analytics/user/{user_id}", headers=key).status_code == 404


@pytest.mark.parametrize("path", [SYSTEM, OVERVIEW, "/admin/analytics/user/x"])
def test_nobody_is_told_anything(client, path):
    answer = client.get(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "UNAUTHORIZED")


def test_a_key_needs_the_scope(client):
    key = bearer(make_key(make_account("acme"), scopes=["knowledge"]))
    assert client.get(SYSTEM, headers=key).status_code == 403


def test_the_scope_admin_is_enough(client):
    key = bearer(make_key(make_account("acme"), scopes=["admin"]))
    assert client.get(SYSTEM, headers=key).status_code == 200


def test_demo_callers_see_the_default_account(client, people, settings):
    settings.RAPPORT_ENV = "demo"
    answer = client.get(SYSTEM, headers={"Host": "127.0.0.1"}, REMOTE_ADDR="127.0.0.1")
    assert answer.status_code == 200
    assert answer.json()["data"]["overview"]["total_users"] == 0


def staff_with(*codenames):
    user = User.objects.create_user("staff", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return user


def test_staff_see_all_accounts_or_the_one_they_name(client, counted):
    make_contact(make_account("other"))
    client.force_login(staff_with("view_contact"))
    seen = {
        query: client.get(SYSTEM + query).json()["data"]["overview"]["total_users"]
        for query in ("", "?account=acme", "?account=other")
    }
    assert seen == {"": 3, "?account=acme": 2, "?account=other": 1}
    assert client.get(SYSTEM + "?account=nobody").status_code == 404


def test_staff_need_the_permission(client):
    client.force_login(staff_with())
    assert client.get(SYSTEM).status_code == 403


def test_people_who_are_not_staff_are_strangers(client):
    client.force_login(User.objects.create_user("visitor"))
    assert client.get(SYSTEM).status_code == 401


def test_a_key_cannot_name_another_account(client, counted):
    key = bearer(make_key(make_account("other"), scopes=["analytics"]))
    assert client.get(f"{SYSTEM}?account=acme", headers=key).json()["data"]["overview"]["total_users"] == 0


# --- cost ----------------------------------------------------------------------------------------
SYSTEM_QUERIES, USER_QUERIES = 8, 9  # the key's own included


def test_it_asks_a_fixed_number_of_questions(client, people, key, django_assert_num_queries):
    client.get(SYSTEM, headers=key)  # notes the use of the key, once a minute
    for _round in range(2):
        with django_assert_num_queries(SYSTEM_QUERIES):
            client.get(SYSTEM, headers=key)
        with django_assert_num_queries(USER_QUERIES):
            client.get(user_path(people["ada"]), headers=key)
        for number in range(5):
            write(make_conversation(people["ada"]), timezone.now() - timedelta(minutes=number))
        daily.catch_up()
