import pytest

from personas import budget, own_keys
from personas.breaker import breaker
from tests.fakes.openai_server import OpenAIServer


@pytest.fixture
def server():
    with OpenAIServer() as running:
        yield running


@pytest.fixture(autouse=True)
def _rested_breaker():
    breaker.forget()


@pytest.fixture(autouse=True)
def _nothing_remembered_of_accounts():
    own_keys.forget()
    yield
    budget.forget()


@pytest.fixture
def openai_settings(server, settings):
    """An installation with a model: the fake server, reached by the real SDK."""
    settings.PROVIDERS = {
        **settings.PROVIDERS,
        "openai": {
            "BACKEND": "personas.providers.openai.OpenAIProvider",
            "API_KEY": "sk-of-the-installation",
            "BASE_URL": server.base_url,
            "MODEL": "fake-model",
            "EMBEDDING_MODEL": "fake-embedding",
            "CONNECT_TIMEOUT": 3,
            "READ_TIMEOUT": 0.8,
            "TOTAL_TIMEOUT": 10,
            "PRICES": {"fake-model": [1.0, 2.0]},
        },
    }
    settings.DEFAULT_PROVIDER_CHAIN = ["openai", "offline"]
    return settings
