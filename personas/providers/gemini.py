"""Gemini by google-generativeai: text, pictures, recordings and vectors.

Options of an entry in settings.PROVIDERS: API_KEY, BASE_URL (another host), MODEL, EMBEDDING_MODEL,
TRANSCRIPTION_MODEL, MAX_TOKENS (of one reply), TEMPERATURE (instead of the persona's), THINKING_TOKENS (room
for what a model thinks before it speaks, which the vendor counts as part of the reply), CONNECT_TIMEOUT,
READ_TIMEOUT, TOTAL_TIMEOUT (seconds). API: ai.google.dev/api/generate-content.
"""

import math
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing
from functools import cached_property
from typing import TYPE_CHECKING, Any

from personas.providers.base import Audio, Delta, Done, Prompt, ProviderError, Transcription
from personas.providers.counting import note_tokens
from personas.providers.failures import failure
from personas.providers.gemini_errors import as_provider_error
from personas.providers.gemini_pieces import MAX_TOKENS, Piece, Reply
from personas.providers.gemini_prompt import contents_of, system_of, transcription_contents
from personas.providers.gemini_threads import answer, pieces
from personas.providers.limits import Limits

if TYPE_CHECKING:
    from personas.providers.gemini_sdk import GeminiSdk

MOST_INPUTS = 100  # of one request for vectors
LONGEST_TRANSCRIPT = 8192  # tokens


class GeminiProvider:
    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        self.name = name
        self._options = options
        self._limits = Limits.from_options(options)

    @cached_property
    def _sdk(self) -> "GeminiSdk":
        """Made on a thread of the pool: the import alone takes more than a second."""
        from personas.providers.gemini_sdk import GeminiSdk

        timeout = self._limits.connect_seconds, self._limits.read_seconds
        return GeminiSdk(
            str(self._options.get("BASE_URL") or ""), str(self._options.get("API_KEY") or ""), timeout
        )

    # --- replies -------------------------------------------------------------------------
    async def stream(self, prompt: Prompt) -> AsyncIterator[Delta | Done]:
        model = prompt.model or str(self._options.get("MODEL", ""))
        request = {
            "model": _resource(model),
            "system_instruction": {"parts": system_of(prompt)},
            "contents": contents_of(prompt),
            "generation_config": self._generation(prompt),
        }
        reply = Reply(self.name)
        async with aclosing(self._pieces(request, reply)) as texts:
            async for text in texts:
                yield Delta(text)
        if rest := reply.rest():
            yield Delta(rest)
        reply.raise_unless_whole()
        yield Done(
            provider=self.name,
            model=model,
            prompt_tokens=reply.prompt_tokens,
            completion_tokens=reply.completion_tokens,
            finish="length" if reply.finish == MAX_TOKENS else "stop",
        )

    def _generation(self, prompt: Prompt) -> dict[str, Any]:
        most = min(prompt.max_tokens, prompt.plan.max_tokens or prompt.max_tokens)
        most = min(most, int(self._options.get("MAX_TOKENS") or most))
        own = self._options.get("TEMPERATURE")
        config: dict[str, Any] = {
            "temperature": prompt.temperature if own is None else float(own),
            "max_output_tokens": most + int(self._options.get("THINKING_TOKENS") or 0),
        }
        if prompt.stop:
            config["stop_sequences"] = list(prompt.stop[:5])
        return config

    async def _pieces(self, request: Mapping[str, Any], reply: Reply) -> AsyncGenerator[str, None]:
        """What may be shown of the reply, as it comes. Raises ProviderError."""
        began = False

        def work() -> Iterator[Piece]:
            return self._sdk.stream(request)

        try:
            async with aclosing(pieces(work, self._limits.start())) as arriving:
                async for piece in arriving:
                    began = True
                    if text := reply.take(piece):
                        yield text
                    if reply.over:
                        return
        except ProviderError:
            raise
        except Exception as error:  # the SDK and its transport raise many things
            raise as_provider_error(error, self.name, streaming=began) from None

    # --- vectors and speech --------------------------------------------------------------
    async def embed(self, model: str, texts: Sequence[str]) -> list[list[float]]:
        """One vector for each text, in order. Refuses empty texts, of which a model has no idea."""
        if any(not text.strip() for text in texts):
            raise failure("invalid_request", self.name, message="A text without words has no vector.")
        resource = _resource(model or str(self._options.get("EMBEDDING_MODEL", "")))
        vectors: list[list[float]] = []
        for start in range(0, len(texts), MOST_INPUTS):
            vectors += await self._embedded(resource, list(texts[start : start + MOST_INPUTS]))
        if len({len(vector) for vector in vectors}) > 1:
            raise failure("bad_response", self.name)
        return vectors

    async def _embedded(self, model: str, texts: list[str]) -> list[list[float]]:
        try:
            found = await answer(lambda: self._sdk.embed(model, texts), self._limits.start())
        except Exception as error:  # the SDK and its transport raise many things
            raise as_provider_error(error, self.name, streaming=False) from None
        if len(found) != len(texts) or not all(one and all(map(math.isfinite, one)) for one in found):
            raise failure("bad_response", self.name)
        return found

    async def transcribe(self, audio: Audio) -> Transcription:
        model = str(self._options.get("TRANSCRIPTION_MODEL") or self._options.get("MODEL", ""))
        request = {
            "model": _resource(model),
            "contents": transcription_contents(audio),
            "generation_config": {"temperature": 0.0, "max_output_tokens": LONGEST_TRANSCRIPT},
        }
        reply = Reply(self.name, raw=True)
        async with aclosing(self._pieces(request, reply)) as texts:
            text = "".join([text async for text in texts])
        reply.raise_unless_whole()
        note_tokens(reply.prompt_tokens)
        note_tokens(reply.completion_tokens)
        return Transcription(text=text.strip(), model=model)


def _resource(model: str) -> str:
    return model if "/" in model else f"models/{model}"
