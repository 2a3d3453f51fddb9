"""What a wrong setting is told at the start."""

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
