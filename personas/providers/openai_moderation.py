"""OpenAI's moderation endpoint, asked and read. platform.openai.com/docs/api-reference/moderations"""

from typing import Any

from personas.providers.base import Picture
from personas.providers.messages import data_address

MODEL = "omni-moderation-latest"


def moderated(text: str, picture: Picture | None) -> str | list[dict[str, Any]]:
    """The `input`. A picture goes as its bytes; an empty text beside it would be refused."""
    if picture is None:
        return text
    words = [{"type": "text", "text": text}] if text.strip() else []
    return [*words, {"type": "image_url", "image_url": {"url": data_address(picture)}}]


def flagged_in(answer: Any) -> list[str]:
    """The categories that were flagged, sorted. Raises what reading an answer of another form raises."""
    result = answer["results"][0]
    if not isinstance(result["flagged"], bool) or not isinstance(result["categories"], dict):
        raise ValueError("not a moderation")
    found = sorted(str(name) for name, is_flagged in result["categories"].items() if is_flagged is True)
    return (found or ["unfit"]) if result["flagged"] else []
