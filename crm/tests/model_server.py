"""A model for the personas of a test: the real SDK against a local server of the vendor's format."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from personas import budget
from personas.breaker import breaker
from tests.fakes.openai_server import Behaviour, OpenAIServer


@contextmanager
def model_server(
    settings: Any, reply: str, *, transcription: str = "", **options: Any
) -> Iterator[OpenAIServer]:
    """Provider `openai` is a server that says `reply`; `options` are of its entry in settings.PROVIDERS.

    What broke in the test before is forgotten, and so is what breaks in this one.
    """
    _forget()
    heard = {"transcription": transcription} if transcription else {}
    with OpenAIServer(Behaviour(reply=reply), **heard) as server:
        own = {"API_KEY": "sk-of-the-installation", "BASE_URL": server.base_url, "MODEL": "fake-model"}
        entry = {**settings.PROVIDERS["openai"], **own, "CONNECT_TIMEOUT": 3, **options}
        settings.PROVIDERS = {**settings.PROVIDERS, "openai": entry}
        yield server
    _forget()


def _forget() -> None:
    breaker.forget()
    budget.forget()
