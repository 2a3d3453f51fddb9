"""Gemini for the tests of any app: the fake server, reached by the real SDK."""

import pytest

from tests.fakes.gemini_server import GeminiServer


@pytest.fixture
def gemini():
    with GeminiServer() as running:
        yield running


@pytest.fixture
def gemini_settings(gemini, settings):
    settings.PROVIDERS = {
        **settings.PROVIDERS,
        "gemini": {
            "BACKEND": "personas.providers.gemini.GeminiProvider",
            "API_KEY": "key-secret-of-the-installation",
            "BASE_URL": gemini.address,
            "MODEL": "gemini-fake",
            "EMBEDDING_MODEL": "embedding-fake",
            "CONNECT_TIMEOUT": 3,
            "READ_TIMEOUT": 0.8,
            "TOTAL_TIMEOUT": 10,
        },
    }
    return settings
