"""The values of a phone talk that settles on a time: what goes into a turn, and what comes out. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal, get_args

Stage = Literal["greeting", "offering", "confirming", "ended"]
Intent = Literal[
    "confirm", "reject", "other_time", "repeat", "wrong_person", "voicemail", "stop_calling", "choose",
    "unclear", "silence",
]  # fmt: skip
Outcome = Literal[
    "", "booked", "declined", "wrong_person", "voicemail", "stop_calling", "no_slot_suits", "given_up"
]

INTENTS: tuple[Intent, ...] = get_args(Intent)
STAGES: tuple[Stage, ...] = get_args(Stage)


@dataclass(frozen=True, slots=True)
class Slot:
    """A time that can be booked. Both ends are aware and in UTC."""

    id: str
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Heard:
    """What came from the person: words with a confidence from 0 to 1, or keys. Neither: silence."""

    words: str = ""
    confidence: float = 1.0
    digits: str = ""


@dataclass(frozen=True, slots=True)
class Talk:
    """Where a talk stands: all that must be kept between two turns.

    `offered` is what was read out last, in its order ("the second one"); `chosen` is what was read back.
    `turns` counts answers, `reprompts` what was not understood or not heard since the last that was.
    """

    stage: Stage = "greeting"
    offered: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    chosen: str = ""
    turns: int = 0
    reprompts: int = 0
    language: str = "en"

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "offered": list(self.offered), "refused": list(self.refused)}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Talk":
        """Raises ValueError for what no talk wrote."""
        stage = kept.get("stage")
        if stage not in STAGES:
            raise ValueError(f"A talk has no stage {stage!r}.")
        return cls(
            stage=stage,
            offered=_ids(kept.get("offered", ())),
            refused=_ids(kept.get("refused", ())),
            chosen=str(kept.get("chosen", "")),
            turns=int(kept.get("turns", 0)),
            reprompts=int(kept.get("reprompts", 0)),
            language=str(kept.get("language", "en")),
        )


def _ids(kept: object) -> tuple[str, ...]:
    if isinstance(kept, str) or not isinstance(kept, Sequence):
        raise ValueError("Slots of a talk are a list.")
    return tuple(str(slot) for slot in kept)


@dataclass(frozen=True, slots=True)
class Invitation:
    """Whom we call, for whom, and how long the talk may be. Times are spoken in `zone` (an IANA name)."""

    candidate: str
    company: str
    position: str
    zone: str
    language: str = "en"
    max_turns: int = 6
    max_reprompts: int = 2
    writes: bool = False  # an email about what is booked follows
    is_recorded: bool = False  # which is said first


@dataclass(frozen=True, slots=True)
class Move:
    """What to do next. Only plain words are in `say`: whoever puts them into a document escapes them.

    `book` names the slot to book now. Where that fails, `slot_taken` goes on from this move's talk.
    Where `is_unsure`, a model may be asked which intent it was, and `answer` called again with it.
    """

    say: str
    talk: Talk
    intent: Intent
    confidence: float = 1.0
    why: str = ""
    listens: bool = True
    book: str = ""
    outcome: Outcome = ""
    is_unsure: bool = False
