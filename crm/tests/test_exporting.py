"""Contacts as a file: whose they are, what a spreadsheet makes of it, and how much is read at once."""

import csv
import io
import json
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from config.api.models import AuditEntry
from crm import consent, exporting, spreadsheets
from crm.models import Contact, ContactMerge
from tests.factories import bearer, make_account, make_contact, make_key

pytestmark = pytest.mark.django_db
PATH = "/api/v1/contacts/export"
HOSTILE = ("=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", "|calc", "%x", "\uff1dx", "'=1", "''@x")
HARMLESS = ("", "Ada", "'t Hooft", "1-2", " =1", "a,b", 'a "b"', "a\nb")


@pytest.fixture
def export(client):
    headers = bearer(make_key())

    def get(**query):
        return client.get(PATH, query, headers=headers)

    return get


def text_of(response):
    assert response.status_code == 200
    return b"".join(response.streaming_content).decode()


def rows_of(response):
    return list(csv.DictReader(io.StringIO(text_of(response).removeprefix("\ufeff"), newline="")))


def make_many(count, account=None):
    account, now = account or make_account(), timezone.now()
    made = Contact.objects.bulk_create(
        Contact(account=account, name=f"P{number}", fields={"n": str(number)}) for number in range(count)
    )
    # Many at the same moment, as an import makes them.
    for number in range(0, count, 700):
        keys = [contact.pk for contact in made[number : number + 700]]
        Contact.objects.filter(pk__in=keys).update(created_at=now - timedelta(seconds=number))


def test_csv_has_a_row_for_each_person_with_the_primary_address_first(export):
    contact = make_contact(
        email="ada@example.com", company="Engines", language="en", time_zone="Europe/London"
    )
    for kind, value in (("email", "second@example.com"), ("phone", "+442071838750")):
        contact.addresses.create(account=contact.account, kind=kind, value=value)
    contact.addresses.filter(value="second@example.com").update(is_primary=False)
    (row,) = rows_of(export())
    assert (row["id"], row["email"], row["other_emails"]) == (
        str(contact.pk),
        "ada@example.com",
        "second@example.com",
    )
    assert row["phone"] == "'+442071838750"  # else a spreadsheet calculates
    assert (row["company"], row["time_zone"], row["status"]) == ("Engines", "Europe/London", "active")


def test_free_fields_are_columns_and_what_is_no_text_is_json(export):
    make_contact(fields={"job": "Analyst", "tags": ["a", "b"], "nothing": None})
    make_contact(fields={"floor": 3})
    newest, oldest = rows_of(export())
    assert (newest["field:floor"], newest["field:job"]) == ("3", "")
    assert (oldest["field:job"], oldest["field:tags"], oldest["field:nothing"]) == (
        "Analyst",
        '["a","b"]',
        "",
    )


def test_more_fields_than_columns_are_kept_in_one(export):
    make_contact(fields={**{f"key{number:03}": str(number) for number in range(90)}, "x" * 200: "long"})
    (row,) = rows_of(export())
    assert len(row) == len(exporting.COLUMNS) + exporting.MOST_FIELDS <= 100
    assert json.loads(row["more_fields"]).keys() == {f"key{n:03}" for n in range(80, 90)} | {"x" * 200}


def test_consent_is_what_was_said_last(export):
    contact = make_contact()
    for given in (True, False):
        consent.record(contact, "email", "invitation", given=given, source="test")
    consent.record(contact, "email", "marketing", given=True, source="test")
    (row,) = rows_of(export())
    assert (row["consent_email"], row["consent_phone"]) == ("invitation: no; marketing: yes", "")


@pytest.mark.parametrize("text", HOSTILE)
def test_a_formula_is_text_and_comes_back_as_it_was(export, text):
    make_contact(name=text, fields={"note": text})
    (row,) = rows_of(export())
    assert row["name"] == row["field:note"] == f"'{text}"
    assert spreadsheets.unguarded(row["name"]) == text


@pytest.mark.parametrize("text", HARMLESS)
def test_other_text_stays_as_it_is(export, text):
    make_contact(name=text)
    assert [row["name"] for row in rows_of(export())] == [text]
    assert spreadsheets.unguarded(text) == text


def test_lines_end_as_the_rfc_says_and_the_mark_can_be_left_out(export):
    make_contact(name="Ada, Countess\nof Lovelace")
    assert text_of(export()).startswith("\ufeffid,account,email,")
    text = text_of(export(bom="false"))
    assert text.startswith("id,account,email,")
    assert '"Ada, Countess\nof Lovelace"' in text
    assert text.endswith("\r\n")


def test_json_is_one_array_and_ndjson_a_line_each(export, monkeypatch):
    monkeypatch.setattr(exporting, "PAGE", 2)
    made = [str(make_contact(fields={"tags": ["a"]}).pk) for _ in range(5)]
    array = json.loads(text_of(export(format="json")))
    lines = [json.loads(line) for line in text_of(export(format="ndjson")).splitlines()]
    assert array == lines
    assert [one["id"] for one in array] == made[::-1]
    assert array[0]["fields"] == {"tags": ["a"]}
    assert len(array[0]["emails"]) == 1


@pytest.mark.parametrize(("form", "empty"), [("json", "[]\n"), ("ndjson", ""), ("csv", None)])
def test_nobody_is_an_empty_file(export, form, empty):
    text = text_of(export(format=form, bom="false"))
    assert text == empty or (form == "csv" and text.count("\r\n") == 1)


def test_who_was_erased_or_became_part_of_another_is_not_in_it(export):
    kept, removed, erased = make_contact(), make_contact(), make_contact()
    ContactMerge.propose([(kept, removed, ["staff"])])
    ContactMerge.objects.update(state="merged")
    Contact.objects.filter(pk=erased.pk).update(erased_at=timezone.now())
    assert [row["id"] for row in rows_of(export())] == [str(kept.pk)]


def test_another_account_gets_none_of_them(client):
    make_contact(name="Ada Lovelace", email="ada@example.com")
    stranger = bearer(make_key(make_account("other")))
    for query in ({}, {"email": "ada@example.com"}, {"format": "json"}, {"account": "acme"}):
        assert "Ada" not in text_of(client.get(PATH, query, headers=stranger))


def test_it_asks_for_a_key_with_the_scope(client):
    assert client.get(PATH).status_code == 401
    assert client.get(PATH, headers=bearer(make_key(scopes=("knowledge",)))).status_code == 403


def test_the_filters_of_the_list_hold(export):
    make_contact(email="ada@example.com")
    make_contact(email="eve@example.com")
    assert [row["email"] for row in rows_of(export(email="ADA@example.com"))] == ["ada@example.com"]


@pytest.mark.parametrize(
    "query",
    [
        {"format": "xml"},
        {"format": "csv\0"},
        {"email": "\0"},
        {"email": "' OR 1=1 --"},
        {"phone": "1" * 5000},
        {"bom": "perhaps"},
    ],
)
def test_a_filter_that_cannot_be_read_is_refused(export, query):
    make_contact()
    response = export(**query)
    assert response.status_code == 400
    assert not AuditEntry.objects.exists()


def test_whatever_a_caller_accepts_the_file_is_sent(client):
    headers = {**bearer(make_key()), "Accept": "text/csv"}
    assert client.get(PATH, headers=headers)["Content-Type"].startswith("text/csv")


def test_it_is_written_down_without_the_address(export):
    make_contact(email="ada@example.com")
    text_of(export(email="ada@example.com", format="ndjson"))
    entry = AuditEntry.objects.get(action="exported contacts")
    assert (entry.account.slug, entry.actor_kind, entry.actor) == ("acme", "key", "test")
    assert entry.detail == {"format": "ndjson", "count": 1, "filter": {"email": "a…"}}


def test_what_no_text_file_can_hold_breaks_nothing(export):
    # PostgreSQL does not hold it either.
    make_contact(fields={"note": "half \ud83d" if connection.vendor == "sqlite" else "half ?"})
    assert [row["field:note"] for row in rows_of(export())] == ["half ?"]
    assert json.loads(text_of(export(format="json")))[0]["fields"] == {"note": "half ?"}


def test_staff_may_have_written_any_json_into_fields(export):
    make_contact(fields=["a"])
    assert rows_of(export())[0]["field:fields"] == '["a"]'


def test_a_page_costs_the_same_queries_however_many_there_are():
    make_many(exporting.PAGE)
    rows = Contact.objects.for_account(make_account())
    with CaptureQueriesContext(connection) as one_page:
        assert len(list(exporting.pieces(rows, "ndjson"))) == 1
    make_many(exporting.PAGE)
    with CaptureQueriesContext(connection) as two_pages:
        assert len(list(exporting.pieces(rows, "ndjson"))) == 2
    assert len(one_page) <= 4  # a full page is followed by an empty one
    assert len(two_pages) <= 7


def test_ten_thousand_people_are_read_a_page_at_a_time():
    make_many(10_000)
    rows = Contact.objects.for_account(make_account())
    told, most = [], 0
    for piece in exporting.pieces(rows, "ndjson"):
        lines = piece.splitlines()
        most = max(most, len(lines))
        told += [json.loads(line)["name"] for line in lines]
    assert most == exporting.PAGE
    assert len(told) == len(set(told)) == 10_000


def test_nothing_is_read_before_it_is_asked_for(django_assert_num_queries):
    make_many(1_200)
    pieces = exporting.pieces(Contact.objects.for_account(make_account()), "json")
    with django_assert_num_queries(3):
        next(pieces)
    pieces.close()


# --- In the admin -----------------------------------------------------------------------------------

ADMIN = "admin:crm_contact_export"


def test_the_list_offers_its_own_filters_and_search_as_csv(admin_client):
    page = admin_client.get(reverse("admin:crm_contact_changelist"), {"q": "ada", "is_active__exact": "1"})
    assert f"{reverse(ADMIN)}?is_active__exact=1&amp;q=ada" in page.content.decode()


def test_staff_get_what_the_list_shows(admin_client):
    make_contact(name="Ada Lovelace")
    make_contact(name="Ada Byron", is_active=False)
    make_contact(name="Eve")
    answer = admin_client.get(reverse(ADMIN), {"q": "ada", "is_active__exact": "1"})
    assert [row["name"] for row in rows_of(answer)] == ["Ada Lovelace"]
    assert answer["Content-Disposition"].startswith('attachment; filename="contacts-')
    entry = AuditEntry.objects.get(action="exported contacts")
    assert (entry.account.slug, entry.actor_kind, entry.actor) == ("acme", "staff", "admin")
    assert entry.detail["count"] == 1
    assert entry.detail["filter"] == {"q": "a…", "is_active__exact": "1"}


def test_each_account_has_its_own_entry(admin_client):
    make_contact(), make_contact(), make_contact(make_account("other"))
    assert [row["account"] for row in rows_of(admin_client.get(reverse(ADMIN)))] == ["other", "acme", "acme"]
    entries = AuditEntry.objects.filter(action="exported contacts")
    assert {entry.account.slug: entry.detail["count"] for entry in entries} == {"acme": 2, "other": 1}


def test_an_empty_file_is_written_down_too(admin_client):
    assert rows_of(admin_client.get(reverse(ADMIN), {"q": "nobody"})) == []
    assert AuditEntry.objects.get(action="exported contacts").detail["count"] == 0


def test_staff_without_the_permission_get_nothing(client, django_user_model):
    make_contact()
    client.force_login(django_user_model.objects.create_user("temp", is_staff=True))
    assert client.get(reverse(ADMIN)).status_code == 403
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("query", [{"nothing": "x"}, {"created_at__gte": "x"}])
def test_a_filter_that_makes_no_sense_exports_nothing(admin_client, query):
    make_contact()
    answer = admin_client.get(reverse(ADMIN), query)
    assert answer.status_code in {302, 400}
    assert not AuditEntry.objects.filter(action="exported contacts").exists()
