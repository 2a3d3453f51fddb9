"""ElevenLabs' list of conversations and each one's record, and its signature, in its wire format."""

import asyncio
import hashlib
import hmac
import json
import time
from urllib.parse import parse_qs, unquote, urlsplit

from tests.fakes.http_server import HttpServer, Request, send_json

PREFIX = "/v1/convai/conversations"


def record(conversation_id="conv_1", *, words=("Hello, how can I help?", "My order is late."), **more):
    """`data` of a post-call transcription, and the vendor's own record of a conversation."""
    return {
        "agent_id": "agent_1",
        "conversation_id": conversation_id,
        "status": "done",
        "user_id": None,
        "transcript": [
            {
                "role": "user" if number % 2 else "agent",
                "message": text,
                "tool_calls": None,
                "time_in_call_secs": 5 * number,
            }
            for number, text in enumerate(words)
        ],
        "metadata": {
            "start_time_unix_secs": 1_705_314_600,
            "call_duration_secs": 65,
            "phone_call": {"type": "twilio", "direction": "inbound", "external_number": "+48123456789"},
        },
        "analysis": {"call_successful": "success", "transcript_summary": "A late order."},
        "conversation_initiation_client_data": {"dynamic_variables": {}},
        "has_audio": True,
        **more,
    }


def event(kind="post_call_transcription", data=None, *, at=None):
    at = int(time.time()) if at is None else at
    return json.dumps({"type": kind, "event_timestamp": at, "data": data or record()}).encode()


def signature(body, secret, *, at=None):
    at = int(time.time()) if at is None else at
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v0={digest}"


class ElevenLabsServer(HttpServer):
    """`records` are listed, `page` of them at once; a `status` other than 200 is answered to all.

    `faulty`: what is answered instead of a record, by its id; nothing is a 404. `cuts_off`: hangs up inside
    each answer.
    """

    def __init__(self, *records, key="el-key", page=2):
        super().__init__()
        self.records = {one["conversation_id"]: one for one in records}
        self.key, self.page, self.status = key, page, 200
        self.faulty, self.cuts_off = {}, False

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        address = urlsplit(request.path)
        if request.headers.get("xi-api-key") != self.key:
            send_json(writer, 401, {"detail": {"status": "invalid_api_key"}})
        elif self.status != 200:
            send_json(writer, self.status, {"detail": "fault"})
        elif self.cuts_off:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{")
            raise ConnectionResetError
        elif address.path == PREFIX:
            send_json(writer, 200, self._listed(parse_qs(address.query)))
        else:
            name = unquote(address.path.removeprefix(f"{PREFIX}/"))
            found = {**self.records, **self.faulty}.get(name)
            send_json(writer, 200 if found else 404, found or {"detail": "not found"})

    def _listed(self, query):
        start = int(query.get("cursor", ["0"])[0])
        names = list(self.records)
        shown = [
            {"conversation_id": name, "status": self.records[name]["status"]}
            for name in names[start : start + self.page]
        ]
        more = start + self.page < len(names)
        cursor = str(start + self.page) if more else None
        return {"conversations": shown, "has_more": more, "next_cursor": cursor}
