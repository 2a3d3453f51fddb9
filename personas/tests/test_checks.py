"""What a wrong setting is told at the start."""

import pytest

from personas.checks import check_providers


def ids():
    return [message.id for message in check_providers()]


def test_the_settings_as_they_are_pass():
    assert ids() == []


def test_a_backend_that_is_not_there(settings):
    settings.PROVIDERS = {**settings.PROVIDERS, "x": {"BACKEND": "personas.providers.nobody.Nobody"}, "y": {}}
    assert ids() == ["personas.E001", "personas.E001"]


def test_a_chain_that_names_nobody(settings):
    settings.DEFAULT_PROVIDER_CHAIN = ["nobody"]
    assert ids() == ["personas.E002"]
    settings.DEFAULT_PROVIDER_CHAIN = []
    assert ids() == ["personas.E002"]


def test_embeddings_of_nobody(settings):
    settings.EMBEDDING_PROVIDER = "nobody"
    assert ids() == ["personas.W003"]


@pytest.mark.parametrize("missing", ["API_KEY", "MODEL"])
def test_lyzr_in_the_chain_but_half_set_up(settings, missing):
    settings.DEFAULT_PROVIDER_CHAIN = ["lyzr", "offline"]
    set_up = {**settings.PROVIDERS["lyzr"], "API_KEY": "sk", "MODEL": "agent"}
    settings.PROVIDERS = {**settings.PROVIDERS, "lyzr": set_up}
    assert ids() == []
    settings.PROVIDERS = {**settings.PROVIDERS, "lyzr": {**set_up, missing: ""}}
    assert ids() == ["personas.W004"]


def test_lyzr_makes_no_vectors(settings):
    settings.EMBEDDING_PROVIDER = "lyzr"
    assert ids() == ["personas.W005"]


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("http://lyzr.example.com", ["personas.W006"]),
        ("https://lyzr.example.com", []),
        ("http://127.0.0.1:9", []),
    ],
)
def test_lyzr_over_plain_http(settings, address, found):
    settings.PROVIDERS = {**settings.PROVIDERS, "lyzr": {**settings.PROVIDERS["lyzr"], "RAG_URL": address}}
    assert ids() == found
