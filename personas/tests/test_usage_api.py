"""Usage over the API: scoped, of one account, by day, in pages; and today beside the budget."""

import datetime

import pytest

from personas import budget
from personas.models import Budget, Usage
from tests.factories import bearer, make_account, make_key, make_persona

pytestmark = pytest.mark.django_db

PATH = "/api/v1/usage"


@pytest.fixture
def as_acme():
    return bearer(make_key(scopes=["usage"]))


def use(account=None, day=datetime.date(2026, 3, 1), **fields):
    number = Usage.objects.count()
    defaults = {"provider": "openai", "model": "gpt-4o-mini", "calls": 2, "persona_key": f"p{number}"}
    return Usage.objects.create(account=account or make_account(), day=day, **{**defaults, **fields})


def rows(client, headers, query=""):
    return client.get(PATH + query, headers=headers).json()["data"]


def test_a_row_says_who_spoke_through_what_and_for_how_much(client, as_acme):
    persona = make_persona()
    use(persona_key=str(persona.pk), prompt_tokens=100, completion_tokens=20, cost_micro_usd=27)
    (row,) = rows(client, as_acme)
    assert row["persona_id"] == str(persona.pk)
    assert (row["day"], row["calls"], row["total_tokens"]) == ("2026-03-01", 2, 120)
    assert (row["cost_usd"], row["is_priced"]) == (0.000027, True)


def test_a_model_nobody_priced_says_so(client, as_acme):
    use(model="home-made")
    assert rows(client, as_acme)[0]["is_priced"] is False


def test_the_newest_day_is_first_and_pages_follow(client, as_acme, django_assert_num_queries):
    for day in range(1, 8):
        use(day=datetime.date(2026, 3, day))
    client.get(PATH, headers=as_acme)  # notes the key's use
    with django_assert_num_queries(2):
        first = client.get(f"{PATH}?limit=4", headers=as_acme).json()
    second = client.get(f"{PATH}?limit=4&cursor={first['pagination']['next']}", headers=as_acme).json()
    days = [row["day"][-2:] for row in first["data"] + second["data"]]
    assert days == ["07", "06", "05", "04", "03", "02", "01"]
    assert second["pagination"]["next"] is None


def test_days_and_a_persona_can_be_chosen(client, as_acme):
    persona = make_persona()
    for day in (1, 2, 3):
        use(day=datetime.date(2026, 3, day))
    use(persona_key=str(persona.pk))
    assert len(rows(client, as_acme, "?since=2026-03-02&until=2026-03-03")) == 2
    assert len(rows(client, as_acme, f"?persona_id={persona.pk}")) == 1


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?since=yesterday", "since"),
        ("?persona_id=7", "persona_id"),
        ("?since=2026-03-02&until=2026-03-01", "until"),
        ("?limit=0", "limit"),
        ("?cursor=x", "cursor"),
    ],
)
def test_a_bad_filter_is_named(client, as_acme, query, field):
    answer = client.get(PATH + query, headers=as_acme)
    assert answer.status_code == 400
    assert answer.json()["error"]["field"] == field


def test_another_accounts_usage_is_not_seen(client):
    use(prompt_tokens=5)
    stranger = bearer(make_key(make_account("other"), scopes=["usage"]))
    assert rows(client, stranger) == []
    assert client.get(f"{PATH}/today", headers=stranger).json()["data"]["tokens_used"] == 0


@pytest.mark.parametrize("path", [PATH, f"{PATH}/today"])
def test_a_key_needs_the_scope(client, path):
    assert client.get(path).status_code == 401
    assert client.get(path, headers=bearer(make_key(scopes=["knowledge"]))).status_code == 403


def test_today_is_shown_beside_the_budget(client, as_acme):
    Budget.objects.create(account=make_account(), daily_tokens=1_000, daily_micro_usd=2_500_000)
    use(day=budget.today(), prompt_tokens=900, completion_tokens=100, cost_micro_usd=500_000)
    data = client.get(f"{PATH}/today", headers=as_acme).json()["data"]
    assert 0 < data.pop("resets_in_seconds") <= 86_400
    assert data == {
        "day": budget.today().isoformat(),
        "tokens_used": 1_000,
        "tokens_cap": 1_000,
        "cost_usd_used": 0.5,
        "cost_usd_cap": 2.5,
        "is_exhausted": True,
    }


def test_without_a_budget_there_is_no_cap(client, as_acme):
    data = client.get(f"{PATH}/today", headers=as_acme).json()["data"]
    assert (data["tokens_cap"], data["cost_usd_cap"], data["is_exhausted"]) == (None, None, False)
