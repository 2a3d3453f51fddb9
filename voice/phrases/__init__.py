"""The words of a language on the phone: what is said and what is recognised, one TOML file per language."""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

DEFAULT = "en"
_NAMED = ("own_name", "not_name", "away_name")
_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Phrases:
    """One language, its terms compiled. `raw` is its file as it stands."""

    language: str
    raw: Mapping[str, Any]
    say: Mapping[str, str]
    terms: Mapping[str, re.Pattern[str]]
    idioms: re.Pattern[str]
    clocks: Sequence[tuple[re.Pattern[str], Mapping[str, Any]]]  # with the entry of the file

    def found(self, group: str, text: str) -> str:
        """The first term of a group that stands in a plain text, or nothing."""
        match = self.terms[group].search(text)
        return match.group() if match else ""


def phrases_of(language: str) -> Phrases:
    """The words of a language tag ("en", "en-GB"); those of English where no file has its own."""
    main = language.strip().casefold().replace("_", "-").partition("-")[0]
    return _read(main if main in languages() else DEFAULT)


@lru_cache(maxsize=1)
def languages() -> frozenset[str]:
    return frozenset(file.stem for file in _HERE.glob("*.toml"))


@cache  # as many as there are files
def _read(language: str) -> Phrases:
    raw = tomllib.loads((_HERE / f"{language}.toml").read_text(encoding="utf-8"))
    return Phrases(
        language=language,
        raw=raw,
        say=raw["say"],
        # Names are filled in when it is known who is called.
        terms={group: whole_words(terms) for group, terms in raw["terms"].items() if group not in _NAMED},
        idioms=whole_words(raw["idioms"]),
        clocks=[(_clock(entry["form"], raw), entry) for entry in raw["clock"]],
    )


def whole_words(terms: Iterable[str]) -> re.Pattern[str]:
    """A pattern for any of the terms, in a text whose words are parted by single spaces. The longest wins."""
    return re.compile(rf"(?<!\S)(?:{any_of(terms)})(?!\S)")


def any_of(terms: Iterable[str]) -> str:
    longest_first: Sequence[str] = sorted(terms, key=lambda term: (-len(term), term))
    return "|".join(re.escape(term).replace(r"\*", r"\S*") for term in longest_first)


def hour_of(raw: Mapping[str, Any]) -> str:
    return rf"\d{{1,2}}|{re.escape(raw['calendar']['one'])}"


def _clock(form: str, raw: Mapping[str, Any]) -> re.Pattern[str]:
    half = any_of(raw["meridiem"]["am"] + raw["meridiem"]["pm"])
    is_alone = form == "{h}"  # a number is a time only with its half of the day
    body = form.replace("{h}", rf"(?P<h>{hour_of(raw)})").replace("{m}", r"(?P<m>\d{1,2})")
    suffix = rf" (?P<half>{half})"
    return re.compile(rf"(?<!\S){body}{suffix if is_alone else f'(?:{suffix})?'}(?!\S)")
