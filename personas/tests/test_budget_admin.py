"""Daily budgets in the admin: set in dollars, shown beside what is used."""

import pytest
from django.urls import reverse

from config.api.models import AuditEntry
from personas import budget
from personas.models import Budget, Usage
from tests.factories import make_account

pytestmark = pytest.mark.django_db

LIST = "admin:personas_budget_changelist"


def used(account, tokens, micro_usd=0):
    Usage.objects.create(
        account=account,
        day=budget.today(),
        provider="openai",
        prompt_tokens=tokens,
        completion_tokens=0,
        cost_micro_usd=micro_usd,
    )


def test_a_budget_is_given_in_dollars_and_noted(admin_client):
    account = make_account()
    form = {"account": account.pk, "daily_tokens": "", "daily_usd": "2.5"}
    assert admin_client.post(reverse("admin:personas_budget_add"), form).status_code == 302
    row = Budget.objects.get()
    assert (row.daily_tokens, row.daily_micro_usd) == (None, 2_500_000)
    assert AuditEntry.objects.get().detail == {"daily_tokens": None, "daily_micro_usd": 2_500_000}


def test_a_change_keeps_what_is_not_changed(admin_client):
    row = Budget.objects.create(account=make_account(), daily_tokens=5, daily_micro_usd=1_500_000)
    address = reverse("admin:personas_budget_change", args=[row.pk])
    page = admin_client.get(address)
    assert "1.5" in str(page.context["adminform"].form["daily_usd"].value())
    admin_client.post(address, {"daily_tokens": "9", "daily_usd": "1.5"})
    row.refresh_from_db()
    assert (row.daily_tokens, row.daily_micro_usd) == (9, 1_500_000)


@pytest.mark.parametrize("dollars", ["-1", "lots", "1.1234567"])
def test_nonsense_is_refused(admin_client, dollars):
    form = {"account": make_account().pk, "daily_usd": dollars}
    page = admin_client.post(reverse("admin:personas_budget_add"), form)
    assert page.context["adminform"].form.errors["daily_usd"]
    assert not Budget.objects.exists()


@pytest.mark.parametrize(
    ("tokens", "says"), [(10, "Within it"), (80, "Over 80 %"), (100, "Used up"), (10_000, "Used up")]
)
def test_the_list_shows_what_is_used_of_it(admin_client, tokens, says):
    Budget.objects.create(account=make_account(), daily_tokens=100)
    used(make_account(), tokens, micro_usd=1_234_500)
    page = admin_client.get(reverse(LIST)).content.decode()
    assert says in page
    assert f"{tokens:,} / 100" in page
    assert "1.2345 / –" in page


def test_another_accounts_use_is_not_added(admin_client):
    Budget.objects.create(account=make_account(), daily_tokens=100)
    used(make_account("other"), 100)
    assert "0 / 100" in admin_client.get(reverse(LIST)).content.decode()


def test_the_list_asks_a_constant_number_of_queries(admin_client, django_assert_max_num_queries):
    Budget.objects.create(account=make_account(), daily_tokens=100)
    admin_client.get(reverse(LIST))
    with django_assert_max_num_queries(12) as few:
        admin_client.get(reverse(LIST))
    for number in range(6):
        Budget.objects.create(account=make_account(f"a{number}"), daily_tokens=100)
    with django_assert_max_num_queries(len(few)):
        admin_client.get(reverse(LIST))
