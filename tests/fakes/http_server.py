"""What the fakes of vendors over HTTP share: a server on one event loop in a thread of its own.

It writes to sockets directly, so that a fake may stall, break off in the middle, or say nonsense.
"""

import asyncio
import contextlib
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass
class Request:
    """What a client asked. `aborted` turns true when it hung up before the answer was whole."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)
    aborted: bool = False
    finished: bool = False

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)


class HttpServer:
    """Subclasses answer: `async def _answer(request, writer)`."""

    tls: ssl.SSLContext | None = None

    def __init__(self, *, port: int = 0, host: str = "127.0.0.1") -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self._host, self._port = host, port
        self._thread = threading.Thread(target=self._run, name=type(self).__name__, daemon=True)
        self._ready = threading.Event()

    @property
    def address(self) -> str:
        return f"http://{self._host}:{self._port}"

    def wait_until(self, condition: Callable[[], bool], *, seconds: float = 5.0) -> bool:
        deadline = time.monotonic() + seconds
        while not condition() and time.monotonic() < deadline:
            time.sleep(0.01)
        return condition()

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(10):
            raise RuntimeError("the fake server did not start")
        return self

    def __exit__(self, *exc: object) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(10)

    # --- the loop ------------------------------------------------------------------------
    def _run(self) -> None:
        asyncio.run(self.serve())

    async def serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(
            self._connection, self._host, self._port, backlog=1024, ssl=self.tls
        )
        self._port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stopping.wait()
        server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while (request := await _read_request(reader)) is not None:
                self.requests.append(request)
                await self._watched(request, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _watched(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answers, and notices when the client hangs up meanwhile."""
        answering = asyncio.ensure_future(self._answer(request, writer))
        gone = asyncio.ensure_future(_hung_up(reader, writer))
        try:
            await asyncio.wait({answering, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not answering.done() or isinstance(answering.exception(), ConnectionError):
                request.aborted = True
                raise ConnectionResetError
            answering.result()
            request.finished = True
        finally:
            for task in (answering, gone):
                task.cancel()
            await asyncio.gather(answering, gone, return_exceptions=True)

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        raise NotImplementedError


class EventStream:
    """A 200 answer in chunks, as server-sent events, and the ways of it to break that vendors share."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer = writer

    def begin(self) -> None:
        self.writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        )

    def raw(self, data: bytes) -> None:
        self.writer.write(b"%x\r\n%s\r\n" % (len(data), data))

    def event(self, text: str) -> None:
        self.raw(f"data: {text}\n\n".encode())

    def end(self) -> None:
        self.writer.write(b"0\r\n\r\n")

    async def _stall(self) -> None:
        await self.writer.drain()
        await asyncio.sleep(3600)

    async def _pings(self) -> None:
        while True:
            self.raw(b": still here\n\n")
            await self.writer.drain()
            await asyncio.sleep(0.05)

    async def _reset(self) -> None:
        await self.writer.drain()
        await asyncio.sleep(0.05)  # so that what was said is read before the reset overtakes it
        linger = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()


def send_json(
    writer: asyncio.StreamWriter, status: int, body: Any, extra: dict[str, str] | None = None
) -> None:
    send(writer, status, json.dumps(body).encode(), {"Content-Type": "application/json", **(extra or {})})


def send(writer: asyncio.StreamWriter, status: int, body: bytes, headers: dict[str, str]) -> None:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    writer.write(f"HTTP/1.1 {status} Fake\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body)


async def _read_request(reader: asyncio.StreamReader) -> Request | None:
    """The next request of a kept connection; None when the client closed it."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in lines)
        if name
    }
    if headers.get("transfer-encoding") == "chunked":
        body = await _read_chunks(reader)
    else:
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, path, headers, body)


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return body


async def _hung_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Returns when the client has closed its side. Reads nothing: the next request may be in the buffer."""
    while not reader.at_eof() and not writer.transport.is_closing():  # noqa: ASYNC110 streams have no such event
        await asyncio.sleep(0.2)
