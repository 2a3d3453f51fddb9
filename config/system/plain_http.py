"""Runs the WSGI side of Django inside an ASGI server, on a bounded pool of threads.

Under ASGI each request of a synchronous view pays for a thread of its own and for context switches in
every middleware. Here a request is one job on one pool thread, and its answer one message back. a2wsgi
does the like, but hands over each piece of an answer by itself, and a client that leaves in the
middle of a long answer blocks its thread for ever (bench/http.py has the figures).
"""

import asyncio
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import IO, Any

Scope = dict[str, Any]
Receive = Callable[[], Any]
Send = Callable[[dict[str, Any]], Any]
Headers = list[tuple[bytes, bytes]]

MEMORY_BYTES = 1_048_576  # of a body; more goes to a temporary file
READING = ("GET", "HEAD")
SEND_TIMEOUT = 60  # seconds that a piece of a streamed answer may wait for the event loop


@dataclass(frozen=True, slots=True)
class Whole:
    """An answer that was complete when its view returned."""

    status: int
    headers: Headers
    body: bytes


class PlainHttp:
    """An ASGI application around a WSGI one. More than `most_waiting` requests at once get a 503.

    What is read at the paths `at_once` is answered on the event loop itself. Their views wait for nothing, a
    database least of all: Django refuses that there.
    """

    def __init__(
        self,
        application: Callable[..., Iterable[bytes]],
        *,
        threads: int,
        most_waiting: int = 1000,
        at_once: Collection[str] = (),
    ) -> None:
        self.application = application
        self.at_once = frozenset(at_once)
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="web")
        self.most_waiting = most_waiting
        self.inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.inside >= self.most_waiting:
            await refuse(send)
            return
        self.inside += 1
        try:
            await self.answer(scope, receive, send)
        finally:
            self.inside -= 1

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await whole_body(receive)
        if body is None:  # the client left
            return
        loop = asyncio.get_running_loop()
        exchange = Exchange(self.application, environ_of(scope, body), loop, receive, send)
        try:
            if scope["path"] in self.at_once and scope["method"] in READING:
                whole = exchange.run()
            else:
                whole = await loop.run_in_executor(self.pool, exchange.run)
        finally:
            exchange.leave()
        if whole is not None:
            await send({"type": "http.response.start", "status": whole.status, "headers": whole.headers})
            await send({"type": "http.response.body", "body": whole.body})


async def refuse(send: Send) -> None:
    headers = [(b"content-type", b"application/json"), (b"retry-after", b"1")]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send(
        {
            "type": "http.response.body",
            "body": b'{"detail": "Too many requests at once. Try again in a second."}',
        }
    )


async def whole_body(receive: Receive) -> IO[bytes] | None:
    """The request's body, in memory or, when large, in a file. None when the client left before its end."""
    body: IO[bytes] = tempfile.SpooledTemporaryFile(MEMORY_BYTES)  # noqa: SIM115 (closed by the exchange)
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            body.close()
            return None
        body.write(message.get("body", b""))
        if not message.get("more_body"):
            body.seek(0)
            return body


@dataclass(slots=True)
class Exchange:
    """One request on its pool thread."""

    application: Callable[..., Iterable[bytes]]
    environ: dict[str, Any]
    loop: asyncio.AbstractEventLoop
    receive: Receive
    send: Send
    status: int = 500
    headers: Headers = field(default_factory=list)
    left: threading.Event = field(default_factory=threading.Event)
    watch: "asyncio.Task[None] | None" = None

    def run(self) -> Whole | None:
        """The whole answer; None when it was streamed from here."""
        try:
            response = self.application(self.environ, self.start_response)
            try:
                if not getattr(response, "streaming", True):
                    return Whole(self.status, self.headers, b"".join(response))
                self.stream(response)
                return None
            finally:
                close = getattr(response, "close", None)
                if close:
                    close()
        finally:
            self.environ["wsgi.input"].close()

    def start_response(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        self.status = int(status.split(" ", 1)[0])
        self.headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]

    def stream(self, pieces: Iterable[bytes]) -> None:
        """Send piece by piece, each after the last was taken; stop when nobody listens any more."""
        self.on_loop(self.begin())
        for piece in pieces:
            if self.left.is_set():
                return
            self.on_loop(self.send({"type": "http.response.body", "body": piece, "more_body": True}))
        self.on_loop(self.send({"type": "http.response.body", "body": b""}))

    def on_loop(self, step: Any) -> None:
        asyncio.run_coroutine_threadsafe(step, self.loop).result(SEND_TIMEOUT)

    async def begin(self) -> None:
        self.watch = asyncio.ensure_future(self.notice_leaving())
        await self.send({"type": "http.response.start", "status": self.status, "headers": self.headers})

    async def notice_leaving(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass
        self.left.set()

    def leave(self) -> None:
        self.left.set()
        if self.watch:
            self.watch.cancel()


def environ_of(scope: Scope, body: IO[bytes]) -> dict[str, Any]:
    """PEP 3333's environment of an ASGI request."""
    root = scope.get("root_path", "")
    server, port = scope.get("server") or ("localhost", 80)
    environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": as_latin(root),
        "PATH_INFO": as_latin(scope["path"].removeprefix(root)),
        "QUERY_STRING": scope.get("query_string", b"").decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope.get('http_version', '1.1')}",
        "SERVER_NAME": server,
        "SERVER_PORT": str(port or 80),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": body,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    if scope.get("client"):
        environ["REMOTE_ADDR"] = scope["client"][0]
        environ["REMOTE_PORT"] = str(scope["client"][1])
    add_headers(environ, scope["headers"])
    if "CONTENT_LENGTH" not in environ:
        # Sent in chunks, without a length; Django would read nothing of it.
        environ["CONTENT_LENGTH"] = str(body.seek(0, os.SEEK_END))
        body.seek(0)
    return environ


def as_latin(text: str) -> str:
    """PEP 3333: the bytes of the path, each as one character."""
    return text.encode(errors="surrogateescape").decode("latin-1")


def add_headers(environ: dict[str, Any], headers: Headers) -> None:
    for raw_name, raw_value in headers:
        name = raw_name.decode("latin-1").upper().replace("-", "_")
        value = raw_value.decode("latin-1")
        key = name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"
        if key in environ:
            value = environ[key] + ("; " if key == "HTTP_COOKIE" else ",") + value
        environ[key] = value
