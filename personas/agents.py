"""The agents that answer a chat: four assistants of each account, made at the first need, then staff's."""

import time
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils.translation import gettext_noop

from config.api.models import Account
from personas.models import Persona

SALES, SUPPORT, TECHNICAL, GENERAL = "sales_agent", "support_agent", "technical_agent", "general_agent"


@dataclass(frozen=True, slots=True)
class Agent:
    """What an agent begins as. `category` is what a conversation with it is called."""

    slug: str
    name: str
    category: str
    answers: str  # what it is for, for people and for a model that chooses
    instructions: str


AGENTS: tuple[Agent, ...] = (
    Agent(
        SALES,
        gettext_noop("Sales agent"),
        "sales",
        "prices, plans, features, comparing and buying",
        "You help people find out whether the product fits them: what it does, what it costs, how to get it. "
        "Be honest about limits. Name a price, a date or a discount only when a passage gives it.",
    ),
    Agent(
        SUPPORT,
        gettext_noop("Support agent"),
        "support",
        "accounts, orders, bills, refunds and things that go wrong",
        "You help people who are stuck. Say what to do next, one step at a time. When you cannot solve it, "
        "say so and say what our team needs to know.",
    ),
    Agent(
        TECHNICAL,
        gettext_noop("Technical agent"),
        "support",
        "installing, APIs, integrations, configuration and error messages",
        "You answer technical questions exactly. Quote names, numbers and commands as the passages give "
        "them, and say which version or part they are about when it matters.",
    ),
    Agent(
        GENERAL,
        gettext_noop("General agent"),
        "general",
        "greetings, small talk and everything else",
        "You answer general questions briefly, and ask one short question back when it is unclear what is "
        "wanted.",
    ),
)
BY_SLUG = {agent.slug: agent for agent in AGENTS}
CATEGORIES = frozenset(agent.category for agent in AGENTS)


# How long a process goes on with the agents it read; then a change of staff shows. Tests change them at once.
KEPT_SECONDS = 0.0 if settings.TESTING else 5.0
_kept: dict[Any, tuple[float, dict[str, Persona]]] = {}


def agents_of(account: Account) -> dict[str, Persona]:
    """The account's agents by slug: at most one query once they are there, whoever makes them first.

    Read them, but change none: they are shared.
    """
    until, agents = _kept.get(account.pk, (0.0, {}))
    if time.monotonic() >= until:
        agents = _made(account)
        _kept[account.pk] = (time.monotonic() + KEPT_SECONDS, agents)
    return agents


def _made(account: Account) -> dict[str, Persona]:
    found = _found(account)
    if len(found) < len(AGENTS):
        missing = [_persona(account, agent) for agent in AGENTS if agent.slug not in found]
        Persona.objects.bulk_create(missing, ignore_conflicts=True)
        found = _found(account)
    return found


def _found(account: Account) -> dict[str, Persona]:
    rows = Persona.objects.for_account(account).filter(slug__in=BY_SLUG)
    return {persona.slug: persona for persona in rows}


def _persona(account: Account, agent: Agent) -> Persona:
    return Persona(
        account=account,
        slug=agent.slug,
        name=agent.name,
        kind=Persona.Kind.ASSISTANT,
        tagline=f"Answers about {agent.answers}."[:200],
        category=agent.category,
        instructions=agent.instructions,
        language=account.language,
        temperature=0.4,
    )


def category_of(slug: str) -> str:
    """What a conversation with this agent is called; `general` for any other persona."""
    agent = BY_SLUG.get(slug)
    return agent.category if agent else "general"
