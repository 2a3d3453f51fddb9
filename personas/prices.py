"""What a million tokens cost: data/prices.json, or the PRICES of a provider's own entry."""

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from django.conf import settings

from personas.providers.base import Done

LIST = Path(__file__).parent / "data" / "prices.json"
# A dated snapshot costs what the model costs: gpt-4o-mini-2024-07-18.
_SNAPSHOT = re.compile(r"-\d{4}-\d{2}-\d{2}$")
ANY_MODEL = "*"


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars per million tokens, which is the same number as millionths of a dollar per token."""

    prompt: float
    completion: float


def price_of(provider: str, model: str) -> Price | None:
    """None when nobody has said what it costs. The entry's PRICES win over the vendors' lists.

    The lists hold wherever a model is reached: a cap in dollars must not be blind to a gateway.
    """
    own = settings.PROVIDERS.get(provider, {}).get("PRICES", {})
    found = own.get(model) or own.get(ANY_MODEL)
    if found is not None:
        return Price(*found)
    return listed().get(model) or listed().get(_SNAPSHOT.sub("", model))


@lru_cache(maxsize=1)
def listed() -> dict[str, Price]:
    """Every model of prices.json; vendors give their models different names."""
    vendors = json.loads(LIST.read_text(encoding="utf-8"))["vendors"].values()
    return {model: Price(*price) for vendor in vendors for model, price in vendor["models"].items()}


def cost_micro_usd(done: Done) -> int:
    """Millionths of a dollar. Nothing for a model without a price, and for tokens that nobody counted."""
    price = price_of(done.provider, done.model)
    if price is None:
        return 0
    return round((done.prompt_tokens or 0) * price.prompt + (done.completion_tokens or 0) * price.completion)
