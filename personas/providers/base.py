"""The whole interface between the product and a model: a prompt goes in, deltas and one `Done` come out."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class Picture:
    """An image as its bytes: providers never fetch an address."""

    data: bytes
    mime: str


@dataclass(frozen=True, slots=True)
class Audio:
    data: bytes
    mime: str


@dataclass(frozen=True, slots=True)
class Turn:
    """One earlier message. `assistant` is the persona, `user` the person.

    A provider that cannot see or hear passes over what is attached.
    """

    role: Literal["user", "assistant"]
    text: str
    pictures: tuple[Picture, ...] = ()
    audio: tuple[Audio, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """A retrieved passage, numbered from 1 as the answer may cite it: [1]."""

    number: int
    title: str
    text: str


class Act(StrEnum):
    """What the persona's turn must do. Code decides it; a provider only words it."""

    GREET = "greet"
    ASK = "ask"
    PROBE = "probe"
    CLARIFY = "clarify"
    ANSWER = "answer"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class TurnPlan:
    """What this turn must do, decided in code by a conversation's planner.

    `say` is complete as it stands: the offline provider says exactly that. `instruction` tells a
    model what to do instead of repeating `say`; it never holds text of the person.
    """

    act: Act
    say: str = ""
    instruction: str = ""
    choices: tuple[str, ...] = ()
    question_key: str = ""
    search: str = ""  # words to retrieve passages by; empty: none wanted
    ends: bool = False
    end_reason: str = ""  # completed | limit | stopped | declined | …; with `ends`
    max_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Prompt:
    """All a provider may know of a turn. Text of people is only ever in `turns` and `sources`."""

    system: str
    turns: Sequence[Turn]
    plan: TurnPlan
    sources: Sequence[Source] = ()
    model: str = ""
    temperature: float = 0.6
    max_tokens: int = 600
    language: str = "en"
    stop: Sequence[str] = ()
    # The talk's own name, for a vendor that remembers talks. Given only where nothing but the person's
    # words need be sent: a persona without instructions, a talk without a brief.
    session: str = ""
    # Nothing of ours is added to plan.instruction: for a label or JSON rather than for speech.
    bare_instruction: bool = False


@dataclass(frozen=True, slots=True)
class Delta:
    text: str


@dataclass(frozen=True, slots=True)
class Done:
    """The end of a whole reply; nothing comes after it. Token counts are the vendor's, None if unknown.

    `is_estimated` is for what is counted of replies (personas/estimating.py); no provider sets it.
    """

    provider: str
    model: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    finish: Literal["stop", "length"] = "stop"
    is_estimated: bool = False


@dataclass(frozen=True, slots=True)
class Transcription:
    text: str
    language: str = ""
    duration_seconds: float | None = None
    model: str = ""  # that wrote it down


@dataclass(eq=False)
class ProviderError(Exception):
    """The one error a provider raises. `code` and `message` may be shown; neither holds a secret.

    Codes: refused_connection, timeout, rate_limited, unavailable, bad_response, truncated, empty,
    content_filter, authentication, invalid_request, unsupported, budget_exhausted.
    """

    code: str
    message: str
    retryable: bool
    provider: str = ""
    retry_after_seconds: float | None = None

    def __str__(self) -> str:
        return f"{self.provider or 'provider'}: {self.code}: {self.message}"


class Provider(Protocol):
    """What every vendor module offers. Methods raise ProviderError and nothing else.

    A vendor's class is made by `providers.registry` as `Class(name, options)`, with its entry of
    settings.PROVIDERS, in which an account's own key may have replaced the installation's.
    """

    name: str

    def stream(self, prompt: Prompt) -> AsyncIterator[Delta | Done]:
        """Any number of deltas, then exactly one `Done`. Closing the iterator closes the vendor's stream."""
        ...

    async def embed(self, model: str, texts: Sequence[str]) -> list[list[float]]: ...

    async def transcribe(self, audio: Audio) -> Transcription: ...
