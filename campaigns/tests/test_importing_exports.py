"""An export of contacts comes back through the import of a campaign as it was."""

import pytest

from campaigns import csv_reading, importing, personal_data
from campaigns.columns import LEFT_OUT, guess_mapping
from campaigns.error_rows import error_rows
from campaigns.tests.test_importing import imported
from crm import exporting, spreadsheets
from crm.models import Contact, ContactAddress
from tests.factories import make_account, make_campaign, make_contact

pytestmark = pytest.mark.django_db
FACTS = {
    "name": "=Ada, \"the\" 'first'",
    "company": "+Engines",
    "language": "en",
    "time_zone": "Europe/London",
}
FIELDS = {"job_title": "@Countess", "note": "one\ntwo", "quoted": "'=1+1", "plain": "'t Hooft"}


@pytest.fixture
def exported():
    """The file of one person of account `acme`."""
    contact = make_contact(email="ada@example.com", role="-", fields=FIELDS, **FACTS)
    contact.addresses.create(account=contact.account, kind="phone", value="+442071838750", is_primary=True)
    return b"".join(exporting.pieces(Contact.objects.for_account(contact.account), "csv"))


def came_back(other):
    return Contact.objects.get(account=other)


@pytest.mark.parametrize("has_mark", [True, False])
def test_an_export_of_one_account_comes_whole_into_another(exported, has_mark):
    other = make_account("other")
    kept = imported(make_campaign(other), exported if has_mark else exported.removeprefix(b"\xef\xbb\xbf"))
    assert (kept.counts["rows"], kept.counts["new"], kept.errors) == (1, 1, [])
    contact = came_back(other)
    assert {name: getattr(contact, name) for name in FACTS} == FACTS
    assert contact.fields == FIELDS
    assert [(row.kind, row.value) for row in contact.addresses.all()] == [("email", "ada@example.com")]


def test_it_changes_nothing_where_it_came_from(exported):
    account = make_account()
    before = Contact.objects.values("name", "company", "fields").get()
    kept = imported(make_campaign(account), exported)
    assert (kept.counts["updated"], kept.counts["new"]) == (1, 0)
    assert Contact.objects.values("name", "company", "fields").get() == before
    assert ContactAddress.objects.count() == 2


def test_columns_may_be_moved_and_added(exported):
    table = csv_reading.read(exported)
    lines = [[*cells[::-1], "Mine"] for cells in (table.headings, *(cells for _line, cells in table.rows()))]
    lines[0][-1] = "Department"
    content = spreadsheets.written(lines).encode()
    other = make_account("other")
    imported(make_campaign(other), content)
    assert came_back(other).fields == {**FIELDS, "department": "Mine"}
    assert came_back(other).name == FACTS["name"]


def test_its_columns_are_known_and_what_cannot_come_in_is_left_out():
    mapping = guess_mapping([*exporting.COLUMNS, "field:Job Title", "field:email", "field:name"])
    taken = {heading: name for heading, name in mapping.items() if name != LEFT_OUT}
    assert taken == {
        "email": "email",
        "name": "name",
        "company": "company",
        "language": "language",
        "time_zone": "time_zone",
        "field:Job Title": "job_title",
        "field:email": "field_email",
        "field:name": "field_name",
    }


def test_other_files_keep_their_apostrophes_and_their_ids():
    other = make_account("other")
    imported(make_campaign(other), b"email,id,field:x\nada@example.com,'=7,1\n")
    assert came_back(other).fields == {"id": "'=7", "field_x": "1"}


def test_rows_with_errors_come_back_guarded(exported):
    broken = exported.replace(b"ada@example.com", b"nobody")
    kept = importing.keep(make_campaign(make_account("other")), broken, filename="people.csv")
    assert "'@Countess" in "".join(error_rows(kept))
    assert "''@Countess" not in "".join(error_rows(kept))


def test_an_erasure_leaves_the_others_of_a_kept_file_as_they_were(exported):
    contact = make_contact(email="eve@example.com")
    both = b"".join(exporting.pieces(Contact.objects.for_account(contact.account), "csv"))
    kept = imported(make_campaign(contact.account), both)
    personal_data.erase(contact)
    kept.refresh_from_db()
    rows = [cells for _line, cells in importing.table_of(kept).rows()]
    assert "eve@example.com" not in str(rows)
    assert "'=1+1" in rows[-1]
