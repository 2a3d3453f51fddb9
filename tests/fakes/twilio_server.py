"""A local server in Twilio's wire format: calls are created, fetched and listed, and its faults.

    with TwilioServer() as twilio:
        ...  # settings.TWILIO_API_URL = twilio.address; twilio.calls

Recordings are put into `recordings`, by their sid.
It rings nobody: voice/tests/simulator.py plays the person.
"""

import asyncio
import base64
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from enum import StrEnum
from itertools import count
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.fakes.http_server import HttpServer, Request, send, send_json

ACCOUNT_SID = "AC" + "1" * 32
AUTH_TOKEN = "a-token-of-twilio"
SECRET = "what-twilio-repeats"  # in every error of the vendor: it must never be seen on our side


class Fault(StrEnum):
    STATUS = "status"  # an HTTP error: Behaviour.status and code
    SILENCE = "silence"  # it is done, and the answer never comes
    LOST_ANSWER = "lost answer"  # it is done, and then the connection drops
    NOT_DONE = "not done"  # the connection drops before anything is done
    HTML = "html"  # a 200 page of some proxy


@dataclass(frozen=True)
class Behaviour:
    fault: Fault | None = None
    status: int = 400
    code: int = 21211


class TwilioServer(HttpServer):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.calls: dict[str, dict[str, Any]] = {}
        self.recordings: dict[str, bytes] = {}
        self.forms: list[dict[str, list[str]]] = []
        self._number = count(1)
        self._script: deque[Behaviour] = deque()

    def script(self, *behaviours: Behaviour) -> None:
        """How the next creations are answered; then all is well again."""
        self._script.extend(behaviours)

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        address = urlsplit(request.path)
        known = base64.b64encode(f"{ACCOUNT_SID}:{AUTH_TOKEN}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {known}":
            send_json(writer, 401, {"code": 20003, "message": f"Authenticate {SECRET}", "status": 401})
        elif "/Recordings/" in address.path:
            self._recording(request.method, address.path, writer)
        elif request.method == "POST":
            await self._create(request, writer)
        elif address.path.endswith("/Calls.json"):
            asked = parse_qs(address.query)
            found = [call for call in self.calls.values() if call["to"] == asked.get("To", [""])[0]]
            send_json(writer, 200, {"calls": found, "next_page_uri": None, "page_size": 50})
        else:
            self._fetch(address.path, writer)
        await writer.drain()

    def _recording(self, method: str, path: str, writer: asyncio.StreamWriter) -> None:
        """`GET ….mp3` is the sound; `DELETE ….json` takes it away. Either may be scripted to fail."""
        behaviour = self._script.popleft() if self._script else Behaviour()
        sid = path.rpartition("/")[2].rpartition(".")[0]
        if behaviour.fault is Fault.STATUS:
            send_json(
                writer,
                behaviour.status,
                {"code": behaviour.code, "message": SECRET, "status": behaviour.status},
            )
        elif behaviour.fault is Fault.NOT_DONE:
            raise ConnectionResetError
        elif sid not in self.recordings:
            send_json(writer, 404, {"code": 20404, "message": f"Not found {SECRET}", "status": 404})
        elif method == "DELETE":
            del self.recordings[sid]
            send(writer, 204, b"", {})
        else:
            send(writer, 200, self.recordings[sid], {"Content-Type": "audio/mpeg"})

    def _fetch(self, path: str, writer: asyncio.StreamWriter) -> None:
        call = self.calls.get(path.rpartition("/")[2].removesuffix(".json"))
        if call is None:
            send_json(writer, 404, {"code": 20404, "message": f"Not found {SECRET}", "status": 404})
        else:
            send_json(writer, 200, call)

    async def _create(self, request: Request, writer: asyncio.StreamWriter) -> None:
        behaviour = self._script.popleft() if self._script else Behaviour()
        if behaviour.fault is Fault.STATUS:
            error = {"code": behaviour.code, "message": f"No. {SECRET}", "status": behaviour.status}
            send_json(writer, behaviour.status, error)
            return
        if behaviour.fault is Fault.NOT_DONE:
            raise ConnectionResetError
        call = self._made(parse_qs(request.body.decode()))
        if behaviour.fault is Fault.LOST_ANSWER:
            raise ConnectionResetError
        if behaviour.fault is Fault.SILENCE:
            await asyncio.sleep(3600)
        if behaviour.fault is Fault.HTML:
            send(writer, 200, b"<html>", {"Content-Type": "text/html"})
            return
        send_json(writer, 201, call)

    def _made(self, form: dict[str, list[str]]) -> dict[str, Any]:
        self.forms.append(form)
        sid = f"CA{next(self._number):032d}"
        self.calls[sid] = {
            "sid": sid,
            "account_sid": ACCOUNT_SID,
            "to": form["To"][0],
            "from": form["From"][0],
            "status": "queued",
            "direction": "outbound-api",
            "date_created": format_datetime(datetime.now(UTC)),
            "duration": None,
            "api_version": "2010-04-01",
        }
        return self.calls[sid]
