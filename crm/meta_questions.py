"""What the interviewer answers when the person asks about the interview itself: from the brief, never from a model."""

# ruff: noqa: E501  a pattern that is broken over lines is harder to read

import re

from crm.brief_values import Brief
from crm.wording import one, words_of

_ABOUT = (
    ("who_reads", r"\bwho (?:reads|sees|will|can|else|gets|has|have)|anonym|confidential|private|privacy|delete|stored?\b|\bsave|"
                  r"\bkeep\b|happens? (?:with|to)|wer (?:liest|sieht|bekommt)|was passiert|kto .*(?:czyta|widzi)|stanie z"),
    ("how_long", r"\bhow (?:long|many|much)|wie (?:lange|viele)|\bile\b"),
    ("pause", r"\bpause\b|\bbreak\b|come back|continue|wiederkommen|weitermachen|wrócić"),
    ("who_are_you", r"(?:talk|speak) (?:to|with)|are you|am i (?:talking|speaking|chatting)|who are you|sind sie|wer sind|jesteś|rozmawiam"),
    ("why", r"\bwhy\b|purpose|point|goal|what.*\bfor\b|warum|wieso|wozu|dlaczego|po co"),
)  # fmt: skip


def meta_answer(text: str, brief: Brief, *, left: int, by_model: bool) -> str:
    """One or two sentences. What is not about the interview is answered by saying what we can talk about.

    `by_model`: an AI model words it, and says that it is one.
    """
    words = words_of(brief.language)
    about = next((name for name, pattern in _ABOUT if re.search(pattern, text.lower())), "only")
    if about == "who_are_you" and not by_model:
        about = "who_is_automatic"
    if about == "why" and not brief.goal:
        about = "why_plain"
    return (
        one(words, about)
        .format(
            goal=brief.goal,
            organisation=brief.organisation or one(words, "us"),
            privacy=brief.privacy,
            left=left,
            total=len(brief.questions),
            minutes=brief.minutes,
        )
        .strip()
    )
