"""One turn of a call with a model at hand: the rules first, and a model where they are unsure.

No thread and no database connection is held while a model is asked.
"""

import asyncio
import logging
from typing import Any

from config.api.threads import in_database
from personas.metering import spending
from voice import model_intents, turns
from voice.scheduling import Heard

logger = logging.getLogger("rapport.voice")
HOLD_AFTER_SECONDS = 2.0  # of silence while a model thinks, of Twilio's fifteen; then a word is said
LOOK_SECONDS = 0.2
# The event loop itself keeps no task alive.
_thinking: set[asyncio.Task[str]] = set()


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


async def settled_or_held(answer: str | turns.Unsure, heard: Heard) -> str:
    """The same, or after HOLD_AFTER_SECONDS a word to the person while the model goes on thinking.

    The turn is taken as soon as it has thought, and `awaited` finds it.
    """
    if isinstance(answer, str):
        return answer
    task = asyncio.create_task(settled(answer, heard))
    _thinking.add(task)
    task.add_done_callback(_thought)
    done, _pending = await asyncio.wait({task}, timeout=HOLD_AFTER_SECONDS)
    return task.result() if done else turns.hold(answer)


def _thought(task: asyncio.Task[str]) -> None:
    _thinking.discard(task)
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("A turn could not be taken.", exc_info=error)


async def awaited(call_id: Any, number: int) -> str:
    """TwiML of a turn that is being thought about, in whatever process. Holds no connection meanwhile.

    Where the process that thought is gone, its words are too: the person is asked again.
    """
    ends = asyncio.get_running_loop().time() + model_intents.MODEL_SECONDS + 1
    while asyncio.get_running_loop().time() < ends:
        if (told := await in_database(turns.answer_to, call_id, number)) is not None:
            return told
        await asyncio.sleep(LOOK_SECONDS)
    return await in_database(turns.hear, call_id, number, Heard())


async def _intent(unsure: turns.Unsure, heard: Heard) -> str:
    """A model's word for what was meant. Whatever goes wrong, the rules' own guess stands."""
    try:
        return await model_intents.intent_by_model(
            unsure.talk, heard.words, account=unsure.account, persona=unsure.persona
        )
    except Exception:  # not a model's doing, which intent_by_model answers for
        logger.exception("No model could be asked.")
        return ""
