"""How a written talk goes on by phone: what the app that can ring people offers (settings.PHONE_TALKS)."""

from functools import lru_cache
from typing import Protocol
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string

from crm.models import Conversation

# Acts of the system's notes in a talk, before and after a part of it that was spoken.
ON_PHONE, OFF_PHONE = "on_phone", "off_phone"


class CannotCall(Exception):  # noqa: N818
    """Nobody was rung. `code`: number, blocked, often, hours, running, or failed."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class PhoneTalks(Protocol):
    def is_offered(self, language: str) -> bool:
        """Whether talks in this language can go on by phone here."""
        ...

    def is_under_way(self, conversation_id: UUID) -> bool:
        """Whether a call for this talk rings or is being held."""
        ...

    def call(self, conversation: Conversation, number: str) -> None:
        """Rings a number in E.164, once, to go on with this talk. Raises CannotCall.

        Whoever asks for it has recorded that the person agreed.
        """
        ...


@lru_cache(maxsize=4)
def _made(path: str) -> PhoneTalks:
    talks: PhoneTalks = import_string(path)()
    return talks


def phone_talks() -> PhoneTalks:
    return _made(settings.PHONE_TALKS)
