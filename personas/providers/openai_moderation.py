"""The answer of OpenAI's moderation endpoint, read. platform.openai.com/docs/api-reference/moderations"""

from typing import Any

MODEL = "omni-moderation-latest"


def flagged_in(answer: Any) -> list[str]:
    """The categories that were flagged, sorted. Raises what reading an answer of another form raises."""
    result = answer["results"][0]
    if not isinstance(result["flagged"], bool) or not isinstance(result["categories"], dict):
        raise ValueError("not a moderation")
    found = sorted(str(name) for name, is_flagged in result["categories"].items() if is_flagged is True)
    return (found or ["unfit"]) if result["flagged"] else []
