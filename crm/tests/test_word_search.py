"""People and talks are found by words and how these begin, and the database keeps the index by itself."""

import json

import pytest
from django.apps import apps
from django.db import connection
from django.urls import reverse

from crm.migrations._word_index import create_index, drop_index
from crm.models import Contact, ContactAddress, Conversation
from crm.word_search import contacts_found, named, talks_found
from tests.factories import bearer, make_account, make_contact, make_conversation, make_key

pytestmark = pytest.mark.django_db


def people(text, find=contacts_found):
    return sorted(find(Contact.objects.all(), text).values_list("name", flat=True))


@pytest.fixture
def ada():
    return make_contact(
        email="ada.l@engines.example", name="Áda Byron-Lovelace", company="Analytical Engines"
    )


@pytest.mark.parametrize(
    "text",
    ["ada", "ADA", "áda", "love", "lovelace ada", "engines", "ada.l@engines.example", "analytical love"],
)
def test_a_person_is_found_by(ada, text):
    make_contact(name="Grace Hopper", email="grace@navy.example")

    assert people(text) == [ada.name]


@pytest.mark.parametrize("text", ["ovelace", "ada grace", "100%", "_", "' OR 1=1", '"', "*", "NEAR(a b)"])
def test_a_person_is_not_found_by(ada, text):
    assert people(text) == []


@pytest.mark.parametrize("name", ["Анна Павлова", "محمد علي", "O'Neill & Sons", "x" * 150])
def test_names_of_all_kinds_are_found(name):
    make_contact(name=name)

    assert people(name) == [name]


def test_the_users_list_takes_names_and_companies_only(ada):
    assert people("engines", named) == [ada.name]
    assert people("example", named) == []


def test_what_changes_is_found_as_it_is_now(ada):
    Contact.objects.filter(pk=ada.pk).update(name="Countess")
    ContactAddress.objects.filter(contact=ada).update(value="countess@example.com")

    assert people("lovelace") == people("ada.l") == []
    assert people("countess@example") == ["Countess"]


def test_what_is_gone_is_gone_from_the_index(ada):
    ada.delete()
    assert people("ada") == []


def test_rows_written_together_are_found():
    Contact.objects.bulk_create([Contact(account=make_account(), name=f"Person {n}") for n in range(3)])
    assert people("person") == ["Person 0", "Person 1", "Person 2"]


def test_a_talk_is_found_by_its_title_its_client_id_and_its_person(ada):
    talk = make_conversation(ada, title="Résumé of the invoice", external_id="conv456")
    make_conversation(make_contact(name="Grace"), title="Something else")

    for text in ("resume", "invoice lovelace", "conv456", "ada.l@engines"):
        assert list(talks_found(Conversation.objects.all(), text)) == [talk], text


def test_a_strangers_people_are_not_listed(client, ada):
    stranger = bearer(make_key(make_account("stranger")))
    owner = bearer(make_key(ada.account))

    assert client.get("/crm/users", {"q": "ada"}, headers=stranger).json()["total"] == 0
    assert client.get("/crm/users", {"q": "ada"}, headers=owner).json()["total"] == 1


@pytest.mark.parametrize("model", ["contact", "conversation"])
def test_the_admin_searches_without_joins(admin_client, ada, model):
    make_conversation(ada)
    page = admin_client.get(reverse(f"admin:crm_{model}_changelist"), {"q": "lovelace"})

    assert page.context["cl"].result_count == 1
    assert " DISTINCT " not in str(page.context["cl"].queryset.query)


def parts_of_the_index():
    """SQLite's triggers, three for each of three tables; PostgreSQL's indexes, one for each."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(
                "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'crm%words%'"
            )
        else:
            cursor.execute("SELECT count(*) * 3 FROM pg_indexes WHERE indexname LIKE 'crm%words'")
        return cursor.fetchone()[0]


@pytest.mark.django_db(transaction=True)
def test_the_index_can_be_undone_and_done_again_with_rows_in_the_tables(ada):
    """By its own steps: undoing the whole schema would prove nothing more about it."""
    with connection.schema_editor() as editor:
        drop_index(apps, editor)
    without = parts_of_the_index()
    with connection.schema_editor() as editor:
        create_index(apps, editor)

    assert (without, parts_of_the_index()) == (0, 9)
    assert people("lovelace") == [ada.name]


def test_every_migration_left_the_index_in_place():
    assert parts_of_the_index() == 9


@pytest.mark.skipif(connection.vendor != "postgresql", reason="the plans of PostgreSQL")
@pytest.mark.parametrize("found", [contacts_found, talks_found])
def test_words_that_everybody_has_are_not_compared_each_with_each(found):
    """Where each word finds four thousand, a loop over two of them looks at each many times over."""
    account, number = make_account(), 4000
    people = Contact.objects.bulk_create(Contact(account=account, name=f"Ada {n}") for n in range(number))
    ContactAddress.objects.bulk_create(
        ContactAddress(account=account, contact=one, kind="email", value=f"person-{n}@example.com")
        for n, one in enumerate(people)
    )
    Conversation.objects.bulk_create(Conversation(account=account, contact=one) for one in people)
    model = Contact if found is contacts_found else Conversation
    whole = model.objects.select_related("account").order_by("-created_at", "-pk")  # as the admin lists them
    rows = found(whole, "person @example.com")[:50]
    assert len(rows) == 50
    sql, parameters = rows.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", parameters)
        ((plans,),) = cursor.fetchall()
    plans = json.loads(plans) if isinstance(plans, str) else plans
    assert rows_looked_at(plans[0]["Plan"]) < 150 * number


def rows_looked_at(plan):
    own = plan["Actual Rows"] * plan["Actual Loops"] + plan.get("Rows Removed by Join Filter", 0)
    return own + sum(rows_looked_at(part) for part in plan.get("Plans", ()))
