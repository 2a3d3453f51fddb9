"""Asking a model what a person on the phone meant, where the rules are unsure: one word, or "unclear".

A model names an intent and nothing else: no slot, no time and no words to speak ever come from it.
"""

import asyncio
import logging
from collections.abc import Mapping

from config.api.models import Account
from personas import speaking
from personas.models import Persona
from voice.talk_values import Intent, Move, Talk

MODEL_SECONDS = 4.0  # the telephone network waits fifteen for the whole answer
log = logging.getLogger(__name__)

# What a model may answer. "choose" is missing: which slot it is, only the words themselves can say.
MEANINGS: Mapping[Intent, str] = {
    "confirm": "agrees, says yes",
    "reject": "refuses, says no",
    "other_time": "asks for another day or time",
    "repeat": "wants it said again, or asks who calls or why",
    "wrong_person": "is not the person we look for",
    "voicemail": "is a machine that takes messages",
    "stop_calling": "wants no more calls",
    "unclear": "none of these, or in doubt",
}
_QUESTIONS: Mapping[str, str] = {
    "greeting": "whether there is a moment to choose a time for an interview",
    "offering": "which of the times read out suits",
    "confirming": "whether to book the time just read back",
}


async def intent_by_model(talk: Talk, words: str, *, account: Account, persona: Persona | None) -> Intent:
    """The intent of what was said, by the first model of the persona's chain, within MODEL_SECONDS.

    "unclear" without a model, when it is slow, fails or says anything else, and for a talk that asks
    nothing. Never raises for what a model does.
    """
    asked = _QUESTIONS.get(talk.stage)
    if not asked or not words.strip():
        return "unclear"
    meanings = "; ".join(f"{intent}: {meaning}" for intent, meaning in MEANINGS.items())
    instruction = f"A person on the phone was asked {asked}. What does the answer mean? {meanings}."
    try:
        async with asyncio.timeout(MODEL_SECONDS):
            label = await speaking.classify(persona, instruction, words, tuple(MEANINGS), account=account)
    except TimeoutError:
        log.warning("A model took more than %s s for an intent.", MODEL_SECONDS)
        return "unclear"
    return next((intent for intent in MEANINGS if intent == label), "unclear")


def asks_a_model(move: Move, persona: Persona | None) -> bool:
    """Whether a model may make more of this turn than the rules did."""
    return move.is_unsure and speaking.has_model(persona)
