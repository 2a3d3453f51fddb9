"""Which agent answers a message: rules over whole words, and a model only where they are unsure.

Pure but for `by_model`. A rule is a line of TERMS: another language, or another word, is one more entry.
"""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from config.api.models import Account
from personas import speaking
from personas.agents import AGENTS, BY_SLUG, GENERAL, SALES, SUPPORT, TECHNICAL
from personas.models import Persona

By = Literal["rules", "model", "staff"]

# From this weight on a word or two decide; a weaker hint only supports others.
ENOUGH = 1.0
# How far ahead of the next an agent must be. Closer than that, the rules do not know.
MARGIN = 0.5
MODEL_SECONDS = 2.5  # a person is waiting
READ_CHARACTERS = 2_000  # what a message wants shows early
WORDS_IN_REASON = 4

# Language → agent → term → weight. A term is whole words; `*` stands for any ending of its word. 1 decides
# alone, 2 outweighs a single other word, 0.5 is a hint.
TERMS: Mapping[str, Mapping[str, Mapping[str, float]]] = {
    "en": {
        SALES: {
            "price*": 1.5, "pricing": 1.5, "cost": 1, "costs": 1, "how much": 1, "buy": 1.5, "buying": 1.5,
            "purchas*": 1.5, "quote": 1, "quotation": 1.5, "discount*": 1.5, "demo": 1.5, "free trial": 2,
            "trial": 1, "subscription*": 1, "plans": 1, "which plan": 1.5, "upgrade*": 1, "licen?e*": 1,
            "sales": 2, "sales team": 1, "compare*": 1, "comparison": 1, "competitor*": 1, "feature*": 1,
            "offer*": 0.5, "enterprise": 0.5, "per seat": 1, "per user": 1, "roi": 1, "volume": 0.5,
            "in stock": 1, "order form": 1, "contract": 0.5, "interested in": 1, "product": 0.5,
            "recommend": 0.5, "budget": 0.5, "cheap*": 1, "expensive": 1,
        },
        SUPPORT: {
            "refund*": 2, "money back": 2, "invoice*": 1.5, "charged": 1.5, "billing": 1.5, "paid twice": 2,
            "cancel*": 1.5, "my account": 1, "password": 1.5, "log in": 1, "login": 1, "sign in": 1,
            "locked out": 2, "my order": 1.5, "order status": 1.5, "tracking number": 1.5, "delivery": 1,
            "shipped": 1, "return it": 1, "send it back": 1.5, "complain*": 1.5, "broken": 1, "damaged": 1.5,
            "not working": 1, "does not work": 1, "doesn't work": 1, "doesn t work": 1, "stopped working": 1,
            "problem*": 1, "issue*": 0.5, "help me": 0.5, "support": 1.5, "support team": 1, "warranty": 1,
            "repair*": 1, "reset": 0.5, "unsubscribe": 1, "delete my": 1, "change my": 1, "update my": 1,
            "complaint*": 1.5, "speak to a human": 1.5, "talk to someone": 1.5, "lost": 0.5, "missing": 0.5,
            "urgent": 0.5, "frustrat*": 1, "can't access": 1.5, "cannot access": 1.5, "late": 0.5,
        },
        TECHNICAL: {
            "api": 2, "apis": 2, "api key": 1, "sdk*": 2, "webhook*": 2, "endpoint*": 2, "integrat*": 1.5,
            "install*": 1.5, "configur*": 1.5, "config": 1.5, "deploy*": 1.5, "docker": 2, "kubernetes": 2,
            "server*": 1, "database*": 1, "sql": 1.5, "json": 1.5, "csv": 0.5, "xml": 1, "oauth": 2, "sso": 2,
            "saml": 2, "dns": 1.5, "smtp": 1.5, "ssl": 1.5, "tls": 1.5, "http": 1, "https": 1, "curl": 1.5,
            "python": 1.5, "javascript": 1.5, "java": 1.5, "code": 0.5, "source code": 1.5, "script*": 1,
            "stack trace": 2, "traceback": 2, "exception": 1, "error code": 1.5, "error message": 1,
            "error*": 0.5, "status code": 1.5, "timeout*": 1, "latency": 1, "rate limit*": 1.5, "backup*": 1,
            "migrat*": 1, "firmware": 1.5, "driver*": 1, "compatib*": 1, "version": 0.5, "log file*": 1.5,
            "command line": 1.5, "cli": 1.5, "encrypt*": 1, "payload": 1.5, "repository": 1, "library": 0.5,
            "crash*": 1, "bug*": 1, "debug*": 1.5, "requirements": 0.5, "specification*": 0.5,
        },
        GENERAL: {
            "hello": 1, "hi": 1, "hey": 1, "good morning": 1, "good afternoon": 1, "good evening": 1,
            "thank you": 1, "thanks": 1, "bye": 1, "goodbye": 1, "how are you": 1.5, "who are you": 1.5,
            "what can you do": 1.5, "what is your name": 1.5, "are you a robot": 1.5, "are you human": 1.5,
            "are you an ai": 1.5, "opening hours": 1.5, "where are you": 1, "your address": 1,
            "nice to meet you": 1, "how can you help": 1.5, "what do you do": 1,
        },
    },
    "de": {
        SALES: {"preis*": 1.5, "kostet": 1, "kosten": 1, "kaufen": 1.5, "angebot": 1, "rabatt": 1.5,
                "testversion": 1.5, "funktionen": 1},
        SUPPORT: {"rückerstattung": 2, "rechnung*": 1.5, "kündig*": 1.5, "passwort": 1.5, "bestellung": 1,
                  "lieferung": 1, "kaputt": 1, "funktioniert nicht": 1, "beschwer*": 1.5, "problem*": 1},
        TECHNICAL: {"schnittstelle*": 1.5, "installier*": 1.5, "konfigurier*": 1.5, "datenbank*": 1,
                    "fehlermeldung*": 1},
        GENERAL: {"hallo": 1, "guten tag": 1, "guten morgen": 1, "danke": 1, "wer bist du": 1.5},
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Choice:
    """An agent, how sure (0 to 1), and why, in words. A model should be asked where it is not `is_sure`."""

    agent: str
    score: float
    reason: str
    by: By = "rules"
    is_sure: bool = True

    def to_json(self) -> dict[str, str | float]:
        """What a reply keeps of it (Message.routing)."""
        return {"agent": self.agent, "reason": self.reason, "by": self.by, "score": self.score}


@dataclass(frozen=True, slots=True)
class Term:
    plain: str  # a part of it that every match holds: looked for first, which takes a fiftieth of the time
    pattern: re.Pattern[str]
    agent: str
    weight: float


def by_rules(text: str, *, current: str = "") -> Choice:
    """The agent that the words of a message point to. `current` answered before, and stays when nothing
    points clearly elsewhere, so that "and in blue?" is not answered by somebody new.
    """
    hits = _hits(text)
    ranked = sorted(((sum(words.values()), agent) for agent, words in hits.items()), reverse=True)
    # A greeting before a question is politeness, not what the message is about.
    if any(weight >= ENOUGH for weight, agent in ranked if agent != GENERAL):
        ranked = [entry for entry in ranked if entry[1] != GENERAL]
    best, agent = ranked[0] if ranked else (0.0, "")
    second = ranked[1][0] if len(ranked) > 1 else 0.0
    if best >= ENOUGH and best - second >= MARGIN:
        if agent == GENERAL and current:
            return _stays(current)
        return Choice(agent, round(best / (best + second), 2), _reason(hits[agent]))
    return _undecided(current, [name for weight, name in ranked if weight >= ENOUGH])


def _undecided(current: str, rivals: list[str]) -> Choice:
    if current and (not rivals or current in rivals):
        return _stays(current)
    if rivals:
        named = " and ".join(BY_SLUG[slug].name for slug in sorted(rivals[:2]))
        fallback = current or rivals[0]
        return Choice(fallback, 0.5, f"Words point to {named} alike.", is_sure=False)
    return Choice(current or GENERAL, 0.3, "No word points to an agent.", is_sure=False)


def _stays(current: str) -> Choice:
    return Choice(current, 0.5, "The talk stays with its agent: nothing points clearly to another.")


def _reason(words: Mapping[str, float]) -> str:
    strongest = sorted(words, key=lambda word: -words[word])[:WORDS_IN_REASON]
    return f"The message says {', '.join(f'“{word}”' for word in strongest)}."


@lru_cache(maxsize=256)  # a turn asks when it chooses the agent, and when it plans the reply
def _hits(text: str) -> Mapping[str, Mapping[str, float]]:
    """Agent → the words found for it, each with its weight."""
    read = " ".join(text[:READ_CHARACTERS].casefold().replace("’", "'").split())
    found: dict[str, dict[str, float]] = {}
    for term in _terms():
        if term.plain in read and (match := term.pattern.search(read)):
            found.setdefault(term.agent, {})[match.group()] = term.weight
    return found


@lru_cache(maxsize=1)
def _terms() -> tuple[Term, ...]:
    return tuple(
        Term(max(re.split(r"[*? ]", words.casefold()), key=len), _pattern(words), agent, weight)
        for by_agent in TERMS.values()
        for agent, terms in by_agent.items()
        for words, weight in terms.items()
    )


def _pattern(words: str) -> re.Pattern[str]:
    """Whole words only: "rent" is not in "different"."""
    body = re.escape(words.casefold()).replace(r"\*", r"\w*").replace(r"\?", r"\w").replace(r"\ ", r"[\s-]")
    return re.compile(rf"(?<!\w){body}(?!\w)")


async def by_model(text: str, choice: Choice, *, account: Account, persona: Persona | None) -> Choice:
    """The choice of a model where the rules are unsure; theirs when it is away, slow, or unsure too."""
    labels = {agent.slug.removesuffix("_agent"): agent.slug for agent in AGENTS}
    topics = "; ".join(f"{label}: {BY_SLUG[slug].answers}" for label, slug in labels.items())
    instruction = f"A person wrote to a company. Who should answer? {topics}."
    try:
        async with asyncio.timeout(MODEL_SECONDS):
            label = await speaking.classify(persona, instruction, text, tuple(labels), account=account)
    except TimeoutError:
        return choice
    slug = labels.get(label or "")
    if slug is None:
        return choice
    return Choice(slug, 0.8, f"A model chose {BY_SLUG[slug].name} from the message.", by="model")


def asks_a_model(choice: Choice, persona: Persona | None) -> bool:
    return not choice.is_sure and speaking.has_model(persona)
