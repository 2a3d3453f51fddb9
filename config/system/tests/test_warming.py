"""What the first person would wait for is made before, and what cannot be made stops nothing."""

import logging

from config.system import warming
from personas.providers import openai, registry


def test_what_takes_long_is_there_afterwards(settings):
    settings.DEFAULT_PROVIDER_CHAIN = ["openai", "offline"]
    openai.certificates.cache_clear()
    warming.begin().join(timeout=30)
    assert openai.certificates.cache_info().currsize == 1


def test_a_step_that_fails_is_told_and_the_next_is_done(caplog):
    done = []

    def broken():
        raise OSError("no certificates here")

    with caplog.at_level(logging.ERROR):
        warming.warm_up([broken, lambda: done.append("next")])
    assert done == ["next"]
    assert "broken" in caplog.text


def test_a_vendor_that_nobody_speaks_through_is_not_loaded(settings, monkeypatch):
    settings.DEFAULT_PROVIDER_CHAIN, settings.EMBEDDING_PROVIDER = ["offline", "gone"], ""
    loaded = []
    monkeypatch.setattr(registry, "make_ready", loaded.append)
    warming.models()
    assert loaded == ["offline"]
