"""The daily budget: asked before every call of a model, and a clear answer when it is used up."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError
from django.test.utils import CaptureQueriesContext

from personas import budget, speaking
from personas.budget import Cap, Spent
from personas.models import Budget, Usage
from personas.providers.base import ProviderError
from personas.tests.talking import asking, reply_of
from tests.factories import make_account, make_persona

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("openai_settings")]


@pytest.fixture
def persona():
    return make_persona(provider_chain=["openai"], model="")


async def spoken(persona):
    return await reply_of(speaking.speak(persona, asking("Why?"), account=persona.account))


async def spend(account, *, tokens=0, micro_usd=0, day=None):
    await Usage.objects.acreate(
        account=account,
        persona_key=str(await Usage.objects.acount()),
        day=day or budget.today(),
        provider="openai",
        prompt_tokens=tokens,
        cost_micro_usd=micro_usd,
    )


async def cap(account, **limits):
    await Budget.objects.acreate(account=account, **limits)


async def refusal(persona):
    with pytest.raises(ProviderError) as caught:
        await spoken(persona)
    return caught.value


async def test_without_a_budget_nothing_is_refused_or_added_up(persona, server):
    await spend(persona.account, tokens=10**12)
    assert (await spoken(persona))[1].provider == "openai"


async def test_a_used_up_budget_asks_no_model(persona, server):
    await cap(persona.account, daily_tokens=100)
    await spend(persona.account, tokens=100)
    error = await refusal(persona)
    assert (error.code, error.retryable) == ("budget_exhausted", False)
    assert 0 < error.retry_after_seconds <= 86_400
    assert server.requests == []


async def test_the_cap_in_dollars_holds_too(persona, server):
    await cap(persona.account, daily_micro_usd=5_000)
    await spend(persona.account, micro_usd=5_000)
    assert (await refusal(persona)).code == "budget_exhausted"


async def test_a_chain_with_offline_goes_on_without_a_model(persona, server):
    persona.provider_chain = ["openai", "offline"]
    await cap(persona.account, daily_tokens=1)
    await spend(persona.account, tokens=1)
    text, done = await spoken(persona)
    assert (text, done.provider) == ("Why?", "offline")
    assert server.requests == []


async def test_yesterdays_use_does_not_count(persona, server):
    await cap(persona.account, daily_tokens=100)
    await spend(persona.account, tokens=100, day=budget.today() - timedelta(days=1))
    assert (await spoken(persona))[1].provider == "openai"


async def test_another_accounts_use_does_not_count(persona, server):
    other = await asyncio.to_thread(make_account, "other")
    await cap(persona.account, daily_tokens=100)
    await spend(other, tokens=100)
    assert (await spoken(persona))[1].provider == "openai"


async def test_a_call_counts_at_once_in_the_process_that_made_it(persona, server, monkeypatch):
    monkeypatch.setattr(budget, "FRESH_SECONDS", 60)
    await cap(persona.account, daily_tokens=1)
    await spoken(persona)
    assert (await refusal(persona)).code == "budget_exhausted"
    assert len(server.requests) == 1


async def test_no_more_than_the_calls_in_flight_go_over_the_cap(persona, server):
    await cap(persona.account, daily_tokens=1)
    for _ in range(4):
        await asyncio.gather(*(spoken(persona) for _ in range(5)), return_exceptions=True)
    assert len(server.requests) == 5


async def test_what_other_processes_used_is_seen_when_the_rows_are_read_again(persona, monkeypatch):
    monkeypatch.setattr(budget, "FRESH_SECONDS", 0.05)
    await cap(persona.account, daily_tokens=100)
    assert not await budget.is_exhausted(persona.account)
    await spend(persona.account, tokens=100)
    await asyncio.sleep(0.06)
    assert await budget.is_exhausted(persona.account)


async def test_a_raised_cap_lets_the_account_go_on(persona, monkeypatch):
    monkeypatch.setattr(budget, "FRESH_SECONDS", 0.0)
    await cap(persona.account, daily_tokens=1)
    await spend(persona.account, tokens=1)
    assert await budget.is_exhausted(persona.account)
    await Budget.objects.aupdate(daily_tokens=2)
    assert not await budget.is_exhausted(persona.account)


async def test_a_call_that_is_written_is_not_counted_twice(persona, monkeypatch):
    monkeypatch.setattr(budget, "FRESH_SECONDS", 0.0)
    await spoken(persona)
    used = (await asyncio.to_thread(budget.standing_of, persona.account)).spent.tokens
    await cap(persona.account, daily_tokens=used + 1)
    assert not await budget.is_exhausted(persona.account)


async def test_many_at_once_read_the_rows_once(persona, monkeypatch):
    read = []
    real = budget._needed_of
    monkeypatch.setattr(budget, "_needed_of", lambda account: read.append(1) or real(account))
    await asyncio.gather(*(budget.is_exhausted(persona.account) for _ in range(50)))
    await budget.is_exhausted(persona.account)
    assert read == [1]


async def test_a_database_that_is_away_stops_nobody(persona, monkeypatch, caplog):
    async def away(*args):
        raise DatabaseError("gone")

    monkeypatch.setattr(budget, "in_database", away)
    assert not await budget.is_exhausted(persona.account)
    assert "could not be read" in caplog.text


async def test_nothing_is_sorted_by_a_model_once_the_budget_is_used_up(persona, server):
    await cap(persona.account, daily_tokens=0)
    assert await speaking.classify(persona, "Sort.", "text", ["a", "b"], account=persona.account) is None
    assert server.requests == []


async def test_no_vectors_are_made_once_the_budget_is_used_up(persona, server):
    await cap(persona.account, daily_tokens=0)
    with pytest.raises(ProviderError) as caught:
        await speaking.embedder("openai", persona.account).embed("", ["bread"])
    assert (caught.value.code, caught.value.retryable) == ("budget_exhausted", True)
    assert server.requests == []


async def test_vectors_are_counted_for_the_account(persona, server):
    await speaking.embedder("openai", persona.account).embed("", ["bread", "butter"])
    row = await Usage.objects.aget()
    assert (row.provider, row.model, row.calls) == ("openai", "fake-embedding", 1)


def test_an_account_without_a_row_has_the_installations_limits(settings):
    settings.DAILY_TOKENS, settings.DAILY_USD = 500, 2
    assert budget.cap_of(make_account()) == Cap(500, 2_000_000)


def test_an_accounts_own_row_wins_and_empty_is_no_limit(settings):
    settings.DAILY_TOKENS = 500
    account = make_account()
    Budget.objects.create(account=account, daily_micro_usd=7)
    assert budget.cap_of(account) == Cap(None, 7)


def test_a_standing_needs_two_queries():
    from django.db import connection

    account = make_account()
    with CaptureQueriesContext(connection) as queries:
        assert not budget.standing_of(account).is_exhausted
    assert len(queries) == 2


def test_no_limit_is_never_reached():
    assert not Spent(10**15, 10**15).reaches(Cap())


def test_the_day_ends_at_midnight_utc():
    assert budget.seconds_to_midnight(datetime(2026, 1, 1, 23, 59, 50, tzinfo=UTC)) == 10
