"""What Lyzr remembers of a session."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from asgiref.sync import async_to_sync
from django.utils.dateparse import parse_datetime

from config.api.models import Account
from personas.lyzr_agents import LyzrError, api_of
from personas.providers.base import ProviderError
from personas.providers.lyzr_wire import NotThere, address

ROLES = ("user", "assistant")


@dataclass(frozen=True, slots=True)
class Remembered:
    role: Literal["user", "assistant"]
    text: str
    at: datetime | None = None


def of_session(account: Account, session_id: str, *, token: str = "") -> list[Remembered]:
    """The talk, oldest first; nothing for a session that Lyzr does not know. Raises LyzrError."""
    api = api_of(account, token)
    url = address(api.agent_url, "v1", "sessions", session_id, "history", slash=False)
    try:
        answer = async_to_sync(api.asked)("GET", url)
    except NotThere:
        return []
    except ProviderError as error:
        raise LyzrError(error.code, error.message, error.retryable) from None
    if not isinstance(answer, list):  # an object is what it answers instead of an error
        raise LyzrError("bad_response", "Lyzr answered with something that is no history.", retryable=True)
    return [found for each in answer if (found := _remembered(each)) is not None]


def _remembered(each: Any) -> Remembered | None:
    """A message with words; None for what is none."""
    if not isinstance(each, dict) or each.get("role") not in ROLES:
        return None
    text = each.get("content")
    if not isinstance(text, str) or not text.strip():
        return None
    return Remembered(each["role"], text, _time(each.get("created_at")))


def _time(value: Any) -> datetime | None:
    """Lyzr writes no zone: it is UTC."""
    try:
        found = parse_datetime(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found is not None and found.tzinfo is None else found
