import base64
import json
from datetime import UTC, datetime, timedelta

import pytest

from config.api.models import AuditEntry
from config.api.pagination import make_cursor
from tests.factories import bearer, make_account, make_key

pytestmark = [pytest.mark.urls("config.api.tests.tiny_site"), pytest.mark.django_db]

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


@pytest.fixture
def entries(client):
    """A list endpoint over 25 entries, five of each minute, and one entry of another account."""
    account = make_account()
    rows = [
        AuditEntry(account=account, action=f"{number:02}", at=NOON + timedelta(minutes=number // 5))
        for number in range(25)
    ]
    AuditEntry.objects.bulk_create(rows)
    AuditEntry.objects.create(account=make_account("other"), action="foreign")
    key = make_key(account)
    return lambda path, **query: client.get(f"/api/v1/{path}", query, headers=bearer(key))


def walk(get, path, limit):
    seen, cursor = [], ""
    while cursor is not None:
        body = get(path, limit=limit, **({"cursor": cursor} if cursor else {})).json()
        seen += body["data"]
        cursor = body["pagination"]["next"]
    return seen


EVERYTHING = [f"{number:02}" for number in reversed(range(25))]


@pytest.mark.parametrize("path", ["entries", "entries-by-time"])
@pytest.mark.parametrize("limit", [1, 4, 5, 25, 200])
def test_pages_by_keyset_show_every_row_once_in_order(entries, path, limit):
    assert walk(entries, path, limit) == EVERYTHING


def test_rows_that_come_meanwhile_shift_nothing(entries):
    first = entries("entries", limit=10).json()
    AuditEntry.objects.create(account=make_account(), action="new")
    second = entries("entries", limit=10, cursor=first["pagination"]["next"]).json()
    assert second["data"] == EVERYTHING[10:20]


@pytest.mark.parametrize("path", ["entries", "entries-by-time"])
def test_a_page_costs_the_same_queries_however_long_and_deep(entries, path, django_assert_num_queries):
    cursor = entries(path, limit=5).json()["pagination"]["next"]
    for query in ({"limit": 1}, {"limit": 20, "cursor": cursor}):
        with django_assert_num_queries(2):  # the key, the rows
            entries(path, **query)


BROKEN = [
    "x",
    "x" * 2000,
    "é",
    "====",
    make_cursor(["1"]),
    make_cursor(["1", "2", "3"]),
    make_cursor(["yesterday", "1"]),
    make_cursor(["1", "one"]),
    make_cursor(["2026-99-99T00:00:00Z", "1"]),
    make_cursor(["1\0", "1"]),
    base64.urlsafe_b64encode(json.dumps([1, 2]).encode()).decode(),
    base64.urlsafe_b64encode(json.dumps({"a": 1}).encode()).decode(),
    base64.urlsafe_b64encode(b"[" * 300).decode(),
]


@pytest.mark.parametrize("cursor", BROKEN)
@pytest.mark.parametrize("path", ["entries", "entries-by-time"])
def test_a_cursor_that_was_not_made_here_is_400(entries, path, cursor):
    response = entries(path, cursor=cursor)
    assert response.status_code == 400
    assert response.json()["error"]["field"] == "cursor"


@pytest.mark.parametrize("limit", ["0", "-1", "201", "ten", "1.5", "١", "9" * 30])
def test_a_limit_outside_its_bounds_is_400(entries, limit):
    assert entries("entries", limit=limit).json()["error"]["field"] == "limit"


def test_numbers_too_large_for_the_database_in_a_cursor_are_400_or_empty(entries):
    response = entries("entries", cursor=make_cursor(["9" * 30, "9" * 30]))
    assert response.status_code in (200, 400)


def test_pages_by_number_carry_the_total(entries):
    body = entries("entries-by-page", page=3, limit=10).json()
    assert body["data"] == EVERYTHING[20:]
    assert body["pagination"] == {"page": 3, "per_page": 10, "limit": 10, "total": 25, "pages": 3}


def test_per_page_means_the_same_as_limit(entries):
    assert len(entries("entries-by-page", per_page=7).json()["data"]) == 7


def test_a_page_past_the_end_is_empty(entries):
    assert entries("entries-by-page", page=99).json()["data"] == []


@pytest.mark.parametrize("query", [{"page": "0"}, {"page": "-1"}, {"limit": "101"}, {"page": "x"}])
def test_a_page_that_cannot_be_is_400(entries, query):
    assert entries("entries-by-page", **query).status_code == 400


def test_a_page_too_deep_says_what_to_use_instead(entries):
    assert entries("entries-by-page", page=101, limit=100).status_code == 200
    response = entries("entries-by-page", page=102, limit=100)
    assert response.status_code == 400
    assert "cursor" in response.json()["detail"]
