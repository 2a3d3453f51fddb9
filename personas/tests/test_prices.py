"""What calls cost: the vendors' lists, and what an entry says of itself."""

import json

import pytest

from personas.prices import LIST, Price, cost_micro_usd, listed, price_of
from personas.providers.base import Done


def test_a_listed_model_has_its_price(settings):
    settings.PROVIDERS = {"openai": {}}
    assert price_of("openai", "gpt-4o-mini") == Price(0.15, 0.6)


def test_a_dated_snapshot_costs_what_the_model_costs():
    assert price_of("openai", "gpt-4o-mini-2024-07-18") == price_of("openai", "gpt-4o-mini")


def test_an_entrys_own_prices_win(settings):
    settings.PROVIDERS = {"openai": {"PRICES": {"gpt-4o-mini": [1, 2]}}}
    assert price_of("openai", "gpt-4o-mini") == Price(1, 2)


def test_every_model_of_an_entry_can_be_made_free(settings):
    settings.PROVIDERS = {"local": {"PRICES": {"*": [0, 0]}}}
    assert cost_micro_usd(Done("local", "gpt-4o", 1_000_000, 1_000_000)) == 0


def test_a_cap_is_not_blind_to_a_gateway_with_another_name(settings):
    settings.PROVIDERS = {"gateway": {"BASE_URL": "https://models.example.com/v1"}}
    assert cost_micro_usd(Done("gateway", "gpt-4o", 1_000_000, 100_000)) == 3_500_000


def test_what_nobody_priced_costs_nothing_and_says_so():
    assert price_of("openai", "home-made") is None
    assert cost_micro_usd(Done("openai", "home-made", 10, 10)) == 0


@pytest.mark.parametrize("tokens", [(None, None), (0, 0)])
def test_tokens_nobody_counted_cost_nothing(tokens):
    assert cost_micro_usd(Done("openai", "gpt-4o", *tokens)) == 0


def test_every_list_names_its_source_and_date():
    for vendor in json.loads(LIST.read_text())["vendors"].values():
        assert vendor["source"].startswith("https://")
        assert len(vendor["date"]) == 10
    assert all(price.prompt >= 0 and price.completion >= 0 for price in listed().values())
