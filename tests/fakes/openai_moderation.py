"""What the fake of OpenAI's moderation finds: words, and pictures that are mostly red."""

import base64
from io import BytesIO
from typing import Any

from PIL import Image, ImageStat

# Category by a word in the text.
UNFIT = {"murder": "violence", "idiots": "harassment"}


class BadInput(Exception):  # noqa: N818
    """What the API answers with 400."""


def judged(given: str | list[dict[str, Any]]) -> dict[str, Any]:
    """One result, as the API gives it for one text, or for parts with at most one picture."""
    parts = [{"type": "text", "text": given}] if isinstance(given, str) else given
    addresses = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
    texts = [part["text"] for part in parts if part["type"] == "text"]
    if not parts or len(addresses) > 1 or not all(texts):
        raise BadInput("Invalid 'input'.")
    words = " ".join(texts).lower()
    found = {category for word, category in UNFIT.items() if word in words}
    if any(map(_is_red, addresses)):
        found.add("violence")
    categories = {category: category in found for category in sorted(set(UNFIT.values()))}
    scores = {category: 0.97 if is_found else 0.001 for category, is_found in categories.items()}
    return {"flagged": bool(found), "categories": categories, "category_scores": scores}


def _is_red(address: str) -> bool:
    head, data = address.split(",", 1)
    if not head.startswith("data:image/") or not head.endswith(";base64"):
        raise BadInput("Pictures are given as their bytes.")
    with Image.open(BytesIO(base64.b64decode(data))) as picture:
        red, green, blue = ImageStat.Stat(picture.convert("RGB")).mean
    return red > 150 and green < 100 and blue < 100
