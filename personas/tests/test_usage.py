"""Counting under concurrency: nothing is lost when two meet on a new row."""

import logging
import threading

import pytest
from django.db import DatabaseError, connection

from personas.models import Usage
from personas.providers.base import Done
from personas.usage import cost_micro_usd, count, count_later
from tests.factories import make_account, make_persona

DONE = Done(provider="offline", model="", prompt_tokens=10, completion_tokens=3)


@pytest.mark.django_db(transaction=True)
def test_counts_of_many_threads_add_up():
    persona = make_persona()
    barrier = threading.Barrier(6)

    def work():
        barrier.wait()
        for _ in range(5):
            count(persona.account, persona, DONE)
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    row = Usage.objects.get()
    assert (row.calls, row.prompt_tokens, row.completion_tokens) == (30, 300, 90)


@pytest.mark.django_db
def test_speech_without_a_persona_has_one_row_too():
    account = make_account()
    count(account, None, DONE)
    count(account, None, DONE)
    assert Usage.objects.get().calls == 2


@pytest.mark.django_db
def test_accounts_are_counted_apart():
    for slug in ("one", "two"):
        count(make_account(slug), None, DONE)
    assert Usage.objects.count() == 2


@pytest.mark.django_db
def test_the_count_of_a_deleted_persona_stays():
    persona = make_persona()
    count(persona.account, persona, DONE)
    key = str(persona.pk)
    persona.delete()
    assert Usage.objects.get().persona_key == key


def test_a_price_is_dollars_per_million_tokens(settings):
    settings.PROVIDERS = {"openai": {"PRICES": {"m": [0.15, 0.6]}}}
    done = Done(provider="openai", model="m", prompt_tokens=1_000_000, completion_tokens=100)
    assert cost_micro_usd(done) == 150_060


def test_what_has_no_price_costs_nothing(settings):
    assert cost_micro_usd(DONE) == 0
    assert cost_micro_usd(Done(provider="gone", model="m")) == 0


async def test_a_database_that_is_away_costs_only_the_count(monkeypatch, caplog):
    async def away(*args):
        raise DatabaseError("gone")

    monkeypatch.setattr("personas.usage.in_database", away)
    caplog.set_level(logging.ERROR)
    await count_later(None, None, DONE)
    assert "was not counted" in caplog.text
