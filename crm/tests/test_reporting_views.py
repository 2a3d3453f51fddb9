"""The reporting views: what they say, who may read them, and that migrations do not trip over them."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from django.core.files.base import ContentFile
from django.core.management.sql import emit_post_migrate_signal, emit_pre_migrate_signal
from django.db import connection, transaction
from django.db.migrations import Migration
from django.db.models import CharField
from django.db.utils import DatabaseError
from django.utils import timezone

from crm.models import ContactAddress, MediaFile, Message
from crm.reporting import making
from crm.reporting.views import NAMES, view_name
from tests.factories import make_account, make_contact, make_conversation, make_persona

pytestmark = pytest.mark.django_db
MONDAY = datetime(2026, 6, 1, 23, 50, tzinfo=UTC)
# As the persona API's original names them (004_dashboard_views.sql), with the account before them.
COLUMNS = {
    "v_user_conversation_summary": "account user_id influencer_id bot_name bot_slug bot_category"
    " conversation_id conversation_started_at first_message_at last_message_at last_seen time_spent_minutes"
    " time_spent_hours time_spent_seconds message_count active_days user_message_count"
    " assistant_message_count",
    "v_conversation_threads": "account user_id influencer_id bot_name bot_slug conversation_id message_id"
    " role content message_type media_urls audio_url audio_duration_seconds token_count message_timestamp"
    " conversation_started_at conversation_last_seen message_sequence",
    "v_bot_performance": "account influencer_id bot_name bot_slug bot_category is_active total_conversations"
    " unique_users total_messages avg_time_spent_minutes total_time_spent_minutes"
    " avg_messages_per_conversation most_recent_conversation first_conversation",
    "v_user_engagement": "account user_id total_conversations bots_interacted_with total_messages"
    " first_conversation last_activity total_time_spent_minutes avg_time_spent_per_conversation_minutes"
    " avg_messages_per_conversation active_days",
    "v_daily_activity": "account activity_date unique_users active_conversations total_messages active_bots"
    " user_messages assistant_messages",
    "v_recent_activity": "account user_id bot_name conversation_id last_message_at last_seen"
    " messages_in_period time_spent_minutes",
}


def read(name, where=""):
    """The view's rows, as name → value."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {view_name(connection.vendor, name)} {where}")
        columns = [column[0] for column in cursor.description]
        return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


def make_user(user_id="alice", account=None):
    contact = make_contact(account)
    ContactAddress.objects.create(
        account=contact.account, contact=contact, kind="external_id", value=user_id, as_given=user_id
    )
    return contact


def make_bot(account=None, **fields):
    fields.setdefault("slug", "tomasz")
    return make_persona(account, kind="influencer", name="Tomasz", instructions="marzipan", **fields)


def make_chat(contact, persona, *minutes, start=MONDAY):
    """A chat in which user and influencer say something in turn, so many minutes after its start."""
    chat = make_conversation(contact, persona=persona, pair_key=f"{contact.pk}:{persona.pk}"[:73])
    for seq, minute in enumerate(minutes, start=1):
        at, author = start + timedelta(minutes=minute), "person" if seq % 2 else "persona"
        Message.objects.create(conversation=chat, seq=seq, author=author, text=f"No. {seq}", created_at=at)
    return chat


@pytest.mark.parametrize("name", NAMES)
def test_each_view_has_the_columns_of_the_original_after_the_account(name):
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {view_name(connection.vendor, name)}")
        assert [column[0] for column in cursor.description] == COLUMNS[name].split()


def test_a_chat_is_summed_up():
    chat = make_chat(make_user(), make_bot(category="baking"), 0, 1, 30)
    row = read("v_user_conversation_summary")[0]
    assert (row["account"], row["user_id"], row["bot_slug"], row["bot_category"]) == (
        "acme", "alice", "tomasz", "baking",
    )  # fmt: skip
    assert (str(row["conversation_id"]), row["influencer_id"]) == (str(chat.pk), str(chat.persona_id))
    assert (float(row["time_spent_minutes"]), float(row["time_spent_seconds"])) == (30, 1800)
    assert (row["message_count"], row["user_message_count"], row["assistant_message_count"]) == (3, 2, 1)
    assert row["active_days"] == 2  # it went on after midnight


def test_a_chat_in_which_nothing_was_said_is_there_with_noughts():
    make_chat(make_user(), make_bot())
    row = read("v_user_conversation_summary")[0]
    assert (row["message_count"], row["first_message_at"], float(row["time_spent_minutes"])) == (0, None, 0)


def test_an_influencer_keeps_the_id_that_another_system_gave_it():
    make_chat(make_user(), make_bot(public_id="baker-7"), 0)
    assert read("v_user_conversation_summary")[0]["influencer_id"] == "baker-7"


def test_the_time_of_a_chat_is_added_up_once_and_not_once_for_each_message():
    account, bot = make_account(), make_bot()
    make_chat(make_user("alice", account), bot, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
    make_chat(make_user("bob", account), bot, 0, 3)
    row = read("v_bot_performance")[0]
    assert (float(row["total_time_spent_minutes"]), float(row["avg_time_spent_minutes"])) == (12, 6)
    assert (row["total_conversations"], row["unique_users"], row["total_messages"]) == (2, 2, 12)
    assert float(row["avg_messages_per_conversation"]) == 6
    alice = read("v_user_engagement", "WHERE user_id = 'alice'")[0]
    assert float(alice["total_time_spent_minutes"]) == 9


def test_an_influencer_that_nobody_spoke_with_is_in_the_list():
    make_bot(status="coming_soon")
    row = read("v_bot_performance")[0]
    assert (row["is_active"], row["total_conversations"], float(row["avg_time_spent_minutes"])) == (
        "coming_soon", 0, 0,
    )  # fmt: skip


def test_days_of_a_user_are_counted_over_all_their_chats():
    alice = make_user()
    make_chat(alice, make_bot(), 0, 20)
    make_chat(alice, make_bot(slug="nora"), 1, 2 * 24 * 60)
    row = read("v_user_engagement")[0]
    assert (row["total_conversations"], row["bots_interacted_with"], row["active_days"]) == (2, 2, 3)


def test_a_thread_tells_who_said_what_in_order_with_storage_keys_of_files():
    chat = make_chat(make_user(), make_bot(), 0, 0, 0)
    picture = MediaFile.objects.create(
        account=chat.account, kind="image", file=ContentFile(b"x", name="p.jpg"), mime="image/jpeg",
        size_bytes=1, checksum="x",
    )  # fmt: skip
    chat.messages.get(seq=1).media.add(picture)
    rows = read("v_conversation_threads", "ORDER BY conversation_id, message_sequence")
    assert [(row["role"], row["content"]) for row in rows] == [
        ("user", "No. 1"), ("assistant", "No. 2"), ("user", "No. 3"),
    ]  # fmt: skip
    assert picture.file.name in rows[0]["media_urls"]


def test_replies_that_failed_and_other_talks_are_left_out():
    chat = make_chat(make_user(), make_bot(), 0)
    Message.objects.create(conversation=chat, seq=2, author="persona", state="failed", text="Hm")
    interview = make_conversation(make_user("bob"))
    Message.objects.create(conversation=interview, seq=1, author="person", text="Secret")
    assert len(read("v_conversation_threads")) == 1
    assert [row["user_id"] for row in read("v_user_engagement")] == ["alice"]
    assert sum(row["total_messages"] for row in read("v_daily_activity")) == 1


def test_days_are_told_apart_by_account():
    make_chat(make_user("alice", make_account("acme")), make_bot(make_account("acme")), 0, 1, 20)
    make_chat(make_user("bob", make_account("other")), make_bot(make_account("other")), 0)
    rows = read("v_daily_activity", "ORDER BY account, activity_date")
    names = ("account", "activity_date", "total_messages", "user_messages")
    assert [(r[names[0]], str(r[names[1]]), r[names[2]], r[names[3]]) for r in rows] == [
        ("acme", "2026-06-01", 2, 1), ("acme", "2026-06-02", 1, 1), ("other", "2026-06-01", 1, 1),
    ]  # fmt: skip


def test_recent_activity_looks_thirty_days_back():
    alice, now = make_user(), timezone.now()
    make_chat(alice, make_bot(), 0, 24 * 60 * 39, 24 * 60 * 39 + 5, start=now - timedelta(days=40))
    make_chat(alice, make_bot(slug="nora"), 0, start=now - timedelta(days=31))
    row = read("v_recent_activity")[0]
    assert (len(read("v_recent_activity")), row["messages_in_period"]) == (1, 2)
    assert float(row["time_spent_minutes"]) == 5


def test_no_view_shows_an_instruction_a_name_or_an_email_address():
    make_chat(make_user(), make_bot(), 0, 1)
    shown = str([read(name) for name in NAMES])
    assert "marzipan" not in shown
    assert "Lovelace" not in shown
    assert "@example.com" not in shown


# --- Migrations -----------------------------------------------------------------------------------


def longer(model, name):
    """Change a column's type as a migration does, and back."""
    old = model._meta.get_field(name)
    new = CharField(max_length=old.max_length + 10, default=old.default, choices=old.choices)
    new.set_attributes_from_name(name)
    new.model = model
    for before, after in ((old, new), (new, old)):
        with connection.schema_editor() as editor:
            editor.alter_field(model, before, after)


@pytest.fixture
def views_again():
    yield
    making.make(connection)


@pytest.mark.django_db(transaction=True)
def test_without_our_hand_a_migration_of_a_table_below_them_fails(views_again):
    """The reason for `crm.reporting.making`: should this pass one day, it can go."""
    if connection.vendor == "sqlite":
        # Django's own way to make a table anew, without the check that it is worth it.
        with pytest.raises(DatabaseError, match="view"), connection.schema_editor() as editor:
            editor._remake_table(Message)
    else:
        with pytest.raises(DatabaseError, match="view"):
            longer(Message, "type")


@pytest.mark.django_db(transaction=True)
def test_a_migration_finds_no_view_in_its_way_and_leaves_them_all_behind():
    make_chat(make_user(), make_bot(), 0, 1)
    plan = [(Migration("9999_of_a_test", "crm"), False)]
    emit_pre_migrate_signal(verbosity=0, interactive=False, db="default", plan=plan)
    assert not making.are_there(connection)
    longer(Message, "type")
    if connection.vendor == "sqlite":
        with connection.schema_editor() as editor:
            editor._remake_table(Message)
    emit_post_migrate_signal(verbosity=0, interactive=False, db="default", plan=plan)
    assert making.are_there(connection)
    assert read("v_bot_performance")[0]["total_messages"] == 2


@pytest.mark.django_db(transaction=True)
def test_they_are_not_made_on_half_a_schema(monkeypatch, views_again):
    making.drop(connection)
    monkeypatch.setattr(making, "all_are_applied", lambda connection: False)
    making.after_migrations("default", plan=[(object(), True)])
    assert not making.are_there(connection)


def test_they_are_made_anew_when_they_are_worded_otherwise():
    assert making.are_there(connection)
    with connection.cursor() as cursor:
        cursor.execute(f"DROP VIEW {view_name(connection.vendor, NAMES[-1])}")
    assert not making.are_there(connection)
    making.after_migrations("default", plan=[])
    assert making.are_there(connection)


def test_an_emptied_test_database_asks_for_nothing(django_assert_num_queries):
    with django_assert_num_queries(0):
        making.after_migrations("default")


# --- Who may read them ----------------------------------------------------------------------------


@pytest.fixture
def role():
    """As docs/dashboards.md makes it; the name and the password are the test's."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no roles")
    name = "dashboards_of_a_test"
    database = connection.settings_dict["NAME"]
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'reads-only'")
        cursor.execute(f'GRANT CONNECT ON DATABASE "{database}" TO {name}')
        cursor.execute(f"GRANT USAGE ON SCHEMA reporting TO {name}")
        cursor.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA reporting TO {name}")
        cursor.execute(f"ALTER DEFAULT PRIVILEGES IN SCHEMA reporting GRANT SELECT ON TABLES TO {name}")
        cursor.execute(f"ALTER ROLE {name} SET default_transaction_read_only = on")
    return name


def as_role(role, statement):
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL ROLE {role}")
        cursor.execute(statement)
        rows = cursor.fetchall()
        cursor.execute("RESET ROLE")
        return rows


def test_the_role_of_a_dashboard_reads_the_views_and_nothing_else(role):
    make_chat(make_user(), make_bot(), 0)
    assert as_role(role, "SELECT user_id FROM reporting.v_user_engagement") == [("alice",)]
    for statement in ("SELECT * FROM crm_message", "SELECT * FROM api_apikey"):
        with pytest.raises(DatabaseError, match="permission denied"):
            as_role(role, statement)


def test_the_role_reads_them_also_after_they_were_made_anew(role):
    making.make(connection)
    assert as_role(role, "SELECT count(*) FROM reporting.v_daily_activity") == [(0,)]


def test_a_database_whose_role_may_not_make_the_schema_migrates_without_them(monkeypatch, caplog):
    def refused(connection):
        raise making.ProgrammingError(
            "permission denied for database"
        ) from psycopg.errors.InsufficientPrivilege()

    monkeypatch.setattr(making, "_making", refused)
    making.make(connection)
    assert "docs/dashboards.md" in caplog.text


def test_a_bi_tool_reads_a_sqlite_file_that_it_cannot_write(tmp_path):
    import sqlite3

    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL has roles")
    file = connection.settings_dict["NAME"]
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as reader:
        assert reader.execute("SELECT count(*) FROM v_daily_activity").fetchone() == (0,)
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            reader.execute("DELETE FROM crm_message")
    reader.close()
