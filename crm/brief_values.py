"""The values a brief is made of: plain, frozen, and the same in JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

KINDS = ("open", "choice", "scale", "date")
MOST_TURNS, MOST_MINUTES = 400, 600


class InvalidBrief(ValueError):  # noqa: N818
    """The JSON is not a brief."""


@dataclass(frozen=True, slots=True)
class BriefQuestion:
    key: str
    text: str
    topic: str = ""
    kind: str = "open"
    choices: tuple[str, ...] = ()
    must_ask: bool = True
    probe_depth: int = 1
    probes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.topic or self.text


@dataclass(frozen=True, slots=True)
class Limits:
    turns: int = 40  # messages of the person
    minutes: int = 60  # since `started_at`


@dataclass(frozen=True, slots=True)
class Brief:
    """All that a talk is about. Without questions it is a free talk, which only the person ends."""

    organisation: str = ""
    guide_name: str = ""
    goal: str = ""
    language: str = "en"
    welcome: str = ""
    closing: str = ""
    minutes: int = 10  # as told to the person
    questions: tuple[BriefQuestion, ...] = ()
    limits: Limits = field(default_factory=Limits)
    forbidden_topics: str = ""
    privacy: str = ""  # who reads the answers, as the consent text says it
    started_at: str = ""  # ISO 8601 with zone

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Brief":
        """Reads what `to_json` wrote; unknown keys are left out. Raises InvalidBrief."""
        if not isinstance(data, Mapping):
            raise InvalidBrief("A brief is a JSON object.")
        texts = (
            "organisation",
            "guide_name",
            "goal",
            "language",
            "welcome",
            "closing",
            "privacy",
            "started_at",
        )
        questions = tuple(_question(item) for item in data.get("questions") or ())
        if len({question.key for question in questions}) != len(questions):
            raise InvalidBrief("Two questions have the same key.")
        return cls(
            **{name: str(data[name]) for name in texts if data.get(name)},
            forbidden_topics=_lines(data.get("forbidden_topics")),
            minutes=_whole(data.get("minutes"), 10, most=MOST_MINUTES),
            questions=questions,
            limits=_limits(data.get("limits") or {}),
        )

    def to_json(self) -> dict[str, Any]:
        data = asdict(self)
        data["questions"] = [
            {**asdict(item), "choices": list(item.choices), "probes": list(item.probes)}
            for item in self.questions
        ]
        return data

    def question(self, key: str) -> BriefQuestion | None:
        return next((question for question in self.questions if question.key == key), None)

    def began(self) -> datetime | None:
        try:
            return datetime.fromisoformat(self.started_at) if self.started_at else None
        except ValueError:
            return None


def _question(item: Mapping[str, Any]) -> BriefQuestion:
    if not isinstance(item, Mapping) or not item.get("key") or not item.get("text"):
        raise InvalidBrief("Every question has a key and a text.")
    kind = str(item.get("kind") or "open")
    return BriefQuestion(
        key=str(item["key"])[:60],
        text=str(item["text"]),
        topic=str(item.get("topic") or ""),
        kind=kind if kind in KINDS else "open",
        choices=tuple(str(choice) for choice in item.get("choices") or ()),
        must_ask=bool(item.get("must_ask", True)),
        probe_depth=_whole(item.get("probe_depth"), 1, least=0, most=5),
        probes=tuple(str(probe) for probe in item.get("probes") or () if str(probe).strip()),
    )


def _limits(data: Mapping[str, Any]) -> Limits:
    if not isinstance(data, Mapping):
        raise InvalidBrief("Limits are an object with turns and minutes.")
    return Limits(
        turns=_whole(data.get("turns"), 40, most=MOST_TURNS),
        minutes=_whole(data.get("minutes"), 60, most=MOST_MINUTES),
    )


def _lines(value: Any) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "\n".join(str(item) for item in value)
    return str(value or "")


def _whole(value: Any, default: int, *, least: int = 1, most: int) -> int:
    if value is None or isinstance(value, bool):
        return default
    try:
        return min(max(int(value), least), most)
    except (TypeError, ValueError):
        return default


@dataclass(frozen=True, slots=True)
class Said:
    """One message of a talk, as light as a planner needs it."""

    author: str  # person | persona | staff | system
    text: str
    act: str = ""
    question_key: str = ""
    seq: int = 0
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    answered: int
    total: int
    question_key: str
    topic: str
    percent: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """What the person answered to one question. `text` joins their messages; `seqs` names them."""

    question_key: str
    kind: str  # answered | skipped | refused | withheld
    seqs: tuple[int, ...] = ()
    text: str = ""
    corrected: bool = False
