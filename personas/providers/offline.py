"""Speaking without a model: the plan's own words, and answers quoted from the sources.

A real mode for people who want no model, not a stand-in; it needs no key and no network.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext

from personas.providers.base import Act, Audio, Delta, Done, Prompt, ProviderError, Transcription
from personas.providers.extractive import best_quotes

WORD_SECONDS = 0.012  # a quick, even pace; option WORD_SECONDS


class OfflineProvider:
    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        self.name = name
        self._word_seconds = float(options.get("WORD_SECONDS", 0 if settings.TESTING else WORD_SECONDS))

    async def stream(self, prompt: Prompt) -> AsyncIterator[Delta | Done]:
        words = self._words(prompt)
        if not words:
            raise ProviderError("empty", "There is nothing to say.", retryable=False, provider=self.name)
        for word in re.findall(r"\s*\S+\s*$|\s*\S+", words):
            yield Delta(word)
            await asyncio.sleep(self._word_seconds)
        yield Done(provider=self.name, model="")

    def _words(self, prompt: Prompt) -> str:
        if prompt.plan.act is not Act.ANSWER or not (prompt.sources or not prompt.plan.say):
            return prompt.plan.say.strip()
        if cited := cited_answer(prompt):
            return cited + _unseen(prompt)
        return prompt.plan.say.strip() or _not_in_the_sources(prompt.language) + _unseen(prompt)

    async def embed(self, model: str, texts: Sequence[str]) -> list[list[float]]:
        raise ProviderError(
            "unsupported", "There are no vectors without a model.", retryable=False, provider=self.name
        )

    async def transcribe(self, audio: Audio) -> Transcription:
        message = "Speech cannot be written down without a model."
        raise ProviderError("unsupported", message, retryable=False, provider=self.name)


def cited_answer(prompt: Prompt) -> str:
    """Quotes with their numbers, like `It is slow. [2]`; empty when the sources do not answer."""
    question = next((turn.text for turn in reversed(prompt.turns) if turn.role == "user"), prompt.plan.search)
    return " ".join(f"{quote.text} [{quote.number}]" for quote in best_quotes(question, prompt.sources))


def _unseen(prompt: Prompt) -> str:
    """Of a picture or a recording that came with the question. A plan's own words say it themselves."""
    asked = next((turn for turn in reversed(prompt.turns) if turn.role == "user"), None)
    if asked is None or not (asked.pictures or asked.audio):
        return ""
    with translation.override(prompt.language):
        if asked.pictures:
            return "\n\n" + gettext("(No AI model is connected here, so I cannot look at pictures.)")
        return "\n\n" + gettext("(No AI model is connected here, so I cannot listen to recordings.)")


def _not_in_the_sources(language: str) -> str:
    with translation.override(language):
        return gettext("That is not in the sources.")
