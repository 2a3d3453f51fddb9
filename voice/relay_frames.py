"""What goes over Twilio's ConversationRelay socket, read and written. Pure.

Source: twilio.com/docs/voice/conversationrelay/websocket-messages.
"""

import json
from dataclasses import dataclass
from typing import Any, TypeAlias

from crm.talk import LONGEST_TEXT, storable

LARGEST_FRAME = 64 * 1024  # characters
FRAMES_A_SECOND = 50  # whoever speaks and stops is told of too
KEYS = "0123456789*#"


class BadFrame(ValueError):  # noqa: N818
    """Not a JSON object with a type, or a field that is none."""


@dataclass(frozen=True, slots=True)
class Setup:
    call_sid: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the person said, whole."""

    words: str


@dataclass(frozen=True, slots=True)
class Key:
    digit: str


@dataclass(frozen=True, slots=True)
class Interrupt:
    """The person spoke while we did. `heard` is what had been played by then."""

    heard: str


@dataclass(frozen=True, slots=True)
class Speaking:
    """Who began or stopped to be heard on the line."""

    is_person: bool
    is_on: bool


@dataclass(frozen=True, slots=True)
class Trouble:
    """Twilio refused something that we sent."""

    words: str


Event: TypeAlias = Setup | Prompt | Key | Interrupt | Speaking | Trouble
SPEAKERS = {"agentSpeaking": False, "clientSpeaking": True}


def read(text: str) -> Event | None:
    """None for what says nothing to us: parts of a sentence, other news, types of a later version.

    Raises BadFrame.
    """
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError):
        raise BadFrame("no JSON") from None
    if not isinstance(frame, dict) or not isinstance(frame.get("type"), str):
        raise BadFrame("no object with a type")
    return _event(frame)


def _event(frame: dict[str, Any]) -> Event | None:
    match frame["type"]:
        case "setup":
            return Setup(_text(frame, "callSid")[:64])
        case "prompt":
            words = _text(frame, "voicePrompt")[:LONGEST_TEXT]
            return Prompt(words) if words and frame.get("last", True) else None
        case "dtmf":
            digit = _text(frame, "digit")[:1]
            return Key(digit) if digit and digit in KEYS else None
        case "interrupt":
            return Interrupt(_text(frame, "utteranceUntilInterrupt")[: 2 * LONGEST_TEXT])
        case "info":
            return _speaking(frame)
        case "error":
            return Trouble(_text(frame, "description")[:200])
    return None


def _speaking(frame: dict[str, Any]) -> Speaking | None:
    who = SPEAKERS.get(_text(frame, "name"))
    return None if who is None else Speaking(who, _text(frame, "value") == "on")


def _text(frame: dict[str, Any], name: str) -> str:
    value = frame.get(name, "")
    if not isinstance(value, str):
        raise BadFrame(f"{name} is no text")
    return storable(value)


# --- to Twilio --------------------------------------------------------------------------------


def text(token: str, *, last: bool) -> str:
    """A part of what is to be spoken; it begins to be spoken before the last has come."""
    return json.dumps({"type": "text", "token": token, "last": last}, ensure_ascii=False)


def language(code: str) -> str:
    """What is spoken and listened for from now on, like `de-DE`."""
    return json.dumps({"type": "language", "ttsLanguage": code, "transcriptionLanguage": code})


def end(**handoff: str) -> str:
    """The session ends; Twilio asks the `action` of the `<Connect>` how the call goes on, with this."""
    return json.dumps({"type": "end", "handoffData": json.dumps(handoff)})
