"""What each call of a provider took: for the request that waits, the usage and the budget."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from django.conf import settings
from django.db import DatabaseError

from config.api.metadata import note_model_call
from config.api.models import Account
from config.api.threads import in_database
from personas import budget
from personas.models import Persona
from personas.prices import cost_micro_usd
from personas.providers.base import Audio, Delta, Done, Prompt, Provider, Transcription
from personas.providers.counting import counted
from personas.providers.registry import is_model
from personas.usage import count, count_later

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Spent:
    """What the calls within one `spending()` cost, in millionths of a dollar."""

    micro_usd: int = 0


_spent: ContextVar[Spent | None] = ContextVar("spent", default=None)


@contextmanager
def spending() -> Iterator[Spent]:
    """For whoever wants to know what a piece of work cost, beside the account's usage."""
    spent = Spent()
    token = _spent.set(spent)
    try:
        yield spent
    finally:
        _spent.reset(token)


class Call:
    """One call, from its making to `end`."""

    def __init__(self, name: str, account: Account, persona: Persona | None) -> None:
        self._name, self._account, self._persona = name, account, persona
        self._started = time.perf_counter()
        self._tokens = 0
        self._is_over = False

    def count(self, done: Done) -> "asyncio.Task[None]":
        """The task that writes the usage. `done` is what is known of the call, counts or none."""
        counting = count_later(self._account, self._persona, done)
        if (spent := _spent.get()) is not None:
            spent.micro_usd += cost_micro_usd(done)
        budget.note(self._account, done, counting)
        self._tokens += (done.prompt_tokens or 0) + (done.completion_tokens or 0)
        return counting

    def end(self) -> None:
        """Told to the request's `processing_details`, once; a call that failed was one too."""
        if not self._is_over and is_model(self._name):
            note_model_call(seconds=time.perf_counter() - self._started, tokens=self._tokens)
        self._is_over = True


class MeteredEmbedder:
    """A provider whose vectors are counted, and not made once the account's budget is used up."""

    def __init__(self, inner: Provider, name: str, account: Account) -> None:
        self.name = name
        self._inner, self._account = inner, account

    async def embed(self, model: str, texts: Sequence[str]) -> list[list[float]]:
        if await budget.is_exhausted(self._account):
            error = budget.exhausted()
            error.retryable = True  # documents get their vectors when the day is over
            raise error
        started = time.perf_counter()
        with counted() as tally:
            try:
                return await self._inner.embed(model, texts)
            finally:
                note_model_call(seconds=time.perf_counter() - started, tokens=tally.tokens or 0)
                await self._count(model, tally.tokens)

    async def _count(self, model: str, tokens: int | None) -> None:
        entry = settings.PROVIDERS.get(self.name, {})
        used = model or str(entry.get("EMBEDDING_MODEL", ""))
        try:
            await in_database(count, self._account, None, Done(self.name, used, tokens, 0))
        except DatabaseError:
            # The vectors are worth more than their count.
            log.exception("vectors by %s were not counted", self.name)

    def stream(self, prompt: Prompt) -> AsyncIterator[Delta | Done]:
        return self._inner.stream(prompt)

    async def transcribe(self, audio: Audio) -> Transcription:
        return await self._inner.transcribe(audio)
