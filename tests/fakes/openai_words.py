"""What the fake model says: words that fit what it was asked, the same every time."""

import hashlib
import json
import math
import re
from collections.abc import Callable
from typing import Any

DIMENSIONS = 64

# What a person may mean: how a label for it may be called, and the words that show it. The first wins.
_MEANINGS = (
    (r"stop|\bend", r"\b(stop|quit|end (this|it|the interview)|no more|enough)\b"),
    (r"skip", r"\b(skip|next question|pass)\b"),
    (r"refuse", r"\b(rather not|prefer not|none of your business|don't want to (say|answer))\b"),
    (r"correct", r"\b(correct|change my answer|meant to say|i was wrong)\b"),
    (r"back", r"\b(go back|previous question)\b"),
    (r"repeat|again", r"\b(repeat|say (that|it) again)\b"),
    (r"clarify", r"\b(what do you mean|don't understand|not sure what)\b"),
    (r"^question$|asks? about", r"\?\s*$"),
)


def embedding(text: str) -> list[float]:
    """A hashed bag of words of unit length: texts that share words are near each other."""
    vector = [0.0] * DIMENSIONS
    for word in re.findall(r"\w+", text.lower()):
        number = int.from_bytes(hashlib.sha256(word[:5].encode()).digest()[:4])
        vector[number % DIMENSIONS] += 1.0
    length = math.sqrt(sum(value * value for value in vector)) or 1.0
    return [value / length for value in vector]


def embedding_data(texts: list[str]) -> list[dict[str, Any]]:
    """Last first, because `index` and not the order says whose vector it is."""
    data = [
        {"object": "embedding", "index": index, "embedding": embedding(text)}
        for index, text in enumerate(texts)
    ]
    return data[::-1]


def classified(text: str, labels: list[str]) -> str:
    """The label whose words fit, else the one for an answer where it is on offer, else the first."""
    said = text.lower()
    for called, shown_by in _MEANINGS:
        fitting = [label for label in labels if re.search(called, label.lower())]
        # "answers the question" is not about a question.
        fitting = [label for label in fitting if not label.lower().startswith("answer")]
        if fitting and re.search(shown_by, said):
            return fitting[0]
    for label in labels:
        if re.search(rf"\b{re.escape(label.lower())}\b", said):
            return label
    return next((label for label in labels if label.lower().startswith("answer")), labels[0])


def plausible_reply(
    messages: list[dict[str, Any]], *, classify: Callable[[str, list[str]], str] = classified
) -> str:
    """A label for a classification, a cited sentence for a question with passages, else the planned words."""
    instruction = next((str(m["content"]) for m in reversed(messages) if m["role"] != "user"), "")
    asked = next((str(m["content"]) for m in reversed(messages) if m["role"] == "user"), "")
    if labels := _labels(instruction):
        return classify(_inside("text", asked) or asked, labels)
    if passage := _first_passage(messages):
        return passage
    words = _inside("words", instruction) or _quoted(instruction) or _last_question(instruction)
    return words or "Thank you. Please tell me more about that."


def _labels(instruction: str) -> list[str]:
    found = re.search(r"^Labels: (\[.*\])$", instruction, re.MULTILINE)
    return json.loads(found[1]) if found else []


def _inside(mark: str, text: str) -> str:
    found = re.search(rf"<({mark}-\w+)>\s*(.*?)\s*</\1>", text, re.DOTALL)
    return found[2] if found else ""


def _first_passage(messages: list[dict[str, Any]]) -> str:
    for message in messages:
        body = _inside("passages", str(message["content"]))
        if found := re.match(r"\[(\d+)\] [^\n]*\n(.+?)(?=\n\n\[\d+\] |\Z)", body, re.DOTALL):
            answer = re.split(r"\banswer(?:ed)?: ?", found[2], flags=re.IGNORECASE)[-1].strip()
            return f"{answer} [{found[1]}]"
    return ""


def _quoted(text: str) -> str:
    """What the instruction last puts in quotation marks after a colon, with the marks inside it."""
    found = re.search(r"^.*:\s[“\"](.{3,})[”\"]", text, re.DOTALL)
    return found[1].strip() if found else ""


def _last_question(text: str) -> str:
    found = re.findall(r"[^\n.!?]{3,400}\?", text)
    return str(found[-1]).strip() if found else ""
