"""The documented body of a conversation that ended: checked whole, then read into one value. Pure."""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from voice.received_values import Line, ReceivedTalk, Speaker

Errors = dict[str, list[str]]

LONGEST_ID = 200  # characters
LONGEST_TEXT = 100_000
MOST_LINES = 20_000
LONGEST_DURATION = 30 * 24 * 3600  # seconds
MOST_MESSAGES = 1_000_000
LONGEST_KEY = 64
ACCOUNT = re.compile(r"[A-Za-z0-9_-]{3,50}")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
MOST_ERRORS = 100  # of the transcript; whoever sends so many has another problem
ONE_FORM = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
SPEAKERS: dict[str, Speaker] = {"user": "user", "agent": "agent"}


class InvalidBody(ValueError):  # noqa: N818
    """What is wrong, by field: `transcript.0.speaker` → texts."""

    def __init__(self, errors: Errors) -> None:
        super().__init__("The body is not valid.")
        self.errors = errors


def digest_of(body: Mapping[str, Any]) -> str:
    """Of the content, however it was spaced and ordered: clients try again with a body they make anew."""
    return hashlib.sha256(ONE_FORM.encode(body).encode()).hexdigest()


def read(body: Any) -> ReceivedTalk:
    """Raises InvalidBody with everything that is wrong. Keys that we do not know are left alone."""
    if not isinstance(body, Mapping):
        raise InvalidBody({"non_field_errors": ["The body must be a JSON object."]})
    errors: Errors = {}
    account, email = _text(body, "accountId", errors), _text(body, "emailId", errors)
    if account and not ACCOUNT.fullmatch(account):
        errors["accountId"] = ["Must be 3 to 50 letters, digits, dashes or underscores."]
    if email and (not EMAIL.fullmatch(email) or len(email) > 254):
        errors["emailId"] = ["Must be an email address."]
    conversation_id = _text(body, "conversationId", errors)
    if conversation_id and not conversation_id.isprintable():
        errors["conversationId"] = ["Must be printable characters."]
    lines = _lines(body.get("transcript"), errors)
    metadata = _metadata(body.get("metadata"), errors)
    summary = _summary(body.get("summary"), errors)
    if errors:
        raise InvalidBody(errors)
    return _talk(conversation_id, account, email, lines, metadata, summary)


def _talk(
    conversation_id: str,
    account: str,
    email: str,
    lines: tuple[Line, ...],
    metadata: Mapping[str, Any],
    summary: dict[str, Any] | None,
) -> ReceivedTalk:
    times = [line.at for line in lines if line.at is not None]
    started, duration = min(times), metadata["duration"]
    return ReceivedTalk(
        conversation_id=conversation_id,
        lines=lines,
        account_label=account,
        email=email,
        agent_id=metadata["agentId"],
        started_at=started,
        # A talk is not over before its last word, nor before it lasted as long as its sender says.
        ended_at=max(*times, started + timedelta(seconds=duration)),
        duration_seconds=duration,
        message_count=metadata["messageCount"],
        summary=summary,
    )


def _text(part: Mapping[str, Any], name: str, errors: Errors, *, at: str = "", most: int = LONGEST_ID) -> str:
    """A text that must be there and not empty. What is wrong goes into `errors`."""
    value = part.get(name)
    if value is None:
        errors[at + name] = ["This field is required."]
    elif not isinstance(value, str):
        errors[at + name] = ["Must be a text."]
    elif not value.strip():
        errors[at + name] = ["Must not be empty."]
    elif len(value) > most:
        errors[at + name] = [f"Must have at most {most:,} characters."]
    else:
        return value.strip()
    return ""


def _whole(part: Mapping[str, Any], name: str, errors: Errors, *, at: str, most: int) -> None:
    value = part.get(name)
    if value is None:
        errors[at + name] = ["This field is required."]
    elif isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        errors[at + name] = [f"Must be a whole number from 0 to {most:,}."]


def _lines(transcript: Any, errors: Errors) -> tuple[Line, ...]:
    if not isinstance(transcript, list) or not transcript:
        errors["transcript"] = ["Must be a list of at least one message."]
        return ()
    if len(transcript) > MOST_LINES:
        errors["transcript"] = [f"Must have at most {MOST_LINES:,} messages."]
        return ()
    found, keys = [], dict[str, int]()
    for number, entry in enumerate(transcript):
        if len(errors) > MOST_ERRORS:
            break
        if (line := _line(entry, f"transcript.{number}", errors, keys)) is not None:
            found.append(line)
    return tuple(found)


def _line(entry: Any, at: str, errors: Errors, keys: dict[str, int]) -> Line | None:
    if not isinstance(entry, Mapping):
        errors[at] = ["Must be an object."]
        return None
    own: Errors = {}
    when = _moment(_text(entry, "timestamp", own), own)
    speaker = SPEAKERS.get(_text(entry, "speaker", own))
    if speaker is None and "speaker" not in own:
        own["speaker"] = ["Must be user or agent."]
    key = _text(entry, "messageId", own)
    content = _text(entry, "content", own, most=LONGEST_TEXT)
    if not isinstance(entry.get("metadata", {}), Mapping | None):
        own["metadata"] = ["Must be an object."]
    errors.update({f"{at}.{name}": texts for name, texts in own.items()})
    return None if own or speaker is None else Line(own_key(key, keys), speaker, content, when)


def own_key(key: str, keys: dict[str, int]) -> str:
    """At most 64 characters, and unlike those before: some senders number each speaker's lines from 1."""
    keys[key] = keys.get(key, 0) + 1
    whole = key if keys[key] == 1 else f"{key}#{keys[key]}"
    return whole if len(whole) <= LONGEST_KEY else hashlib.sha256(whole.encode()).hexdigest()


def _moment(text: str, errors: Errors) -> datetime | None:
    """ISO 8601; without a zone it is UTC, as the documented server wrote it."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or not 1970 <= found.year < 2200:
        errors["timestamp"] = ["Must be a time in ISO 8601, like 2024-01-15T10:30:00Z."]
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _metadata(metadata: Any, errors: Errors) -> Mapping[str, Any]:
    if not isinstance(metadata, Mapping):
        errors["metadata"] = ["This field is required, and must be an object."]
        return {}
    for name in ("agentId", "platform", "userAgent"):
        _text(metadata, name, errors, at="metadata.", most=LONGEST_ID if name == "agentId" else 2000)
    _whole(metadata, "duration", errors, at="metadata.", most=LONGEST_DURATION)
    _whole(metadata, "messageCount", errors, at="metadata.", most=MOST_MESSAGES)
    if not isinstance(metadata.get("sessionId"), str | None):
        errors["metadata.sessionId"] = ["Must be a text."]
    return metadata


def _summary(summary: Any, errors: Errors) -> dict[str, Any] | None:
    if summary is None:
        return None
    if not isinstance(summary, Mapping):
        errors["summary"] = ["Must be an object."]
        return None
    for name in ("topic", "sentiment", "resolution"):
        _text(summary, name, errors, at="summary.", most=5000)
    keywords = summary.get("keywords") or []
    if not isinstance(keywords, list) or not all(isinstance(word, str) for word in keywords):
        errors["summary.keywords"] = ["Must be a list of texts."]
    if not isinstance(summary.get("intent"), str | None):
        errors["summary.intent"] = ["Must be a text."]
    names = ("topic", "sentiment", "resolution", "keywords", "intent")
    return {name: summary[name] for name in names if summary.get(name) is not None}
