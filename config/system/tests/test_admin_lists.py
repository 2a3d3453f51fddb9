"""Lists of the admin count so far and no further."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import User

from config.system import admin_lists
from crm.models import Contact
from tests.factories import make_account

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client):
    client.force_login(User.objects.create_superuser("operator"))
    return client


def test_every_list_has_at_most_fifty_rows_a_page():
    pages = {model._meta.label: options.list_per_page for model, options in admin.site._registry.items()}
    assert {name for name, rows in pages.items() if rows > admin_lists.ROWS} == set()


def test_a_long_list_is_counted_so_far_and_no_further(staff, monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(admin_lists, "DEEPEST", 120)
    account = make_account()
    Contact.objects.bulk_create(Contact(account=account, name=f"Person {n}") for n in range(200))
    pages = admin_lists.BoundedPaginator(Contact.objects.all(), 50)
    assert (pages.count, pages.num_pages) == (120, 3)
    with django_assert_num_queries(1) as asked:
        assert admin_lists.BoundedPaginator(Contact.objects.order_by("name"), 50).count == 120
    sql = asked.captured_queries[0]["sql"]
    assert "LIMIT 120" in sql
    assert staff.get("/admin/crm/contact/?p=3").status_code == 200
    assert staff.get("/admin/crm/contact/?p=4").status_code == 302


def test_a_plain_list_has_its_length():
    assert admin_lists.BoundedPaginator([1, 2, 3], 2).count == 3
