"""Days and times in a plain text, each written as one mark of ours: the first half of reading a spoken date.

Pure. `=2026-12-03` a date, `~3` a weekday, `^720-1080` a part of a day, `@600,1320` a time of day in minutes
(both halves of the day where nothing says which), `<from` how the next mark limits the rest.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from functools import partial
from typing import Any

from voice.phrases import Phrases, any_of, hour_of, whole_words
from voice.wishes import DAY_MINUTES, minute_of, monday_of

_START, _END = r"(?<!\S)", r"(?!\S)"


def marked(text: str, phrases: Phrases, *, today: date) -> str:
    text = _days(_dates(text, phrases, today), phrases, today)
    for pattern, entry in phrases.clocks:  # before relations, whose "past" is another
        text = pattern.sub(partial(_time_mark, entry=entry, phrases=phrases), text)
    text = _numbered_days(_relations(text, phrases), phrases, today)
    return _bare_hours(_windows(text, phrases), phrases)


# --- days ---------------------------------------------------------------------------------------


def _dates(text: str, phrases: Phrases, today: date) -> str:
    """Dates with a month: "the third of March", "March third"."""
    calendar = phrases.raw["calendar"]
    of, the = any_of(calendar["of"]), any_of(calendar["the"])
    for month, names in enumerate(calendar["months"], start=1):
        name = any_of(names)
        for form in (
            rf"(?:(?:{the}) )?#?(?P<d>\d{{1,2}}) (?:(?:{of}) )?(?:{name})",
            rf"(?:{name}) (?:(?:{the}) )?#?(?P<d>\d{{1,2}})(?! \d\d{_END})(?!:)",
        ):
            text = re.sub(f"{_START}{form}{_END}", _month_day(month, today), text)
    return text


def _month_day(month: int, today: date) -> Callable[[re.Match[str]], str]:
    def mark(match: re.Match[str]) -> str:
        day = int(match["d"])
        for year in (today.year, today.year + 1):
            found = _date(year, month, day)
            if found and found >= today:
                return f"={found}"
        return match.group()

    return mark


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:  # the 31st of June, the 29th of February
        return None


def _relations(text: str, phrases: Phrases) -> str:
    """Words that limit: the "not" of "not before ten" must not be read as a refusal."""
    relations = phrases.raw["relations"]
    for name, terms in (("later", relations["or_later"]), ("earlier", relations["or_earlier"])):
        text = whole_words(terms).sub(f">{name}", text)
    names = {
        term: name
        for name in ("between", "about", "until", "before", "after", "from")
        for term in relations[name]
    }
    return whole_words(names).sub(lambda match: f"<{names[match.group()]}", text)


def _days(text: str, phrases: Phrases, today: date) -> str:
    calendar = phrases.raw["calendar"]
    near: dict[str, int] = calendar["days"]
    windows: dict[str, list[str]] = phrases.raw["windows"]

    def day_mark(match: re.Match[str]) -> str:
        window = f" {_window(windows[match.group()])}" if match.group() in windows else ""
        return f"={today + timedelta(days=near[match.group()])}{window}"

    text = whole_words(near).sub(day_mark, text)
    monday = monday_of(today)
    for names, start, end in (
        (calendar["this_week"], today, monday + timedelta(days=6)),
        (calendar["next_week"], monday + timedelta(days=7), monday + timedelta(days=13)),
    ):
        text = whole_words(names).sub(f"={start}..{end}", text)
    return _weekdays(text, calendar, today)


def _weekdays(text: str, calendar: dict[str, Any], today: date) -> str:
    following = monday_of(today) + timedelta(days=7)
    for weekday, names in enumerate(calendar["weekdays"]):
        name = any_of(names)
        coming = today + timedelta(days=(weekday - today.weekday()) % 7)
        for before, day in (
            (calendar["this"], coming),
            (calendar["next"], following + timedelta(days=weekday)),
        ):
            text = re.sub(f"{_START}(?:{any_of(before)}) (?:{name}){_END}", f"={day}", text)
        text = re.sub(f"{_START}(?:{name}){_END}", f"~{weekday}", text)
    return whole_words(calendar["weekend"]).sub("~5 ~6", text)


def _numbered_days(text: str, phrases: Phrases, today: date) -> str:
    """Days of a month: "the 14th". "The second" is which of those offered, "on the second" a day."""
    the = any_of(phrases.raw["calendar"]["the"])

    def mark(match: re.Match[str]) -> str:
        day = int(match["d"])
        is_date = day > 3 or (match["before"] or "").startswith(("on ", "~", "<", "="))
        found = _next_with_day(today, day) if is_date else None
        keeps = (match["before"] or "") if (match["before"] or "").startswith(("~", "<", "=")) else ""
        return f"{keeps.split(' ')[0]} ={found}".strip() if found else match.group()

    return re.sub(rf"{_START}(?P<before>(?:[~<=]\S+ )?(?:(?:{the}) )?)#(?P<d>\d{{1,2}}){_END}", mark, text)


def _next_with_day(today: date, day: int) -> date | None:
    for ahead in range(13):
        year, month = divmod(today.year * 12 + today.month - 1 + ahead, 12)
        found = _date(year, month + 1, day)
        if found and found >= today:
            return found
    return None


# --- times --------------------------------------------------------------------------------------


def _windows(text: str, phrases: Phrases) -> str:
    times: dict[str, str] = phrases.raw["times"]
    windows: dict[str, list[str]] = phrases.raw["windows"]
    text = whole_words(times).sub(lambda match: f"@{minute_of(times[match.group()])}", text)
    return whole_words(windows).sub(lambda match: _window(windows[match.group()]), text)


def _window(ends: Sequence[str]) -> str:
    return f"^{minute_of(ends[0])}-{minute_of(ends[1])}"


def _time_mark(match: re.Match[str], entry: Mapping[str, Any], phrases: Phrases) -> str:
    said = match.groupdict()
    minutes = said.get("m") or "0"
    if " {m}" in entry["form"] and (len(minutes) < 2 or int(minutes) % 5):
        return match.group()  # "10 30" is a time, "10 3" is not
    minute = -int(minutes) if entry.get("before") else int(minutes) + int(entry.get("minutes", 0))
    return _at(said["h"], minute, half=_half_of_day(said.get("half"), phrases)) or match.group()


def _half_of_day(words: str | None, phrases: Phrases) -> str:
    return next((half for half in ("am", "pm") if words in phrases.raw["meridiem"][half]), "")


def _at(hour_word: str, minutes: int, *, half: str = "") -> str:
    """The mark of a time, or nothing where there is no such time. An hour up to 11 may be in either half."""
    hour = int(hour_word) if hour_word.isdecimal() else 1
    if hour > 24 or abs(minutes) > 59:
        return ""
    hours: tuple[int, ...] = (hour,)
    if half and hour <= 12:
        hours = (hour % 12 + (12 if half == "pm" else 0),)
    elif 1 <= hour < 12:
        hours = (hour, hour + 12)
    return "@" + ",".join(str((each * 60 + minutes) % DAY_MINUTES) for each in hours)


def _bare_hours(text: str, phrases: Phrases) -> str:
    """A number is an hour after a word of time, a day or another hour, or where it is all that was said."""
    relations = phrases.raw["relations"]
    hour, joins = rf"(?P<h>{hour_of(phrases.raw)})", rf"(?:{any_of(relations['joins'])}|<until)"
    fits = any_of(phrases.raw["terms"]["fits"] + phrases.raw["terms"]["yes"])
    ends = rf"{_END}(?! (?:{any_of(phrases.raw['calendar']['units'])}){_END})"
    for form in (
        rf"{_START}(?P<before>(?:{any_of(relations['at'])}|<\w+) ){hour}{ends}",
        rf"{_START}(?P<before>[~=^]\S+ (?:{joins} )?)(?P<h>\d{{1,2}}){ends}",
        rf"(?P<before>@\S+ {joins} ){hour}{ends}",
        rf"{_START}(?P<before>){hour}(?= {joins} @)",
        rf"(?P<before>^|\| ){hour}(?= \||$)",
        rf"(?P<before>^|\| )(?P<h>\d{{1,2}})(?= (?:{fits}){_END})",  # "ten is fine"
    ):
        text = re.sub(form, lambda match: match["before"] + (_at(match["h"], 0) or match["h"]), text)
    return text
