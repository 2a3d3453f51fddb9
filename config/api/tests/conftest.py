import pytest
from django.test import AsyncClient, Client

from config.api import throttling


@pytest.fixture
def client():
    """Answers as a server would: an exception in a view is a 500, not a failed test."""
    return Client(raise_request_exception=False)


@pytest.fixture
def async_client():
    return AsyncClient(raise_request_exception=False)


@pytest.fixture
def no_redis(settings, tmp_path, monkeypatch):
    """A Redis that is away: nothing listens on the socket."""
    settings.REDIS_URL = f"unix://{tmp_path}/nobody.sock"
    monkeypatch.setattr(throttling._Rest, "until", 0.0)
    monkeypatch.setattr(throttling, "_local", throttling._LocalCounters())
