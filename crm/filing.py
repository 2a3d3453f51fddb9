"""What a conversation is called: agents give it a category until a person has given it one."""

from typing import Any

from crm.models import Conversation
from personas.agents import CATEGORIES

FILED = "filed"  # in the brief: a person gave the category


def filed(conversation: Conversation, category: str) -> dict[str, Any]:
    """The brief to store with a category that a person gives; with none, agents give theirs again."""
    return {**conversation.brief, FILED: bool(category)}


def agents_may_file(conversation: Conversation) -> bool:
    """A word that is none of theirs was a person's, too."""
    return not conversation.brief.get(FILED) and conversation.category in {"", *CATEGORIES}
