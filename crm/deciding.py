"""From a claimed turn to the prompt of its reply: what was meant, what to do, which passages, which words."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Any, Literal

from django.utils import timezone
from django.utils.module_loading import import_string

from config.api.threads import in_database
from crm import briefs, filling, moderation, persona_senses, remembering
from crm.briefs import Said
from crm.models import Contact, Conversation, MediaFile
from crm.persona_senses import Pictures
from crm.recognising import Recognition, named_question, previous_key
from crm.standing import UNFIT, WITHHELD
from crm.turns import Turn
from knowledge import search
from personas import prompts, speaking
from personas.models import Persona
from personas.providers.base import Prompt, Source, TurnPlan
from personas.providers.base import Turn as Line

logger = logging.getLogger(__name__)

Planner = Callable[..., TurnPlan]
# Below this a rule is a guess, and a model, where there is one, is asked.
SURE_ENOUGH = 0.6
# What a model's label becomes: a model alone never ends a talk, the person is asked first.
LABELS = {
    "answers the question": "answer",
    "skips the question": "skip",
    "refuses to answer": "refuse",
    "wants to end the interview": "maybe_stop",
    "wants to go back": "back",
    "asks for the question again": "repeat",
    "asks about the interview": "ask",
}
# History that a model gets; a token is about four characters of English.
HISTORY_CHARACTERS = 12_000
HISTORY_MESSAGES = 40
TAKEN_OUT = "(The person withheld this answer.)"


@dataclass(frozen=True, slots=True)
class Decision:
    plan: TurnPlan
    read: Recognition
    prompt: Prompt
    sources: tuple[dict[str, Any], ...] = ()


@lru_cache(maxsize=32)
def planner_at(path: str) -> Planner:
    planner: Planner = import_string(path)
    return planner


async def decide(turn: Turn) -> Decision:
    """Raises ProviderError where a voice message cannot be heard now, or moderation refuses what was said;
    nothing else of its own.

    A brief or planner that is at fault is a bug and fails the turn.
    """
    turn = await moderation.checked_input(await persona_senses.heard(turn))
    pictures, memory = await _of_influencer(turn) if turn.conversation.pair_key is not None else ({}, ())
    read = await _read(turn)
    said = [*turn.said[:-1], replace(turn.said[-1], act=read.act, question_key=read.question_key)]
    planner = planner_at(turn.conversation.planner)
    # What a persona says by example is for planners that let it speak for itself.
    told = {**turn.conversation.brief, "examples": filling.examples_for(turn.persona, contact_in(turn))}
    brief = turn.brief if planner is briefs.plan else told
    plan = planner(brief, said, now=timezone.now())
    passages = await _passages(turn, plan)
    sources = [Source(number, item.title, item.text) for number, item in enumerate(passages, start=1)]
    prompt = _prompt(turn, history(said, pictures), memory=memory, plan=plan, sources=sources)
    return Decision(
        plan, read, prompt, tuple(_shown(number, item) for number, item in enumerate(passages, start=1))
    )


async def _of_influencer(turn: Turn) -> tuple[Pictures, tuple[Line, ...]]:
    """What a chat with an influencer adds to the prompt. What is remembered comes first, as data."""
    recalled, pictures = await in_database(_known_of_influencer, turn)
    memory = (Line("user", recalled),) if recalled else ()
    return await persona_senses.seen(pictures), memory


def _known_of_influencer(turn: Turn) -> tuple[str, dict[int, list[MediaFile]]]:
    fell_out = turn.message.seq > HISTORY_MESSAGES
    recalled = remembering.recalled(turn.conversation, with_summary=fell_out)
    return recalled, persona_senses.latest_pictures(turn)


async def _read(turn: Turn) -> Recognition:
    message, brief = turn.message, turn.brief
    if not brief.questions:
        return Recognition(message.act, 1.0, message.question_key)
    by_rule = briefs.read_message(brief, turn.said)
    if message.act:
        return _by_button(turn, by_rule)
    if by_rule.confidence >= SURE_ENOUGH or not speaking.has_model(turn.persona):
        return by_rule
    return await _by_model(turn, by_rule)


def _by_button(turn: Turn, by_rule: Recognition) -> Recognition:
    """A button says what is meant; the question may be left to us."""
    message, brief = turn.message, turn.brief
    key = message.question_key
    if not key and message.act == by_rule.act:
        key = by_rule.question_key
    elif not key and message.act in ("back", "correct"):
        key = named_question(message.text.lower(), brief)
        if not key and message.act == "back":
            key = previous_key(brief, briefs.stand(brief, turn.said[:-1]).current)
    elif not key:
        key = by_rule.question_key
    return Recognition(message.act, 1.0, key)


async def _by_model(turn: Turn, by_rule: Recognition) -> Recognition:
    question = next((said.text for said in reversed(turn.said) if said.author == "persona"), "")
    instruction = f"In an interview this was asked: {question!r}. What does the person's message do?"
    label = await speaking.classify(
        turn.persona, instruction, turn.said[-1].text, tuple(LABELS), account=turn.conversation.account
    )
    act = LABELS.get(label or "", by_rule.act)
    if act == by_rule.act:
        return by_rule
    key = by_rule.question_key
    if act == "back":
        key = previous_key(turn.brief, key)
    return Recognition(act, SURE_ENOUGH, key)


async def _passages(turn: Turn, plan: TurnPlan) -> Sequence[Any]:
    if not plan.search:
        return ()
    account = turn.conversation.account
    return await search.passages_for(plan.search, account=account, collections=partial(_collections, turn))


def _collections(turn: Turn) -> list[Any]:
    account = turn.conversation.account
    readable = list(search.readable_collections(account, persona=turn.persona))
    if turn.conversation.brief.get("by_staff"):
        known = {collection.pk for collection in readable}
        readable += [one for one in search.readable_collections(account, staff=True) if one.pk not in known]
    return readable


def _shown(number: int, passage: Any) -> dict[str, Any]:
    """A source as the page shows it beside the reply."""
    return {
        "number": number,
        "title": passage.title,
        "text": passage.text[:1_000],
        "document_id": str(passage.document_id),
        "locator": passage.locator,
        "score": passage.score,
        "chunk_id": str(passage.chunk_id),
        "filename": passage.filename,
    }


def _prompt(
    turn: Turn, turns: Sequence[Line], *, memory: Sequence[Line], plan: TurnPlan, sources: Sequence[Source]
) -> Prompt:
    persona, brief = turn.persona, turn.brief
    said = [line.text for line in turns]
    language = str(turn.conversation.brief.get("language") or persona.language)
    system = prompts.system_prompt(persona, language=language, said=said, **filling.about(contact_in(turn)))
    more = briefs.instructions(brief)
    return Prompt(
        system=f"{system}\n\n{more}" if more else system,
        turns=(*memory, *turns),
        plan=plan,
        sources=tuple(sources),
        model=persona.model,
        temperature=persona.temperature,
        max_tokens=plan.max_tokens or persona.max_tokens,
        language=language,
        # Only a persona that we tell nothing may be led by what a vendor remembers of the talk.
        session="" if more or _is_described(persona) else turn.conversation.label,
    )


def contact_in(turn: Turn) -> Contact | None:
    """The person, where the turn has read them: nothing is read on the event loop."""
    is_read = Conversation._meta.get_field("contact").is_cached(turn.conversation)  # type: ignore[union-attr]
    return turn.conversation.contact if is_read else None


def _is_described(persona: Persona) -> bool:
    return bool(persona.instructions or persona.traits or persona.examples)


def history(said: Sequence[Said], pictures: Pictures = MappingProxyType({})) -> tuple[Line, ...]:
    """The latest messages that fit, oldest first.

    Staff speak on the persona's side; the system's notes are left out.
    """
    lines: list[Line] = []
    left = HISTORY_CHARACTERS
    for message in reversed(said[-HISTORY_MESSAGES:]):
        if message.author == "system" or message.act == UNFIT:
            continue
        text = TAKEN_OUT if message.act == WITHHELD else persona_senses.pictured(message)
        left -= len(text)
        if left < 0 and lines:
            break
        role: Literal["user", "assistant"] = "user" if message.author == "person" else "assistant"
        lines.append(Line(role, text[-HISTORY_CHARACTERS:], pictures.get(message.seq, ())))
    return tuple(reversed(lines))
