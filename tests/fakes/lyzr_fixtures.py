"""For tests of every layer: Lyzr as a local server, and an installation that uses it."""

import pytest

from tests.fakes.lyzr_server import LyzrServer


@pytest.fixture
def lyzr():
    with LyzrServer() as running:
        yield running


@pytest.fixture
def lyzr_settings(lyzr, settings):
    """An installation with Lyzr: the fake server, reached by the real client."""
    settings.PROVIDERS = {
        **settings.PROVIDERS,
        "lyzr": {
            "BACKEND": "personas.providers.lyzr.LyzrProvider",
            "API_KEY": "sk-of-the-installation",
            "BASE_URL": lyzr.address,
            "RAG_URL": lyzr.address,
            "MODEL": "agent-of-the-installation",
            "USER_ID": "",
            "CONNECT_TIMEOUT": 3,
            "READ_TIMEOUT": 0.8,
            "TOTAL_TIMEOUT": 3,
        },
    }
    return settings
