"""Spoken dates and times as a wish: "not before ten", "anything Thursday afternoon", "I can't do Monday".

Pure. Days and times are written as marks first (day_marks.py); what is here reads the marks clause by clause.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise

from voice.phrases import Phrases, any_of, whole_words
from voice.wishes import DAY_MINUTES, Range, Relative, Wish

ABOUT_MINUTES = 30  # "around ten"
_MARK = re.compile(r"(?:<(?P<limit>\w+) (?:\w+ )?)?(?P<kind>[=~^@])(?P<value>\S+)")
# What a refused limit leaves: who cannot come before ten comes from ten on.
_OPPOSITE = {"before": "from", "until": "after", "from": "before", "after": "before"}


@dataclass(frozen=True, slots=True)
class _Group:
    """Marks said in one breath, and whether they are refused."""

    marks: tuple[re.Match[str], ...]
    is_refused: bool


def wish_in(with_marks: str, phrases: Phrases, *, today: date) -> Wish:
    """The wish in a text with marks. A falsy one where no day or time was named."""
    with_marks = _joined(with_marks, phrases)
    wish = Wish(relative=_relative(with_marks, phrases))
    hedge = whole_words(phrases.raw["terms"]["hedge_clause"])
    for clause in re.split(r"\|", hedge.sub("|", with_marks)):
        for group in _groups(clause, phrases):
            wish = _with_group(wish, group, today)
    return wish


def _joined(text: str, phrases: Phrases) -> str:
    """Each of "between nine and eleven", "nine to eleven" and "around ten" as one window."""
    relations = phrases.raw["relations"]
    joins, to = any_of(relations["joins"]), any_of(relations["to"])
    for form in (rf"<(?:between|from) @(\S+) (?:{joins}|<until) @(\S+)", rf"@(\S+) (?:{to}|<until) @(\S+)"):
        text = re.sub(form, _between, text)
    text = re.sub(r"<about @(\S+)", _around, text)
    text = re.sub(r"([~=@])(\S+) >later(?!\S)", r"<from \1\2", text)
    return re.sub(r"([~=@])(\S+) >earlier(?!\S)", r"<until \1\2", text)


def _between(match: re.Match[str]) -> str:
    start = by_day(match[1])
    ends = [minute for minute in _minutes(match[2]) if minute > start]
    return f"^{start}-{ends[0]}" if ends else match.group()


def _around(match: re.Match[str]) -> str:
    minute = by_day(match[1])
    return f"^{max(minute - ABOUT_MINUTES, 0)}-{min(minute + ABOUT_MINUTES + 1, DAY_MINUTES)}"


def _minutes(value: str) -> list[int]:
    return [int(minute) for minute in value.split(",")]


def by_day(value: str) -> int:
    """Of the two times an hour may be, the one in working hours."""
    minutes = _minutes(value)
    return next((minute for minute in minutes if 7 * 60 <= minute < 19 * 60), minutes[0])


def _relative(text: str, phrases: Phrases) -> Relative:
    groups: tuple[Relative, ...] = ("other_day", "later", "earlier", "other")
    return next((group for group in groups if phrases.found(group, text)), "")


def _groups(clause: str, phrases: Phrases) -> Iterator[_Group]:
    """Marks parted by nothing but small words are one group."""
    marks = list(_MARK.finditer(clause))
    if not marks:
        return
    glue = re.compile(rf"\s*(?:(?:{any_of(phrases.raw['relations']['glue'])})(?: |$))*")
    runs = [[marks[0]]]
    for before, mark in pairwise(marks):
        if glue.fullmatch(clause[before.end() : mark.start()].lstrip()):
            runs[-1].append(mark)
        else:
            runs.append([mark])
    ends = [run[0].start() for run in runs[1:]] + [len(clause)]
    carried = bool(phrases.found("negation", clause[: marks[0].start()]))
    for run, end in zip(runs, ends, strict=True):
        own, of_next = _shared(clause[run[-1].end() : end], phrases, is_last=end == len(clause))
        yield _Group(tuple(run), _is_refused(own, phrases, carried=carried))
        carried = carried or of_next


def _shared(following: str, phrases: Phrases, *, is_last: bool) -> tuple[str, bool]:
    """What follows a group, without a "not" that belongs to the next: "Thursday not Friday"."""
    match = re.search(rf"\s(?:{any_of(phrases.raw['terms']['negation'])})\s*$", following)
    return (following, False) if is_last or not match else (following[: match.start()], True)


def _is_refused(following: str, phrases: Phrases, *, carried: bool) -> bool:
    """What follows decides ("Monday doesn't work"), else a "not" before the first of them."""
    if phrases.found("negation", following):
        return True
    return carried and not phrases.found("fits", following)


def _with_group(wish: Wish, group: _Group, today: date) -> Wish:
    said = Range()
    for mark in group.marks:
        limit = mark["limit"] or ""
        if ".." in mark["value"]:
            wish = _in_span(wish, mark["value"], is_refused=group.is_refused)
        elif limit and limit != "about" and mark["kind"] != "^":
            wish = _limited(wish, _OPPOSITE.get(limit, limit) if group.is_refused else limit, mark, today)
        else:
            said = _with_mark(said, mark)
    if not said:
        return wish
    if group.is_refused:
        return replace(wish, unwanted=(*wish.unwanted, said))
    wanted = wish.wanted
    return replace(
        wish,
        wanted=Range(
            wanted.dates | said.dates,
            wanted.weekdays | said.weekdays,
            wanted.windows | said.windows,
            wanted.at | said.at,
        ),
    )


def _in_span(wish: Wish, value: str, *, is_refused: bool) -> Wish:
    start, _, end = value.partition("..")
    if is_refused:  # "not this week"
        return replace(wish, first=date.fromisoformat(end) + timedelta(days=1))
    return replace(wish, first=date.fromisoformat(start), last=date.fromisoformat(end))


def _with_mark(said: Range, mark: re.Match[str]) -> Range:
    kind, value = mark["kind"], mark["value"]
    if kind == "=":
        return replace(said, dates=said.dates | {date.fromisoformat(value)})
    if kind == "~":
        return replace(said, weekdays=said.weekdays | {int(value)})
    if kind == "^":
        start, _, end = value.partition("-")
        return replace(said, windows=said.windows | {(int(start), int(end))})
    return replace(said, at=said.at | frozenset(_minutes(value)))


def _limited(wish: Wish, limit: str, mark: re.Match[str], today: date) -> Wish:
    if mark["kind"] == "@":
        minute = by_day(mark["value"])
        if limit in ("before", "until"):
            return replace(wish, latest=minute + (limit == "until"))
        return replace(wish, earliest=minute)
    day = _day(mark, today)
    one = timedelta(days=1)
    if limit in ("before", "until"):
        return replace(wish, last=day - one if limit == "before" else day)
    return replace(wish, first=day + one if limit == "after" else day)


def _day(mark: re.Match[str], today: date) -> date:
    if mark["kind"] == "=":
        return date.fromisoformat(mark["value"])
    return today + timedelta(days=(int(mark["value"]) - today.weekday()) % 7)
