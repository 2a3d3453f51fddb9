"""Accent colours: whatever an account chooses can be read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interviews.accents import DARK_PAPER, LIGHT_PAPER, accent_on, contrast, stylesheet

colours = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")


@given(colours, st.sampled_from([LIGHT_PAPER, DARK_PAPER]))
def test_every_accent_is_readable_on_paper_and_carries_readable_text(colour, paper):
    accent = accent_on(colour, paper, share=0.12)
    assert contrast(accent.colour, paper) >= 4.5
    assert contrast(accent.ink, accent.colour) >= 4.5


def test_a_colour_that_is_readable_already_stays_as_it_is():
    assert accent_on("#0b6e5f", LIGHT_PAPER, share=0.12).colour == "#0b6e5f"


def test_contrast_is_that_of_wcag():
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_the_stylesheet_follows_device_and_switch():
    text = stylesheet("#ffcc00")
    assert "prefers-color-scheme:dark" in text
    assert "data-theme=dark" in text


def test_only_colours_have_a_stylesheet(client):
    assert client.get("/i/accent/0b6e5f.css")["Content-Type"].startswith("text/css")
    for wrong in ("0b6e5", "zzzzzz", "0B6E5F"):
        assert client.get(f"/i/accent/{wrong}.css").status_code == 404
