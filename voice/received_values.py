"""A conversation that another system held, in one form, whoever told us of it. Pure values."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Speaker = Literal["user", "agent"]


@dataclass(frozen=True, slots=True)
class Line:
    """One thing said. `key` names it within its conversation: the same key again is the same line."""

    key: str
    speaker: Speaker
    text: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ReceivedTalk:
    """Times are aware. Whom it was with is said by any of `contact`, `email`, `phone`, `external_id`."""

    conversation_id: str
    lines: tuple[Line, ...]
    account_label: str = ""
    contact: str = ""
    email: str = ""
    phone: str = ""
    external_id: str = ""
    name: str = ""
    agent_id: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    duration_seconds: int | None = None
    message_count: int = 0
    summary: dict[str, Any] | None = None
    by_phone: bool = False
    failure: str = ""

    @property
    def title(self) -> str:
        topic = (self.summary or {}).get("topic")
        return topic if isinstance(topic, str) else ""
