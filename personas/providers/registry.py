"""From the name of a provider to something that speaks: settings.PROVIDERS, and an account's own keys."""

import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from django.conf import settings
from django.db import DatabaseError
from django.db.models.signals import post_delete, post_save
from django.utils.module_loading import import_string

from config.api.models import Account
from config.api.threads import in_database
from personas.models import LyzrLink, ProviderCredential
from personas.providers.base import (
    Audio,
    Delta,
    Done,
    Picture,
    Prompt,
    Provider,
    ProviderError,
    Transcription,
)

# Each holds its connections; an installation with more vendor keys than this opens some anew.
KEPT_PROVIDERS = 256
OFFLINE = "personas.providers.offline.OfflineProvider"
LYZR = "personas.providers.lyzr.LyzrProvider"


def provider(name: str, *, account: Account | None = None) -> Provider:
    """The provider of that name. Touches neither network nor database, so it may be called anywhere.

    With an account, its own key (ProviderCredential) is looked up at each call and wins over the
    installation's. Raises ProviderError when settings.PROVIDERS has no such name.
    """
    options = _entry(name)
    if account is None or not _may_have_own_key(options):
        return _made(name, options)
    return _OfAccount(name, account)


def is_known(name: str) -> bool:
    return name in settings.PROVIDERS


def is_model(name: str) -> bool:
    """Whether an AI model words what this provider says. False for a name that is not known."""
    return is_known(name) and settings.PROVIDERS[name]["BACKEND"] != OFFLINE


def make_ready(name: str) -> None:
    """Loads what the first call would have to load. Raises ImportError, or KeyError for an unknown name."""
    backend = import_string(settings.PROVIDERS[name]["BACKEND"])
    getattr(backend, "make_ready", lambda: None)()


def address_of(name: str) -> str:
    """Where the installation reaches it; empty for a name that is not known, and for the vendor's own."""
    return str(settings.PROVIDERS.get(name, {}).get("BASE_URL", ""))


def _entry(name: str) -> dict[str, Any]:
    entry: dict[str, Any] | None = settings.PROVIDERS.get(name)
    if entry is None:
        message = f"No provider with the name {name!r} is set up."
        raise ProviderError("invalid_request", message, retryable=False, provider=name)
    return entry


def _may_have_own_key(options: Mapping[str, Any]) -> bool:
    return "API_KEY" in options


def options_of(name: str, account: Account) -> dict[str, Any]:
    """The entry as this account uses it, read from the database. Raises ProviderError."""
    try:
        return _as_used_by(account, _entry(name), _own(name, account))
    except ValueError:
        raise _cannot_be_decrypted(name) from None


@dataclass(frozen=True, slots=True)
class Own:
    """What an account has of its own at a vendor."""

    key: ProviderCredential | None = None
    agent_id: str = ""  # where agents live at the vendor


def _own(name: str, account: Account) -> Own:
    key = ProviderCredential.objects.for_account(account).filter(provider=name).first()
    if settings.PROVIDERS.get(name, {}).get("BACKEND") != LYZR:
        return Own(key)
    agents = LyzrLink.objects.for_account(account).values_list("agent_id", flat=True)
    return Own(key, agents.first() or "")


def _as_used_by(account: Account, entry: Mapping[str, Any], own: Own) -> dict[str, Any]:
    options = dict(entry)
    if "USER_ID" in options:  # the vendor wants to know who asks
        options["USER_ID"] = account.slug
    if own.agent_id:
        options["MODEL"] = own.agent_id
    if own.key is not None:
        options["API_KEY"] = own.key.secret
        options.pop("TRANSCRIPTION_KEY", None)  # that one is the installation's
        # A key goes to the address it was given with, never to another's.
        if own.key.base_url:
            options["BASE_URL"] = own.key.base_url
            if "RAG_URL" in options:
                options["RAG_URL"] = own.key.base_url
    return options


def _cannot_be_decrypted(name: str) -> ProviderError:
    message = "The stored key cannot be decrypted. Give it again."
    return ProviderError("authentication", message, retryable=False, provider=name)


def _made(name: str, options: Mapping[str, Any]) -> Provider:
    return _made_once(name, json.dumps(options, sort_keys=True))


@lru_cache(maxsize=KEPT_PROVIDERS)
def _made_once(name: str, options: str) -> Provider:
    entry = json.loads(options)
    # The vendor's module is imported here, when it is first wanted, and not before.
    backend = import_string(entry["BACKEND"])
    return cast(Provider, backend(name, entry))


class Credentials:
    """What accounts have of their own, remembered for a moment: it is not read for every reply.

    A key that is changed or removed is forgotten at once in this process, and in others when its time is up.
    """

    SECONDS = 3.0
    MOST = 1000

    def __init__(self) -> None:
        self._known: dict[tuple[str, Any], tuple[float, Own]] = {}

    async def of(self, name: str, account: Account) -> Own:
        """Raises what the database and the decryption raise."""
        found = self._known.get((name, account.pk))
        if found is not None and time.monotonic() < found[0]:
            return found[1]
        own = await in_database(_own, name, account)
        if len(self._known) >= self.MOST:
            self._known.clear()
        self._known[name, account.pk] = time.monotonic() + self.SECONDS, own
        return own

    def forget(self, **_signal: Any) -> None:
        self._known.clear()


credentials = Credentials()
for _model in (ProviderCredential, LyzrLink):
    post_save.connect(credentials.forget, sender=_model)
    post_delete.connect(credentials.forget, sender=_model)


class _OfAccount:
    """A provider that speaks with an account's own key where there is one."""

    def __init__(self, name: str, account: Account) -> None:
        self.name = name
        self._account = account

    async def _provider(self) -> Provider:
        own = await self._own()
        return _made(self.name, _as_used_by(self._account, _entry(self.name), own))

    async def _own(self) -> Own:
        try:
            return await credentials.of(self.name, self._account)
        except ValueError:
            raise _cannot_be_decrypted(self.name) from None
        except DatabaseError:
            message = "The database did not answer."
            raise ProviderError("unavailable", message, retryable=True, provider=self.name) from None

    async def stream(self, prompt: Prompt) -> AsyncIterator[Delta | Done]:
        reply = (await self._provider()).stream(prompt)
        async with aclosing(cast(Any, reply)):
            async for part in reply:
                yield part

    async def embed(self, model: str, texts: Sequence[str]) -> list[list[float]]:
        return await (await self._provider()).embed(model, texts)

    async def transcribe(self, audio: Audio) -> Transcription:
        return await (await self._provider()).transcribe(audio)

    async def moderate(self, text: str, picture: Picture | None = None) -> list[str]:
        """Of those that can. Raises ProviderError."""
        moderate = getattr(await self._provider(), "moderate", None)
        if moderate is None:
            message = "This provider moderates nothing."
            raise ProviderError("unsupported", message, retryable=False, provider=self.name)
        return list(await moderate(text, picture))
