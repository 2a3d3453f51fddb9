"""What ElevenLabs sends after a call: its signature, and its transcript in our form. Pure.

Source: the vendor's pages on post-call webhooks and its Python SDK, stricter where the SDK is careless.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from voice.received_values import Line, ReceivedTalk

TOLERANCE_SECONDS = 30 * 60  # in both directions
TRANSCRIPTION = "post_call_transcription"
AUDIO = "post_call_audio"
FAILURE = "call_initiation_failure"
# Where an agent's dynamic variables say whom it talks with.
CONTACT_KEYS = ("contact_id", "contactId")
EMAIL_KEYS = ("email", "emailId", "email_id", "user_email")
NAME_KEYS = ("name", "user_name", "customer_name")
LATEST_SECONDS = 7_258_118_400  # the year 2200


class Proof:
    """`ElevenLabs-Signature: t=<unix seconds>,v0=<hex>`, checked over the raw body as it comes in.

    v0 is HMAC-SHA256 of "{t}.{body}". Any secret may have signed, and any v0 may match: both are how a
    secret is changed without losing a call.
    """

    def __init__(self, header: str, secrets: Iterable[str], *, now: float) -> None:
        parts = [part.strip().partition("=") for part in header.split(",")]
        stamps = [value for name, _, value in parts if name == "t"]
        self.given = [value for name, _, value in parts if name == "v0"]
        self.is_timely = len(stamps) == 1 and _is_near(stamps[0], now)
        start = f"{stamps[0]}.".encode() if self.is_timely else b""
        self.digests = [hmac.new(secret.encode(), start, hashlib.sha256) for secret in secrets]

    def add(self, piece: bytes) -> None:
        for digest in self.digests:
            digest.update(piece)

    @property
    def holds(self) -> bool:
        if not self.is_timely:
            return False
        made = [digest.hexdigest().encode() for digest in self.digests]
        given = [value.encode() for value in self.given[:10]]
        return any([hmac.compare_digest(one, other) for one in made for other in given])


def _is_near(stamp: str, now: float) -> bool:
    is_number = stamp.isascii() and stamp.isdigit() and len(stamp) <= 12
    return is_number and abs(now - int(stamp)) <= TOLERANCE_SECONDS


def envelope_of(body: bytes) -> dict[str, Any]:
    """The event; empty when it is none. A call that was proved is never refused for its form."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def part(value: Any, name: str) -> dict[str, Any]:
    """The object under a name; empty when there is none."""
    found = value.get(name) if isinstance(value, Mapping) else None
    return found if isinstance(found, dict) else {}


def text(value: Mapping[str, Any], *names: str) -> str:
    """The first of these that is a text (a number counts), without what a database cannot hold."""
    for name in names:
        found = value.get(name)
        if isinstance(found, str | int) and not isinstance(found, bool) and str(found).strip():
            return str(found).replace("\0", "").encode("utf-8", "ignore").decode().strip()
    return ""


def moment(seconds: Any) -> datetime | None:
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    return datetime.fromtimestamp(seconds, UTC) if is_number and 0 < seconds < LATEST_SECONDS else None


def event_id(body: bytes, envelope: Mapping[str, Any]) -> str:
    """SHA-256 of (type, conversation, time), by which the vendor's repeats are known; else of the body."""
    kind, at = text(envelope, "type"), text(envelope, "event_timestamp")
    conversation = text(part(envelope, "data"), "conversation_id")
    if kind and at and conversation:
        return hashlib.sha256("\n".join((kind, conversation, at)).encode()).hexdigest()
    return hashlib.sha256(body).hexdigest()


def talk_of(data: Mapping[str, Any]) -> ReceivedTalk:
    """Of the `data` of a transcription, or of the vendor's own record of a conversation."""
    metadata, analysis = part(data, "metadata"), part(data, "analysis")
    phone, variables = part(metadata, "phone_call"), _variables(data)
    started = moment(metadata.get("start_time_unix_secs"))
    duration = _seconds(metadata.get("call_duration_secs"))
    lines = tuple(_lines(data.get("transcript"), started))
    return ReceivedTalk(
        conversation_id=text(data, "conversation_id")[:200],
        lines=lines,
        contact=text(variables, *CONTACT_KEYS)[:320],
        email=text(variables, *EMAIL_KEYS)[:254],
        phone=text(phone, "external_number") or text(variables, "system__caller_id"),
        external_id=text(data, "user_id")[:320],
        name=text(variables, *NAME_KEYS)[:200],
        agent_id=text(data, "agent_id")[:200],
        started_at=started,
        ended_at=started + timedelta(seconds=duration) if started and duration is not None else None,
        duration_seconds=duration,
        message_count=len(lines),
        summary=_summary(analysis),
        by_phone=bool(phone),
        failure=text(metadata, "termination_reason")[:200] if data.get("status") == "failed" else "",
    )


def _variables(data: Mapping[str, Any]) -> dict[str, Any]:
    return part(part(data, "conversation_initiation_client_data"), "dynamic_variables")


def _seconds(value: Any) -> int | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return int(value) if is_number and 0 <= value < 2**31 else None


def _lines(transcript: Any, started: datetime | None) -> Iterable[Line]:
    """Turns without words (a tool that was called) are left out; a turn is known by its place."""
    for number, turn in enumerate(transcript if isinstance(transcript, list) else ()):
        words = text(turn, "message") if isinstance(turn, Mapping) else ""
        if not words:
            continue
        offset = _seconds(turn.get("time_in_call_secs"))
        at = started + timedelta(seconds=offset) if started and offset is not None else None
        yield Line(f"turn-{number}", "user" if turn.get("role") == "user" else "agent", words, at)


def _summary(analysis: Mapping[str, Any]) -> dict[str, Any] | None:
    found = {
        "topic": text(analysis, "call_summary_title"),
        "resolution": text(analysis, "call_successful"),
        "text": text(analysis, "transcript_summary"),
    }
    collected = {
        name: result.get("value")
        for name, result in part(analysis, "data_collection_results").items()
        if isinstance(result, Mapping)
    }
    whole = {**{name: value for name, value in found.items() if value}, "collected": collected}
    return whole if found["text"] or found["topic"] or collected else None


def number_called(data: Mapping[str, Any]) -> str:
    """Whom a call that failed was for: the vendor passes on what Twilio or the SIP trunk said."""
    body = part(part(data, "metadata"), "body")
    return text(body, "To", "Called", "to_number")
