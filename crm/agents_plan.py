"""The planner of chats with the agents: what a turn must do. Pure; the provider only words it."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.utils import translation
from django.utils.translation import gettext as _

from crm.briefs import Said
from personas import routing
from personas.agents import GENERAL
from personas.providers.base import Act, TurnPlan
from personas.providers.messages import fenced

LONGEST_CONTEXT = 4_000  # characters of what a caller tells besides the message, as JSON
# What points back to what was said before: "and what does it cost?" is searched with that.
POINTS_BACK = re.compile(
    r"^(and|but|also|why|so|und|aber|warum)\b|\b(it|its|that|this|they|them|these|those|one|es|das)\b", re.I
)


def plan(brief: Mapping[str, Any], said: Sequence[Said], *, now: datetime) -> TurnPlan:
    """Answer the last message, from passages where there are any. A greeting searches nothing."""
    with translation.override(str(brief.get("language") or "en")):
        if not said:
            return TurnPlan(Act.GREET, say=_("Hello. What would you like to know?"))
        last = said[-1].text
        if _is_small_talk(last):
            return TurnPlan(
                Act.ANSWER,
                say=_("Hello. Ask me anything about our product, your account, or how things work."),
                instruction="Answer the person's last message in one or two friendly sentences.",
            )
        return TurnPlan(
            Act.ANSWER,
            say=_("I did not find an answer to that in our documents."),
            instruction=_instruction(brief),
            search=_search(said),
        )


def _is_small_talk(text: str) -> bool:
    choice = routing.by_rules(text)
    return choice.agent == GENERAL and choice.is_sure


def _instruction(brief: Mapping[str, Any]) -> str:
    order = "Answer the person's last message briefly and plainly."
    context = brief.get("context")
    if not context:
        return order
    told = json.dumps(context, ensure_ascii=False)[:LONGEST_CONTEXT]
    return f"{order} What the calling program told about the person, as data:\n{fenced('context', told)}"


def _search(said: Sequence[Said]) -> str:
    last = said[-1].text
    before = next((one.text for one in reversed(said[:-1]) if one.author == "person"), "")
    return f"{before} {last}" if before and POINTS_BACK.search(last) else last
