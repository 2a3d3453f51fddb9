"""What crm's tests share."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from channels.layers import get_channel_layer

from crm import moderation
from personas.providers.base import Delta, Done
from tests.user_tokens import ISSUER, SECRET


@pytest.fixture
async def flushed_layer() -> AsyncIterator[None]:
    """The channel layer's connections end with the test's event loop."""
    yield
    layer = get_channel_layer()
    if layer is not None:
        async with asyncio.timeout(5):
            await layer.flush()


@pytest.fixture
def endless_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """A persona that speaks until it is stopped: whatever the machine's load, its reply is not over yet."""

    async def speak(*_persona_and_prompt: object, **_account: object) -> AsyncIterator[Delta | Done]:
        while True:
            yield Delta("word ")
            await asyncio.sleep(0.005)

    monkeypatch.setattr("personas.speaking.speak", speak)


@pytest.fixture
def signed_tokens(settings: Any) -> None:
    """Tokens of tests/user_tokens.py are of users of account `default`."""
    settings.JWT_SECRET_KEY = SECRET
    settings.JWT_ISSUERS = {ISSUER: "default", "https://other.example": "other"}


@pytest.fixture(autouse=True)
def _rules_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is: what a turn costs does not depend on when rules were read last."""
    moderation.forget()
    monkeypatch.setattr(moderation, "KEPT_SECONDS", 600.0)


@pytest.fixture
def requests_beside_each_other(settings: Any) -> None:
    """WhiteNoise's own middleware would run one request after the other in a test, each to its end."""
    ours = "config.api.static_files.StaticFilesMiddleware"
    settings.MIDDLEWARE = [ours if "whitenoise" in name else name for name in settings.MIDDLEWARE]
