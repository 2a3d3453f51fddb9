"""OpenAI and every server that speaks its format (Ollama, vLLM, Azure, Gemini's compatible endpoint …).

Options of an entry in settings.PROVIDERS: API_KEY, BASE_URL, MODEL, EMBEDDING_MODEL, TRANSCRIPTION_MODEL,
MODERATION_MODEL, CONNECT_TIMEOUT, READ_TIMEOUT, TOTAL_TIMEOUT (seconds), MAX_CONNECTIONS, INSTRUCTION_ROLE
("system"; some chat templates take only "user" after the first message), PICTURES (False for a server that
cannot see). An empty TRANSCRIPTION_MODEL is a server that cannot hear.
API: platform.openai.com/docs/api-reference/chat.
"""

import asyncio
import math
import re
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import chain
from typing import Any

import httpx2
import openai
from openai import AsyncOpenAI, DefaultAioHttpClient

from personas.providers.base import Audio, Delta, Done, Picture, Prompt, ProviderError, Transcription
from personas.providers.counting import note_tokens
from personas.providers.limits import Limits, Patience
from personas.providers.loop_clients import LoopClients
from personas.providers.messages import chat_messages
from personas.providers.openai_errors import FAILURES, as_provider_error
from personas.providers.openai_events import BareStream, Events
from personas.providers.openai_moderation import MODEL as MODERATION_MODEL
from personas.providers.openai_moderation import flagged_in, moderated
from personas.providers.own_voice import OwnVoice

PUBLIC_BASE_URL = "https://api.openai.com/v1"
# The API's limits: inputs of one embeddings request, and (in tokens; here characters, to be safe) its size.
MOST_INPUTS = 2048
MOST_CHARACTERS = 600_000
LONGEST_REPLY = 200_000  # characters; a server that streams on for ever is cut off
USAGE_PATIENCE = 2.0  # seconds to wait for the token counts once the reply itself is whole
# The first pieces are passed on at once. Later ones that come this close together are read together: a page
# is told ten times a second, and each reading costs the process as much as the words in it. The wait grows:
# the end of a short reply, or of one that a fast model gives nearly whole, is hardly waited for.
AT_ONCE, GATHERED_SECONDS = 8, (0.002, 0.01, 0.02, 0.05)
# These models refuse a temperature: platform.openai.com/docs/guides/reasoning
_REASONING = re.compile(r"^(o\d|gpt-5)")
_EXTENSIONS = {
    "audio/mpeg": "mp3",
    "audio/mp4": "m4a",
    "audio/ogg": "ogg",
    "audio/webm": "webm",
    "audio/flac": "flac",
}


@lru_cache(maxsize=1)
def certificates() -> ssl.SSLContext:
    """Those of all authorities, once for all clients: reading them takes a tenth of a second."""
    return httpx2.create_ssl_context()


class OpenAIProvider:
    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        self.name = name
        self._options = options
        self._base_url = str(options.get("BASE_URL") or PUBLIC_BASE_URL)
        self._limits = Limits.from_options(options)
        self._clients: LoopClients[AsyncOpenAI] = LoopClients(self._new_client)

    @staticmethod
    def make_ready() -> None:
        certificates()

    def _new_client(self) -> AsyncOpenAI:
        limits = self._limits
        timeout = httpx2.Timeout(
            connect=limits.connect_seconds,
            read=limits.read_seconds,
            write=limits.read_seconds,
            pool=limits.connect_seconds,
        )
        connections = int(self._options.get("MAX_CONNECTIONS", 1000))
        return AsyncOpenAI(
            # A local server needs no key, but the SDK wants some text.
            api_key=self._options.get("API_KEY") or "none",
            base_url=self._base_url,
            max_retries=0,  # the persona's chain decides what is tried next
            timeout=timeout,
            http_client=DefaultAioHttpClient(
                verify=certificates(),
                timeout=timeout,
                limits=httpx2.Limits(max_connections=connections, max_keepalive_connections=100),
            ),
        )

    async def _client(self) -> AsyncOpenAI:
        try:
            return await self._clients.of_this_loop()
        except (httpx2.InvalidURL, openai.OpenAIError):
            message = "The address of this provider is not a valid URL."
            raise ProviderError("invalid_request", message, retryable=False, provider=self.name) from None

    # --- replies -------------------------------------------------------------------------
    async def stream(self, prompt: Prompt) -> AsyncIterator[Delta | Done]:
        patience = self._limits.start()
        model = prompt.model or str(self._options.get("MODEL", ""))
        events = Events(await self._ask(prompt, model, patience))
        reply = _Reply()
        try:
            while not reply.over and (chunk := await self._next(events, reply, patience)) is not None:
                text = reply.take(chunk)
                try:
                    while not reply.is_whole and (chunk := events.at_hand()) is not None:
                        text += reply.take(chunk)
                finally:  # what came before a broken event is said
                    if text:
                        yield Delta(text)
        except FAILURES as error:
            raise as_provider_error(error, self.name, streaming=True) from None
        finally:
            await events.close()
        if rest := reply.rest():
            yield Delta(rest)
        reply.raise_unless_whole(self.name)
        yield reply.done(self.name, model)

    async def _ask(self, prompt: Prompt, model: str, patience: Patience) -> BareStream:
        client = await self._client()
        most = min(prompt.max_tokens, prompt.plan.max_tokens or prompt.max_tokens)
        body: dict[str, Any] = {
            "model": model,
            "messages": chat_messages(
                prompt,
                instruction_role=self._options.get("INSTRUCTION_ROLE", "system"),
                with_pictures=self._options.get("PICTURES", True),
            ),
            "stream": True,
            "stream_options": {"include_usage": True},
            # OpenAI itself has replaced `max_tokens`; compatible servers know only the old name.
            "max_completion_tokens" if self._base_url == PUBLIC_BASE_URL else "max_tokens": most,
        }
        if not _REASONING.match(model):
            body["temperature"] = prompt.temperature
        if prompt.stop:
            body["stop"] = list(prompt.stop[:4])
        try:
            async with asyncio.timeout_at(patience.ends_at):
                return await client.post(
                    "/chat/completions",
                    body=body,
                    cast_to=object,
                    stream=True,
                    stream_cls=BareStream,
                )
        except FAILURES as error:
            raise as_provider_error(error, self.name) from None

    async def _next(self, events: Events, reply: "_Reply", patience: Patience) -> object:
        """The next chunk, None at the end. After the finish reason nothing can spoil the reply any more."""
        if not reply.finish:
            if reply.is_flowing:
                await asyncio.sleep(reply.next_wait())
            async with asyncio.timeout_at(patience.next_piece_by()):
                return await events.next()
        with suppress(*FAILURES):
            async with asyncio.timeout(USAGE_PATIENCE):
                return await events.next()
        return None

    # --- vectors and speech --------------------------------------------------------------
    async def embed(self, model: str, texts: Sequence[str]) -> list[list[float]]:
        """One vector for each text, in order. Refuses empty texts, of which a model has no idea."""
        if any(not text.strip() for text in texts):
            message = "A text without words has no vector."
            raise ProviderError("invalid_request", message, retryable=False, provider=self.name)
        client = await self._client()
        model = model or str(self._options.get("EMBEDDING_MODEL", ""))
        batches = [await self._embed_batch(client, model, batch) for batch in _batches(texts)]
        return list(chain.from_iterable(batches))

    async def _embed_batch(self, client: AsyncOpenAI, model: str, texts: list[str]) -> list[list[float]]:
        try:
            async with asyncio.timeout_at(self._limits.start().ends_at):
                answer = await client.embeddings.create(model=model, input=texts)
            note_tokens(getattr(getattr(answer, "usage", None), "prompt_tokens", None))
            vectors = {item.index: item.embedding for item in answer.data}
            return _checked_vectors([vectors[index] for index in range(len(texts))])
        except FAILURES as error:
            raise as_provider_error(error, self.name) from None

    async def moderate(self, text: str, picture: Picture | None = None) -> list[str]:
        """The categories in which a text, or a picture beside it, is unfit. Raises ProviderError."""
        client = await self._client()
        model = str(self._options.get("MODERATION_MODEL") or MODERATION_MODEL)
        try:
            answer = await client.post(
                "/moderations", body={"model": model, "input": moderated(text, picture)}, cast_to=object
            )
            return flagged_in(answer)
        except FAILURES as error:
            raise as_provider_error(error, self.name) from None

    async def transcribe(self, audio: Audio) -> Transcription:
        model = str(self._options.get("TRANSCRIPTION_MODEL", "whisper-1"))
        if not model:
            message = "This service does not write speech down."
            raise ProviderError("unsupported", message, retryable=False, provider=self.name)
        client = await self._client()
        if key := str(self._options.get("TRANSCRIPTION_KEY", "")):
            client = client.with_options(api_key=key)
        mime = audio.mime.partition(";")[0].strip()
        filename = f"audio.{_EXTENSIONS.get(mime, 'wav')}"
        # Only whisper tells the language and the length.
        form: Any = "verbose_json" if "whisper" in model else "json"
        try:
            async with asyncio.timeout_at(self._limits.start().ends_at):
                answer: Any = await client.audio.transcriptions.create(
                    model=model, file=(filename, audio.data, mime), response_format=form
                )
            return _transcription(answer, model)
        except FAILURES as error:
            raise as_provider_error(error, self.name) from None


class _Reply:
    """What has come of one reply."""

    def __init__(self) -> None:
        self.finish = ""
        self.over = False  # nothing more is wanted of the stream
        self._chunks = 0
        self._waits = 0
        self._length = 0
        self._usage: Any = None
        self._voice = OwnVoice()

    @property
    def is_whole(self) -> bool:
        """Nothing more can be said in it."""
        return self.over or bool(self.finish)

    @property
    def is_flowing(self) -> bool:
        return self._chunks > AT_ONCE

    def next_wait(self) -> float:
        """Seconds in which more may come."""
        self._waits += 1
        return GATHERED_SECONDS[min(self._waits, len(GATHERED_SECONDS)) - 1]

    def take(self, chunk: object) -> str:
        """The text of a chunk that may be shown. Raises ValueError when the chunk is none."""
        if not isinstance(chunk, dict):
            raise ValueError("a chunk is no object")
        self._chunks += 1
        self._usage = chunk.get("usage") or self._usage
        choices = chunk.get("choices")
        # The chunk with the token counts has no choice: [], null or {}, depending on the server.
        if not choices:
            return ""
        choice = choices[0]
        self.finish = self.finish or str(choice.get("finish_reason") or "")
        return self._text(choice.get("delta") or {})

    def _text(self, delta: dict[str, Any]) -> str:
        if delta.get("refusal"):
            self.finish = self.finish or "content_filter"
        text = delta.get("content") or ""
        if not isinstance(text, str):
            raise ValueError("content is no text")
        self._length += len(text)
        if self._length > LONGEST_REPLY:
            raise ValueError("the reply does not end")
        shown = self._voice.take(text) if text else ""
        self.over = self._voice.ended
        return shown

    def rest(self) -> str:
        # A reply that broke off is not completed by what was held back.
        return self._voice.rest() if self.finish or self._voice.ended else ""

    def raise_unless_whole(self, provider: str) -> None:
        if self.finish == "content_filter":
            message = "The AI service declined to answer this. Other words may help."
            raise ProviderError("content_filter", message, retryable=True, provider=provider)
        if not self._chunks:
            message = "The AI service answered with something that is not a reply."
            raise ProviderError("bad_response", message, retryable=True, provider=provider)
        if not self.finish and not self._voice.ended:
            message = "The reply broke off before its end."
            raise ProviderError("truncated", message, retryable=True, provider=provider)
        if self.finish in ("tool_calls", "function_call"):
            message = "The AI service asked for a tool instead of replying."
            raise ProviderError("bad_response", message, retryable=True, provider=provider)
        if not self._voice.spoke:
            raise ProviderError("empty", "The reply was empty.", retryable=True, provider=provider)

    def done(self, provider: str, model: str) -> Done:
        return Done(
            provider=provider,
            model=model,
            prompt_tokens=_count(self._usage, "prompt_tokens"),
            completion_tokens=_count(self._usage, "completion_tokens"),
            finish="length" if self.finish == "length" else "stop",
        )


def _count(usage: Any, name: str) -> int | None:
    value = usage.get(name) if isinstance(usage, dict) else None
    return value if isinstance(value, int) and value >= 0 else None


def _batches(texts: Sequence[str]) -> list[list[str]]:
    batches: list[list[str]] = []
    room = 0
    for text in texts:
        if not batches or len(batches[-1]) == MOST_INPUTS or len(text) > room:
            batches.append([])
            room = MOST_CHARACTERS
        batches[-1].append(text)
        room -= len(text)
    return batches


def _checked_vectors(vectors: list[list[float]]) -> list[list[float]]:
    """The vectors as they are. Raises ValueError unless they are of one length and finite."""
    sizes = {len(vector) for vector in vectors}
    if len(sizes) != 1 or 0 in sizes or not all(map(math.isfinite, chain.from_iterable(vectors))):
        raise ValueError("not vectors")
    return vectors


def _transcription(answer: Any, model: str) -> Transcription:
    text = getattr(answer, "text", None)
    if not isinstance(text, str):
        raise ValueError("no text")
    duration = getattr(answer, "duration", None)
    return Transcription(
        text=text.strip(),
        model=model,
        language=str(getattr(answer, "language", None) or ""),
        duration_seconds=float(duration) if duration is not None else None,
    )
