"""A local server in Lyzr's wire format: agents, talks with their memory, knowledge bases, and its faults.

    with LyzrServer() as lyzr:
        ...  # address: lyzr.address (both hosts in one); lyzr.agents, lyzr.bases, lyzr.sessions

There is no official specification: paths, fields and the form of streams are those that public clients of
the service use. It takes any key but those in `refused_keys`, and keeps things for all keys together.
"""

import asyncio
import html
import json
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from email.parser import BytesParser
from email.policy import HTTP
from enum import StrEnum
from typing import Any
from urllib.parse import unquote

from tests.fakes.http_server import EventStream, HttpServer, Request, send, send_json
from tests.fakes.openai_words import plausible_reply

CREATED_AT = "2026-11-20T17:25:31.186000"
SECRET = "sk-lyzr-secret"  # in every error of the vendor: it must never be seen on our side


class Fault(StrEnum):
    """What goes wrong. Those of streams strike after `Behaviour.after_tokens` tokens."""

    STATUS = "status"  # an HTTP error: Behaviour.status, retry_after
    SILENCE = "silence"  # headers never come
    DISCONNECT = "disconnect"  # the connection drops before anything is done
    LOST_ANSWER = "lost answer"  # it is done, and then the connection drops
    NOT_HTTP = "not http"
    HTML = "html"  # a 200 page of some proxy
    WRONG_SHAPE = "wrong shape"  # JSON of another shape than the documented
    REDIRECT = "redirect"  # to somewhere that must never see the key
    STALL = "stall"
    PINGS = "pings"
    ERROR_IN_STREAM = "error in stream"  # data: [ERROR] …
    ERROR_OBJECT = "error object"  # data: {"error": …}
    TRUNCATED = "truncated"
    RESET = "reset"
    NO_DONE = "no done"
    INVALID_UTF8 = "invalid utf-8"
    ENDLESS_LINE = "endless line"


@dataclass(frozen=True)
class Behaviour:
    """How one request is answered. `reply` None: words that fit the request (openai_words.py)."""

    reply: str | Callable[[dict[str, Any]], str] | None = None
    field: str = "response"  # of a whole answer; programs of others know `agent_response`
    as_objects: bool = False  # tokens as {"content": …} in place of plain text
    tokens: tuple[str, ...] | None = None  # values of `data:` lines, exactly
    tokens_per_second: float = 0.0
    fault: Fault | None = None
    after_tokens: int = 3
    status: int = 500
    retry_after: str | None = None


class LyzrServer(HttpServer):
    """`script(...)` tells how the next requests are answered; `script_for(part, …)` those of one path."""

    def __init__(self, behaviour: Behaviour | None = None, *, port: int = 0, host: str = "127.0.0.1") -> None:
        super().__init__(port=port, host=host)
        self.behaviour = behaviour or Behaviour()
        self.refused_keys: set[str] = set()
        self.agents: dict[str, dict[str, Any]] = {}
        self.bases: dict[str, dict[str, Any]] = {}  # name, and what was trained as `documents`
        self.sessions: dict[str, Any] = {}
        self._script: deque[Behaviour] = deque()
        self._script_for: dict[str, deque[Behaviour]] = {}

    def script(self, *behaviours: Behaviour) -> None:
        self._script.extend(behaviours)

    def script_for(self, part: str, *behaviours: Behaviour) -> None:
        """For requests whose path holds `part`."""
        self._script_for.setdefault(part, deque()).extend(behaviours)

    def asked(self, part: str) -> list[Request]:
        """The requests whose path holds `part`."""
        return [request for request in self.requests if part in request.path]

    def _next_behaviour(self, path: str) -> Behaviour:
        for part, waiting in self._script_for.items():
            if part in path and waiting:
                return waiting.popleft()
        return self._script.popleft() if self._script else self.behaviour

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        behaviour = self._next_behaviour(request.path)
        if behaviour.fault and await _failed_at_once(behaviour, writer):
            return None
        if not (key := request.headers.get("x-api-key")) or key in self.refused_keys:
            return send_json(writer, 401, {"detail": f"Invalid API key {key} {SECRET}"})
        path = request.path.partition("?")[0]
        if path == "/v3/inference/stream/":
            return await _Stream(writer).run(*self._spoken(request.json, behaviour), behaviour)
        status, answer = self._done(request, path, behaviour)
        if behaviour.fault is Fault.LOST_ANSWER:
            return writer.close()
        return send_json(writer, status, answer)

    def _done(self, request: Request, path: str, behaviour: Behaviour) -> tuple[int, Any]:
        segments = tuple(unquote(segment) for segment in path.strip("/").split("/"))
        match request.method, segments:
            case "POST", ("v3", "inference", "chat"):
                words, _ = self._spoken(request.json, behaviour)
                return 200, {behaviour.field: words, "module_outputs": {}}
            case "GET", ("v1", "sessions", session_id, "history"):
                found = self.sessions.get(session_id)
                return (200, found) if found is not None else (404, {"detail": "Session not found"})
            case "POST", ("v3", "agents", "template", "single-task"):
                agent_id = f"agent{len(self.agents) + 1:019d}"
                self.agents[agent_id] = request.json
                return 200, {"agent_id": agent_id}
            case "PUT", ("v3", "agents", "template", "single-task", agent_id) if agent_id in self.agents:
                self.agents[agent_id] = request.json
                return 200, {"message": "Agent updated successfully"}
        return self._of_a_base(request, segments)

    def _of_a_base(self, request: Request, segments: tuple[str, ...]) -> tuple[int, Any]:
        match request.method, segments:
            case "POST", ("v3", "rag"):
                rag_id = f"rag{len(self.bases) + 1:021d}"
                self.bases[rag_id] = {**request.json, "documents": []}
                return 200, {"id": rag_id}
            case "POST", ("v3", "parse", "pdf"):
                return _parsed(request)
            case "POST", ("v3", "rag", "train", rag_id) if rag_id in self.bases:
                self.bases[rag_id]["documents"] += json.loads(request.body)
                return 200, {"message": "RAG trained successfully"}
            case "GET", ("v3", "rag", "documents", rag_id) if rag_id in self.bases:
                return 200, sorted({each["source"] for each in self.bases[rag_id]["documents"]})
            case "DELETE", ("v3", "rag", rag_id, "docs") if rag_id in self.bases:
                names = json.loads(request.body)
                kept = [each for each in self.bases[rag_id]["documents"] if each["source"] not in names]
                self.bases[rag_id]["documents"] = kept
                return 200, {"message": "Documents deleted successfully"}
        return 404, {"detail": f"Not found for {SECRET}"}

    def _spoken(self, body: dict[str, Any], behaviour: Behaviour) -> tuple[str, list[str]]:
        """The words, and as tokens. What was said stays in the session."""
        words = _words(body, behaviour)
        said = self.sessions.setdefault(body["session_id"], [])
        for role, content in (("user", body["message"]), ("assistant", words)):
            said.append({"role": role, "content": content, "created_at": CREATED_AT})
        return words, re.findall(r"\s*\S+|\s+$", words)


def _words(body: dict[str, Any], behaviour: Behaviour) -> str:
    if callable(behaviour.reply):
        return behaviour.reply(body)
    if behaviour.reply is not None:
        return behaviour.reply
    # What people said is data between marks: an agent takes no orders from it.
    message = body["message"]
    ours = re.sub(r"<(person|you)-([0-9a-f]{8})>\n.*?\n</\1-\2>", "", message, flags=re.DOTALL)
    return plausible_reply([{"role": "system", "content": ours}, {"role": "user", "content": message}])


def _parsed(request: Request) -> tuple[int, Any]:
    """Two parts of a PDF, named like the file that was sent."""
    form = _form(request)
    file = form.get("file")
    if file is None or not file[1].startswith(b"%PDF"):
        return 400, {"detail": f"Not a PDF, {SECRET}"}
    if form["data_parser"][1] not in (b"pypdf", b"llmsherpa", b"pymupdf", b"unstructured"):
        return 422, {"detail": "data_parser"}
    about = {"source": f"storage/{file[0]}", "extra_info": json.loads(form["extra_info"][1])}
    return 200, {"documents": [{"text": f"Part {number} of {file[0]}", **about} for number in (1, 2)]}


def _form(request: Request) -> dict[str, tuple[str, bytes]]:
    """Field → file name and content."""
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    message = BytesParser(policy=HTTP).parsebytes(head + request.body)
    found = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        found[str(name)] = (part.get_filename() or "", part.get_payload(decode=True))
    return found


class _Stream(EventStream):
    """One streamed reply: a line for each token, in the vendor's escapes."""

    def token(self, token: str, behaviour: Behaviour) -> None:
        if behaviour.as_objects:
            return self.event(json.dumps({"content": token, "metadata": None}))
        return self.event(html.escape(token).replace("\n", "\\n"))

    async def run(self, words: str, tokens: list[str], behaviour: Behaviour) -> None:
        self.begin()
        if behaviour.tokens is not None:
            for value in behaviour.tokens:
                self.event(value)
        else:
            for token in tokens[: behaviour.after_tokens] if behaviour.fault else tokens:
                self.token(token, behaviour)
                if behaviour.tokens_per_second:
                    await self.writer.drain()
                    await asyncio.sleep(1 / behaviour.tokens_per_second)
        if behaviour.fault:
            await getattr(self, "_" + behaviour.fault.name.lower())()
        else:
            self.event("[DONE]")
            self.end()
        await self.writer.drain()

    async def _error_in_stream(self) -> None:
        self.event(f"[ERROR] The model failed for {SECRET}")
        self.end()

    async def _error_object(self) -> None:
        self.event(json.dumps({"error": f"The model failed for {SECRET}"}))
        self.end()

    async def _truncated(self) -> None:
        self.writer.write(b"200\r\ndata: half a to")
        await self.writer.drain()
        self.writer.close()

    async def _no_done(self) -> None:
        self.end()

    async def _invalid_utf8(self) -> None:
        self.raw(b"data: \xff\xfe\n\n")
        self.end()

    async def _endless_line(self) -> None:
        self.raw(b"data: ")
        for _ in range(40):
            self.raw(b"x" * 100_000)
            await self.writer.drain()


async def _failed_at_once(behaviour: Behaviour, writer: asyncio.StreamWriter) -> bool:
    """Plays the faults that come before any work; true when that was the answer."""
    match behaviour.fault:
        case Fault.STATUS:
            extra = {"Retry-After": behaviour.retry_after} if behaviour.retry_after else {}
            send_json(writer, behaviour.status, {"detail": f"It failed for {SECRET}"}, extra)
        case Fault.SILENCE:
            await asyncio.sleep(3600)
        case Fault.DISCONNECT:
            writer.close()
        case Fault.NOT_HTTP:
            writer.write(b"220 mail.example.com ESMTP\r\n")
            await writer.drain()
            writer.close()
        case Fault.HTML:
            send(writer, 200, b"<html><body>Sign in</body></html>", {"Content-Type": "text/html"})
        case Fault.WRONG_SHAPE:
            send_json(writer, 200, {"detail": "something else"})
        case Fault.REDIRECT:
            send(writer, 307, b"", {"Location": "http://127.0.0.1:9/steal"})
        case _:
            return False
    return True
