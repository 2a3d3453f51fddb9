"""A model or order number is matched whole."""

import pytest

from personas.providers.base import Source
from personas.providers.extractive import best_quotes
from personas.providers.identifiers import identifiers_in, speaks_of_another


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("the warranty of model X-200?", {"x200"}),
        ("X200 and RS-232/A", {"x200", "rs232a"}),
        ("order 10023 of 2026-11-26", {"10023"}),
        ("a 2-year warranty, delivered in 24h", set()),
        ("Model: X-200; Warranty: 24 months", {"x200"}),
        ("Größe Ｘ-200", {"x200"}),
        ("e.g. in the U.S.", set()),
    ],
)
def test_identifiers_are_found(text, found):
    assert identifiers_in(text) == found


@pytest.mark.parametrize(
    ("text", "is_another"),
    [
        ("Model: X-2000; Warranty: 36 months", True),
        ("Model: X-200; Warranty: 24 months", False),
        ("X-2000 takes the battery of X-200", False),
        ("The warranty of all models begins with the purchase", False),
        ("Cable C-12 has two years", False),
    ],
)
def test_a_text_speaks_of_another(text, is_another):
    assert speaks_of_another(text, identifiers_in("warranty of X-200")) is is_another


def test_a_sentence_about_a_longer_number_is_not_quoted():
    text = "The X-2000 has a warranty of 36 months. The X-200 has a warranty of 24 months."

    (quote,) = best_quotes("What is the warranty of the X-200?", [Source(1, "Models", text)])

    assert "24 months" in quote.text


def test_nothing_is_quoted_when_only_another_number_is_known():
    text = "The X-2000 has a warranty of 36 months."

    assert best_quotes("What is the warranty of the X-200?", [Source(1, "Models", text)]) == []
