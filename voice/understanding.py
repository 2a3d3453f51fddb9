"""One turn of a call with a model at hand: the rules first, and a model where they are unsure.

No thread and no database connection is held while a model is asked.
"""

import logging
from typing import Any

from config.api.threads import in_database
from personas.metering import spending
from voice import model_intents, turns
from voice.scheduling import Heard

logger = logging.getLogger("rapport.voice")


async def hear(call_id: Any, number: int | None, heard: Heard) -> str:
    """TwiML after what was said or pressed; see `turns.hear`."""
    return await settled(await in_database(turns.hear_or_ask, call_id, number, heard), heard)


async def settled(answer: str | turns.Unsure, heard: Heard) -> str:
    """The rules' own answer, or, where they were unsure, the answer with what a model made of it."""
    if isinstance(answer, str):
        return answer
    with spending() as spent:
        intent = await _intent(answer, heard)
    return await in_database(
        turns.hear,
        answer.call_id,
        answer.number,
        heard,
        intent=intent,
        model_micro_usd=spent.micro_usd,
    )


async def _intent(unsure: turns.Unsure, heard: Heard) -> str:
    """A model's word for what was meant. Whatever goes wrong, the rules' own guess stands."""
    try:
        return await model_intents.intent_by_model(
            unsure.talk, heard.words, account=unsure.account, persona=unsure.persona
        )
    except Exception:  # not a model's doing, which intent_by_model answers for
        logger.exception("No model could be asked.")
        return ""
