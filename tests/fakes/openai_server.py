"""A local server in the OpenAI wire format, so that the real SDK runs in tests, the demo and benches.

    with OpenAIServer(Behaviour(reply="Hello there.")) as server:
        ...  # base URL: server.base_url; what was asked: server.requests

By itself:
    python -m tests.fakes.openai_server --port 9999 --first-token 0.2 --tokens-per-second 50 --tokens 100

It runs on one event loop in a thread of its own and writes to sockets directly, so that 200 streams
of 50 tokens a second cost little beside what is measured. Format: platform.openai.com/docs/api-reference.
"""

import argparse
import asyncio
import contextlib
import json
import re
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tests.fakes.http_server import EventStream, HttpServer, Request, send, send_json
from tests.fakes.openai_moderation import BadInput, judged
from tests.fakes.openai_words import classified, embedding_data, plausible_reply


class Fault(StrEnum):
    """What goes wrong. Those with a count of tokens strike after `Behaviour.after_tokens` of them."""

    STATUS = "status"  # an HTTP error: Behaviour.status, error_code, retry_after
    SILENCE = "silence"  # headers never come
    STALL = "stall"  # tokens, then nothing
    PINGS = "pings"  # tokens, then only SSE comments, which are no answer either
    ERROR_IN_STREAM = "error in stream"  # tokens, then an error object inside the 200 stream
    TRUNCATED = "truncated"  # tokens, half an event, and the connection drops
    RESET = "reset"  # tokens, then the connection is reset
    NO_FINISH = "no finish"  # tokens, then [DONE] without a finish reason
    INVALID_JSON = "invalid json"
    INVALID_UTF8 = "invalid utf-8"
    DEEP_JSON = "deep json"
    EMPTY = "empty"  # a finish reason without a word
    CONTENT_FILTER = "content filter"  # tokens, then that finish reason
    REFUSAL = "refusal"
    DISCONNECT = "disconnect"  # the connection drops before any answer
    NOT_HTTP = "not http"
    HTML = "html"  # a 200 page of some proxy
    WRONG_SHAPE = "wrong shape"  # valid JSON that is not a chunk


@dataclass(frozen=True)
class Behaviour:
    """How one request is answered. `reply` None: words that fit the request (openai_words.py)."""

    reply: str | Callable[[dict[str, Any]], str] | None = None
    first_token_seconds: float = 0.0
    tokens_per_second: float = 0.0  # 0: as fast as it goes
    fault: Fault | None = None
    after_tokens: int = 3
    status: int = 500
    error_code: str | None = None
    retry_after: str | None = None
    finish: str = "stop"
    usage: bool = True
    usage_choices: Any = field(default_factory=list)  # some servers send [] here, some null, some {}
    linger_after_finish: bool = False  # finish reason, then nothing more and no end
    vectors: Callable[[list[str]], list[dict[str, Any]]] = embedding_data


class OpenAIServer(HttpServer):
    """`behaviour` answers every request; `script(...)` puts others before it, one request each."""

    def __init__(
        self,
        behaviour: Behaviour | None = None,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        transcription: str = "Good morning, this is Ada.",
        classify: Callable[[str, list[str]], str] = classified,
    ) -> None:
        super().__init__(port=port, host=host)
        self.behaviour = behaviour or Behaviour()
        self.transcription = transcription
        self.classify = classify
        self._script: deque[Behaviour] = deque()

    # --- for tests -----------------------------------------------------------------------
    @property
    def base_url(self) -> str:
        return f"{self.address}/v1"

    def script(self, *behaviours: Behaviour) -> None:
        self._script.extend(behaviours)

    # --- the endpoints -------------------------------------------------------------------
    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        path = request.path.partition("?")[0]
        if request.method == "GET" and path == "/v1/models":
            return send_json(writer, 200, {"object": "list", "data": [{"id": "fake", "object": "model"}]})
        behaviour = self._script.popleft() if self._script else self.behaviour
        if behaviour.fault and await _failed_at_once(behaviour, writer):
            return None
        if path == "/v1/chat/completions":
            return await self._chat(request.json, behaviour, writer)
        if path == "/v1/embeddings":
            return self._embeddings(request.json, behaviour, writer)
        if path == "/v1/moderations":
            return self._moderation(request.json, writer)
        if path == "/v1/audio/transcriptions":
            return self._transcription(writer)
        return send_json(writer, 404, {"error": {"message": "Unknown path", "code": "not_found"}})

    def _embeddings(self, body: dict[str, Any], behaviour: Behaviour, writer: asyncio.StreamWriter) -> None:
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        if any(not text for text in texts) or len(texts) > 2048:
            error = {"message": "'$.input' is invalid", "type": "invalid_request_error", "code": None}
            return send_json(writer, 400, {"error": error})
        data = behaviour.vectors(texts)
        usage = {"prompt_tokens": sum(len(text.split()) for text in texts), "total_tokens": 0}
        return send_json(
            writer, 200, {"object": "list", "data": data, "model": body["model"], "usage": usage}
        )

    def _moderation(self, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        try:
            found = {"id": "modr-fake", "model": body["model"], "results": [judged(body["input"])]}
        except BadInput as error:
            failure = {"message": str(error), "type": "invalid_request_error"}
            return send_json(writer, 400, {"error": failure})
        return send_json(writer, 200, found)

    def _transcription(self, writer: asyncio.StreamWriter) -> None:
        answer = {"task": "transcribe", "language": "english", "duration": 2.5, "text": self.transcription}
        send_json(writer, 200, answer)

    def _words(self, body: dict[str, Any], behaviour: Behaviour) -> str:
        if callable(behaviour.reply):
            return behaviour.reply(body)
        if behaviour.reply is not None:
            return behaviour.reply
        return plausible_reply(body["messages"], classify=self.classify)

    async def _chat(self, body: dict[str, Any], behaviour: Behaviour, writer: asyncio.StreamWriter) -> None:
        words = self._words(body, behaviour)
        tokens = re.findall(r"\s*\S+|\s+$", words)
        usage = {
            "prompt_tokens": sum(len(str(message["content"]).split()) for message in body["messages"]),
            "completion_tokens": len(tokens),
        }
        usage["total_tokens"] = usage["prompt_tokens"] + usage["completion_tokens"]
        if not body.get("stream"):
            await asyncio.sleep(behaviour.first_token_seconds)
            return send_json(writer, 200, _whole_completion(body["model"], words, behaviour.finish, usage))
        asked = bool((body.get("stream_options") or {}).get("include_usage"))
        stream = _Stream(writer, body["model"], usage if asked and behaviour.usage else None)
        return await stream.run(tokens, behaviour)


class _Stream(EventStream):
    """One server-sent reply, its frames encoded with as little work a token as can be."""

    def __init__(self, writer: asyncio.StreamWriter, model: str, usage: dict[str, int] | None) -> None:
        super().__init__(writer)
        self.usage = usage
        head = {
            "id": "chatcmpl-fake",
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": model,
        }
        self.prefix = json.dumps(head)[:-1] + ', "choices": '
        self.before = self.prefix + '[{"index": 0, "delta": {"content": '
        self.after = '}, "finish_reason": null}]}\n\n'

    def token(self, token: str) -> None:
        self.raw(f"data: {self.before}{json.dumps(token)}{self.after}".encode())

    def choice(self, delta: dict[str, Any], finish: str | None = None) -> None:
        choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
        self.event(self.prefix + json.dumps(choices) + "}")

    async def run(self, tokens: list[str], behaviour: Behaviour) -> None:
        await asyncio.sleep(behaviour.first_token_seconds)
        self.begin()
        self.choice({"role": "assistant", "content": ""})
        strikes = behaviour.fault is not None
        await self.tokens(
            tokens[: behaviour.after_tokens] if strikes else tokens, behaviour.tokens_per_second
        )
        if behaviour.fault and await self.strike(behaviour.fault):
            return
        self.choice({}, behaviour.finish)
        if behaviour.linger_after_finish:
            await self.writer.drain()
            await asyncio.sleep(3600)
        if self.usage:
            self.event(
                self.prefix + json.dumps(behaviour.usage_choices) + f', "usage": {json.dumps(self.usage)}}}'
            )
        self.event("[DONE]")
        self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()

    async def tokens(self, tokens: list[str], per_second: float) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        for number, token in enumerate(tokens):
            self.token(token)
            if not per_second:
                continue
            due += 1 / per_second
            wait = due - loop.time()
            if wait > 0:
                await asyncio.sleep(wait)
            if number % 64 == 63:
                await self.writer.drain()
        await self.writer.drain()

    async def strike(self, fault: Fault) -> bool:
        """True when the answer is over."""
        strike = getattr(self, "_" + fault.name.lower())
        await strike()
        await self.writer.drain()
        return True

    async def _error_in_stream(self) -> None:
        error = {
            "message": "The server had an error. sk-secret",
            "type": "server_error",
            "code": "server_error",
        }
        self.event(json.dumps({"error": error}))
        self.end()

    async def _truncated(self) -> None:
        self.writer.write(b'200\r\ndata: {"id": "chatcmpl-fake", "choi')
        await self.writer.drain()
        self.writer.close()

    async def _no_finish(self) -> None:
        self.event("[DONE]")
        self.end()

    async def _invalid_json(self) -> None:
        self.event('{"choices": [{"index": 0, "delta": {"content": "half')
        self.end()

    async def _invalid_utf8(self) -> None:
        self.raw(b'data: {"choices": [{"index": 0, "delta": {"content": "\xff\xfe"}}]}\n\n')
        self.end()

    async def _deep_json(self) -> None:
        self.event('{"choices": ' + "[" * 100_000 + "]" * 100_000 + "}")
        self.end()

    async def _wrong_shape(self) -> None:
        self.event('{"choices": [{"index": 0, "delta": {"content": 17}, "finish_reason": null}]}')
        self.choice({}, "stop")
        self.end()

    async def _empty(self) -> None:
        self.choice({}, "stop")
        self.end()

    async def _content_filter(self) -> None:
        self.choice({}, "content_filter")
        self.end()

    async def _refusal(self) -> None:
        self.choice({"refusal": "I cannot help with that."})
        self.choice({}, "stop")
        self.end()


async def _failed_at_once(behaviour: Behaviour, writer: asyncio.StreamWriter) -> bool:
    """Plays the faults that come before a stream begins; true when that was the answer."""
    match behaviour.fault:
        case Fault.STATUS:
            error = {"message": "It failed for sk-secret", "type": "fake", "code": behaviour.error_code}
            extra = {"Retry-After": behaviour.retry_after} if behaviour.retry_after else {}
            send_json(writer, behaviour.status, {"error": error}, extra)
        case Fault.SILENCE:
            await asyncio.sleep(3600)
        case Fault.DISCONNECT:
            writer.close()
        case Fault.NOT_HTTP:
            writer.write(b"220 mail.example.com ESMTP\r\n")
            await writer.drain()
            writer.close()
        case Fault.HTML:
            send(
                writer, 200, b"<html><body>Sign in to the Wi-Fi</body></html>", {"Content-Type": "text/html"}
            )
        case _:
            return False
    return True


def _whole_completion(model: str, words: str, finish: str, usage: dict[str, int]) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": words}, "finish_reason": finish}
    return {
        "id": "chatcmpl-fake",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [choice],
        "usage": usage,
    }


@contextlib.contextmanager
def refused_base_url() -> Iterator[str]:
    """An address where nothing listens, and nothing will while this lasts."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}/v1"


def main() -> None:
    parser = argparse.ArgumentParser(description="A fake server in the OpenAI wire format.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9999)
    parser.add_argument("--first-token", type=float, default=0.0, help="seconds before the first token")
    parser.add_argument("--tokens-per-second", type=float, default=0.0)
    parser.add_argument("--tokens", type=int, default=0, help="0: words that fit the request")
    options = parser.parse_args()
    behaviour = Behaviour(
        reply=" ".join(f"word{number}" for number in range(options.tokens)) if options.tokens else None,
        first_token_seconds=options.first_token,
        tokens_per_second=options.tokens_per_second,
    )
    server = OpenAIServer(behaviour, host=options.host, port=options.port)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(server.serve())


if __name__ == "__main__":
    main()
