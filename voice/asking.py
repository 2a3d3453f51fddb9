"""A turn that the rules were unsure of: a model is asked, and whatever goes wrong, the rules stand."""

import logging

from voice import model_intents, turns
from voice.scheduling import Heard

logger = logging.getLogger("rapport.voice")


async def meant(unsure: turns.Unsure, heard: Heard) -> str:
    """A model's word for it; "" where none could be asked."""
    try:
        return await model_intents.intent_by_model(
            unsure.talk, heard.words, account=unsure.account, persona=unsure.persona
        )
    except Exception:  # not a model's doing, which intent_by_model answers for
        logger.exception("No model could be asked.")
        return ""
