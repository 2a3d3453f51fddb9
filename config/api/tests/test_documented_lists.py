"""The CRM API's lists: totals that stay cheap, pages and a cursor."""

import pytest
from django.core.cache import cache

from config.api import documented_lists
from config.api.documented_lists import bounded_total
from config.api.models import AuditEntry

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _forgotten():
    cache.clear()


def entries(count):
    AuditEntry.objects.bulk_create(AuditEntry(actor_kind="system", action="x") for _ in range(count))
    return AuditEntry.objects.order_by("-at")


def test_a_short_list_is_counted_anew_each_time():
    assert bounded_total(entries(3)) == 3
    assert bounded_total(entries(1)) == 4


def test_a_long_list_is_counted_in_full_once_in_a_while(monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(documented_lists, "EXACT_UP_TO", 2)
    with django_assert_num_queries(3):  # the rows, how many there are at least, and all of them
        assert bounded_total(entries(5)) == 5
    AuditEntry.objects.create(actor_kind="system", action="x")
    with django_assert_num_queries(1) as seen:
        assert bounded_total(AuditEntry.objects.order_by("-at")) == 5
    assert "LIMIT 3" in seen.captured_queries[0]["sql"]


def test_totals_of_different_filters_are_kept_apart(monkeypatch):
    monkeypatch.setattr(documented_lists, "EXACT_UP_TO", 0)
    rows = entries(2)
    AuditEntry.objects.create(actor_kind="system", action="y")
    assert bounded_total(rows.filter(action="x")) == 2
    assert bounded_total(rows.filter(action="y")) == 1
