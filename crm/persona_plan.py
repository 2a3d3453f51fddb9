"""The planner of chats with influencers: the persona speaks for itself. Pure; the provider only words it."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.utils import translation
from django.utils.translation import gettext as _

from crm.briefs import Said
from crm.persona_senses import UNHEARD
from personas.providers.base import Act, TurnPlan

WORD = re.compile(r"[^\W\d_]{3,}")
LIKE_ENOUGH = 0.5  # of the words of an example, as many are in the message


def plan(brief: Mapping[str, Any], said: Sequence[Said], *, now: datetime) -> TurnPlan:
    """Answer the last message. `say` is what it says where no AI model is connected."""
    with translation.override(str(brief.get("language") or "en")):
        if not said:
            return TurnPlan(Act.GREET, say=_("Hello. What would you like to talk about?"))
        last = said[-1].text
        if said[-1].act == UNHEARD:
            words = _("I cannot listen to recordings here. Please write to me what you said.")
            return TurnPlan(Act.CLARIFY, say=words)
        return TurnPlan(
            Act.ANSWER,
            say=_without_a_model(brief.get("examples") or (), last),
            instruction=(
                "Answer the person's last message as yourself, in a few sentences, "
                "in the language that they write in."
            ),
            search=last,
        )


def _without_a_model(examples: Sequence[Mapping[str, str]], text: str) -> str:
    """The persona's own words to something like this, if it was given any."""
    note = _("No AI model is connected here, so I can only say what I was given to say.")
    found = _likest(examples, text)
    return f"{found}\n\n({note})" if found else note


def _likest(examples: Sequence[Mapping[str, str]], text: str) -> str:
    words = _words(text)
    best, answer = LIKE_ENOUGH, ""
    for example in examples:
        asked = _words(example.get("person", ""))
        share = len(asked & words) / len(asked) if asked else 0.0
        if share >= best and (share > best or not answer):
            best, answer = share, example.get("persona", "")
    return answer


def _words(text: str) -> set[str]:
    return set(WORD.findall(text.casefold()))
