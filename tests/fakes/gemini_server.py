"""A local server in Gemini's wire format, so that google-generativeai runs in tests and benches.

    with GeminiServer(Behaviour(reply="Hello there.")) as server:
        ...  # address: server.address; what was asked: server.requests

By itself: python -m tests.fakes.gemini_server --port 9998 --tokens-per-second 50

A stream is one JSON array in pieces, as the vendor sends it to whoever does not ask for `alt=sse`.
Format: ai.google.dev/api/generate-content.
"""

import argparse
import asyncio
import contextlib
import json
import re
from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tests.fakes.http_server import EventStream, HttpServer, Request, send, send_json
from tests.fakes.openai_words import embedding, plausible_reply

STOP, MAX_TOKENS, SAFETY, RECITATION, MALFORMED = 1, 2, 3, 4, 10


class Fault(StrEnum):
    """What goes wrong. Those with a count of tokens strike after `Behaviour.after_tokens` of them."""

    STATUS = "status"  # an HTTP error: Behaviour.status, reason, retry_after, retry_delay
    SILENCE = "silence"  # headers never come
    STALL = "stall"  # tokens, then nothing
    PINGS = "pings"  # tokens, then only white space, which is no answer either
    ERROR_IN_STREAM = "error in stream"  # tokens, then an error object inside the 200 stream
    TRUNCATED = "truncated"  # tokens, half an object, and the connection drops
    RESET = "reset"  # tokens, then the connection is reset
    NO_FINISH = "no finish"  # tokens, then the array ends without a finish reason
    UNFINISHED = "unfinished"  # tokens, then the answer ends, but not the array
    INVALID_JSON = "invalid json"
    INVALID_UTF8 = "invalid utf-8"
    DEEP_JSON = "deep json"
    EMPTY = "empty"  # a finish reason without a word
    BLOCKED_PROMPT = "blocked prompt"  # promptFeedback, and no candidate
    SAFETY = "safety"  # tokens, then that finish reason
    MALFORMED = "malformed"  # a finish reason that is about tools
    DISCONNECT = "disconnect"  # the connection drops before any answer
    NOT_HTTP = "not http"
    HTML = "html"  # a 200 page of some proxy
    REDIRECT = "redirect"
    WRONG_SHAPE = "wrong shape"  # valid JSON that is no reply


@dataclass(frozen=True)
class Behaviour:
    """How one request is answered. `reply` None: words that fit the request (openai_words.py)."""

    reply: str | None = None
    first_token_seconds: float = 0.0
    tokens_per_second: float = 0.0  # 0: as fast as it goes
    fault: Fault | None = None
    after_tokens: int = 3
    status: int = 500
    reason: str = ""
    retry_after: str = ""
    retry_delay: str = ""
    finish: int = STOP
    usage: bool = True
    vectors: list[list[float]] | None = None


class GeminiServer(HttpServer):
    """`behaviour` answers every request; `script(...)` puts others before it, one request each."""

    def __init__(
        self,
        behaviour: Behaviour | None = None,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        transcription: str = "Good morning, this is Ada.",
    ) -> None:
        super().__init__(port=port, host=host)
        self.behaviour = behaviour or Behaviour()
        self.transcription = transcription
        self._script: deque[Behaviour] = deque()

    def script(self, *behaviours: Behaviour) -> None:
        self._script.extend(behaviours)

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        behaviour = self._script.popleft() if self._script else self.behaviour
        if behaviour.fault and await _failed_at_once(behaviour, writer):
            return None
        method = request.path.partition("?")[0].rpartition(":")[2]
        if method == "streamGenerateContent":
            return await _Stream(writer).run(self._words(request.json, behaviour), behaviour)
        if method == "batchEmbedContents":
            texts = [one["content"]["parts"][0]["text"] for one in request.json["requests"]]
            vectors = behaviour.vectors or [embedding(text) for text in texts]
            return send_json(writer, 200, {"embeddings": [{"values": vector} for vector in vectors]})
        return send_json(writer, 404, {"error": {"code": 404, "message": "Unknown", "status": "NOT_FOUND"}})

    def _words(self, body: dict[str, Any], behaviour: Behaviour) -> str:
        if behaviour.reply is not None:
            return behaviour.reply
        if "systemInstruction" not in body:
            return self.transcription
        return plausible_reply(messages_of(body))


def messages_of(body: dict[str, Any]) -> list[dict[str, str]]:
    """A request as chat messages: the last part of the system instruction is what this turn must do."""
    roles = {"user": "user", "model": "assistant"}
    spoken = [
        {"role": roles[content["role"]], "content": part["text"]}
        for content in body["contents"]
        for part in content["parts"]
        if "text" in part
    ]
    return [*spoken, {"role": "system", "content": body["systemInstruction"]["parts"][-1]["text"]}]


class _Stream(EventStream):
    def begin(self) -> None:
        self.writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=UTF-8\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        self._before = "["

    def item(self, body: Any) -> None:
        self.text(json.dumps(body, indent=1))

    def text(self, text: str) -> None:
        self.raw((self._before + text).encode())
        self._before = ",\r\n"

    def token(self, text: str, finish: int = 0) -> None:
        content = {"role": "model", "parts": [{"text": text}]} if text else {"role": "model"}
        candidate = {"index": 0, "content": content, **({"finishReason": finish} if finish else {})}
        self.item({"candidates": [candidate], "modelVersion": "fake"})

    def close(self) -> None:
        self.raw(b"]")
        self.end()

    async def run(self, words: str, behaviour: Behaviour) -> None:
        tokens = re.findall(r"\s*\S+|\s+$", words)
        await asyncio.sleep(behaviour.first_token_seconds)
        self.begin()
        said = tokens[: behaviour.after_tokens] if behaviour.fault else tokens
        for token in said:
            self.token(token)
            if behaviour.tokens_per_second:
                await self.writer.drain()
                await asyncio.sleep(1 / behaviour.tokens_per_second)
        if behaviour.fault:
            await getattr(self, "_" + behaviour.fault.name.lower())()
        else:
            self.token("", behaviour.finish)
            if behaviour.usage:
                self._count(len(tokens))
            self.close()
        await self.writer.drain()

    def _count(self, tokens: int) -> None:
        # With what the model thought: in the total alone.
        usage = {"promptTokenCount": 11, "candidatesTokenCount": tokens, "totalTokenCount": 11 + tokens + 5}
        self.item({"usageMetadata": usage, "modelVersion": "fake"})

    async def _pings(self) -> None:
        self.raw(self._before.strip("\r\n").encode())
        while True:
            self.raw(b" \r\n")
            await self.writer.drain()
            await asyncio.sleep(0.05)

    async def _error_in_stream(self) -> None:
        self.item({"error": {"code": 503, "message": "Overloaded for key-secret", "status": "UNAVAILABLE"}})
        self.close()

    async def _truncated(self) -> None:
        self.writer.write(b'200\r\n,\r\n{"candidates": [{"cont')
        await self.writer.drain()
        self.writer.close()

    async def _no_finish(self) -> None:
        self.close()

    async def _unfinished(self) -> None:
        self.end()

    async def _invalid_json(self) -> None:
        self.text('{"candidates": [,]}')
        self.close()

    async def _invalid_utf8(self) -> None:
        self.raw(b',{"candidates": [{"content": {"parts": [{"text": "\xff\xfe"}]}}]}')
        self.close()

    async def _deep_json(self) -> None:
        self.text('{"candidates": ' + "[" * 20_000 + "]" * 20_000 + "}")
        self.close()

    async def _empty(self) -> None:
        self.token("", STOP)
        self.close()

    async def _blocked_prompt(self) -> None:
        self.item({"promptFeedback": {"blockReason": 1}, "usageMetadata": {"promptTokenCount": 11}})
        self.close()

    async def _safety(self) -> None:
        self.token("", SAFETY)
        self.close()

    async def _malformed(self) -> None:
        self.token("", MALFORMED)
        self.close()

    async def _wrong_shape(self) -> None:
        self.item({"candidates": 17})
        self.close()


async def _failed_at_once(behaviour: Behaviour, writer: asyncio.StreamWriter) -> bool:
    """Plays the faults that come before a stream begins; true when that was the answer."""
    match behaviour.fault:
        case Fault.STATUS:
            _send_status(behaviour, writer)
        case Fault.SILENCE:
            await asyncio.sleep(3600)
        case Fault.DISCONNECT:
            writer.close()
        case Fault.NOT_HTTP:
            writer.write(b"220 mail.example.com ESMTP\r\n")
            await writer.drain()
            writer.close()
        case Fault.HTML:
            page = b"<html><body>Sign in to the Wi-Fi</body></html>"
            send(writer, 200, page, {"Content-Type": "text/html"})
        case Fault.REDIRECT:
            send(writer, 302, b"", {"Location": "http://127.0.0.1:1/"})
        case _:
            return False
    return True


def _send_status(behaviour: Behaviour, writer: asyncio.StreamWriter) -> None:
    details: list[dict[str, Any]] = []
    if behaviour.reason:
        kind = "type.googleapis.com/google.rpc.ErrorInfo"
        details.append({"@type": kind, "reason": behaviour.reason, "domain": "googleapis.com"})
    if behaviour.retry_delay:
        kind = "type.googleapis.com/google.rpc.RetryInfo"
        details.append({"@type": kind, "retryDelay": behaviour.retry_delay})
    error = {"code": behaviour.status, "message": "It failed for key-secret", "details": details}
    extra = {"Retry-After": behaviour.retry_after} if behaviour.retry_after else {}
    send_json(writer, behaviour.status, {"error": error}, extra)


def main() -> None:
    parser = argparse.ArgumentParser(description="A fake server in Gemini's wire format.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9998)
    parser.add_argument("--tokens-per-second", type=float, default=0.0)
    options = parser.parse_args()
    behaviour = Behaviour(tokens_per_second=options.tokens_per_second)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(GeminiServer(behaviour, host=options.host, port=options.port).serve())


if __name__ == "__main__":
    main()
