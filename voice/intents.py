"""What a person on the phone wants, by rules over whole words; a model may be asked where they are unsure.

Pure. Nothing here knows a slot: a reading says which of those offered was meant, or which days and times.
"""

import re
from dataclasses import dataclass, field, replace
from datetime import date

from voice.day_marks import marked
from voice.day_words import wish_in
from voice.phrases import Phrases, whole_words
from voice.plain_words import plain
from voice.talk_values import Intent, Stage
from voice.wishes import Wish, described

# Below this the recogniser guessed. Only a wish not to be called is obeyed then.
HEARD_ENOUGH = 0.3
SURE, LIKELY, WEAK = 0.9, 0.7, 0.3
ANY = 99  # a choice: "either"
NEGATED_WITHIN = 4  # words: "that does not really sound good"
DIGITS: dict[str, tuple[Intent, int]] = {
    "1": ("choose", 1), "2": ("choose", 2), "3": ("choose", 3),
    "0": ("reject", 0), "9": ("stop_calling", 0), "*": ("repeat", 0),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reading:
    """What one turn meant. `choice` counts from 1 among those offered, -1 is the last of them.

    `agrees`: there was a plain yes beside the days and times. `closes` names how a refusal ends the talk.
    """

    intent: Intent
    confidence: float
    why: str
    wish: Wish = field(default_factory=Wish)
    choice: int = 0
    agrees: bool = False
    closes: str = ""
    is_number: bool = False  # a bare one: which of those offered, or an hour
    is_unsure: bool = False


def read_digits(digits: str, stage: Stage) -> Reading:
    """The first key that was pressed; 1 is yes where one thing was asked."""
    key = digits.strip()[:1]
    intent, choice = DIGITS.get(key, ("unclear", 0))
    if intent == "choose" and key != "1" and stage == "greeting":
        intent, choice = "unclear", 0
    if key == "1" and stage in ("greeting", "confirming"):
        intent, choice = "confirm", 0
    return Reading(
        intent, 1.0, f"Key {key} was pressed." if key in DIGITS else "An unknown key.", choice=choice
    )


def read(
    words: str, confidence: float, stage: Stage, *, phrases: Phrases, today: date, name: str = ""
) -> Reading:
    """What the words mean at a stage of the talk. `today` is the day where the person is."""
    text = plain(words, phrases)
    reading = (
        _about_the_call(text, phrases, name)
        or _about_the_talk(text, stage, phrases)
        or _put_off(text, stage, phrases, today)
        or _about_them(text, stage, phrases, name)
        or _about_times(text, stage, phrases, today)
        or _which_times(text, stage, phrases)
        or _yes_or_no(text, phrases)
    )
    if confidence < HEARD_ENOUGH and reading.intent != "stop_calling":
        return Reading("unclear", round(max(confidence, 0.0), 2), "The words were hardly heard.")
    return replace(reading, confidence=round(reading.confidence * min(confidence, 1.0), 2))


def warm_up(phrases: Phrases) -> None:
    """Compiles the patterns that are made when they are first used."""
    read("next monday at 10:30, or the second one", 1.0, "offering", phrases=phrases, today=date.today())


def _says(found: str) -> str:
    return f"Says “{found}”."


def _about_the_call(text: str, phrases: Phrases, name: str) -> Reading | None:
    """What ends a call whatever it is about. The wish to be left alone comes first."""
    said = " ".join(word for word in text.split() if word not in ("|", "?"))
    groups: tuple[tuple[str, Intent, str], ...] = (
        ("stop_calling", "stop_calling", ""),
        ("voicemail", "voicemail", ""),
        ("wrong_person", "wrong_person", ""),
        ("away", "reject", "call_back"),
        ("withdrawn", "reject", "declined"),
        ("call_back", "reject", "call_back"),
    )
    if phrases.terms["stop_calling_alone"].fullmatch(said):
        return Reading("stop_calling", SURE, _says(said))
    for group, intent, closes in groups:
        if found := phrases.found(group, said):
            return Reading(intent, SURE, _says(found), closes=closes)
    if found := _with_name("not_name", said, phrases, name):
        return Reading("wrong_person", SURE, _says(found))
    if found := _with_name("away_name", said, phrases, name):
        return Reading("reject", SURE, _says(found), closes="call_back")
    return None


def _with_name(group: str, said: str, phrases: Phrases, name: str) -> str:
    """A term with the name of the one who is called, or a whole part of it: "this isn't Ada"."""
    names = {part for part in (plain(name, phrases), *plain(name, phrases).split()) if len(part) > 1}
    terms = [term.replace("{name}", each) for term in phrases.raw["terms"][group] for each in names]
    match = whole_words(terms).search(said) if terms else None
    return match.group() if match else ""


def _about_the_talk(text: str, stage: Stage, phrases: Phrases) -> Reading | None:
    said = " ".join(word for word in text.split() if word not in ("|", "?"))
    if phrases.terms["repeat_alone"].fullmatch(said):
        return Reading("repeat", SURE, _says(said))
    if found := phrases.found("repeat", said):
        return Reading("repeat", SURE, _says(found))
    if stage == "greeting" and (found := phrases.found("not_now", said)):
        return Reading("reject", SURE, _says(found), closes="call_back")
    return None


def _put_off(text: str, stage: Stage, phrases: Phrases, today: date) -> Reading | None:
    """ "Later" to a greeting is another call, "later this week" a wish for the interview."""
    found = phrases.found("put_off", text) if stage == "greeting" else ""
    if not found or wish_in(marked(text, phrases, today=today), phrases, today=today).has_limits:
        return None
    return Reading("reject", SURE, _says(found), closes="call_back")


def _about_them(text: str, stage: Stage, phrases: Phrases, name: str) -> Reading | None:
    said = " ".join(word for word in text.split() if word not in ("|", "?"))
    found = _with_name("own_name", said, phrases, name) if stage == "greeting" else ""
    return Reading("confirm", LIKELY, _says(found)) if found else None


def _which_times(text: str, stage: Stage, phrases: Phrases) -> Reading | None:
    """Asked before any were read out, it is a yes to hearing them."""
    found = phrases.found("which_times", text)
    intent: Intent = "other_time" if stage == "greeting" else "repeat"
    return Reading(intent, SURE, _says(found)) if found else None


def _about_times(text: str, stage: Stage, phrases: Phrases, today: date) -> Reading | None:
    with_marks = marked(text, phrases, today=today)
    wish = wish_in(with_marks, phrases, today=today)
    number = _bare_number(text, phrases)
    choice, found = number or _choice(with_marks, phrases)
    answer = _yes_or_no(text, phrases)
    if not choice and not wish:
        return _number_not_read(with_marks, stage) if answer.intent == "confirm" else None
    hedged = bool(phrases.found("hedge", text))
    why = f"Asks for {described(wish)}." if wish else _says(found)
    intent: Intent = "choose" if choice else "other_time"
    agrees = answer.intent == "confirm" and not hedged
    return Reading(
        intent, SURE if agrees or choice else LIKELY, why, wish, choice, agrees, is_number=bool(number)
    )


def _number_not_read(with_marks: str, stage: Stage) -> Reading | None:
    """A number that may be a day or a time is no part of a plain yes: nothing is booked on it."""
    number = re.search(r"(?<!\S)#?\d+(?!\S)", with_marks)
    if number is None or stage == "greeting":
        return None
    return Reading("unclear", WEAK, f"A number that says nothing: “{number.group()}”.", is_unsure=True)


def _bare_number(text: str, phrases: Phrases) -> tuple[int, str] | None:
    """A number that was all that was said: "two" is the second, or an hour."""
    said = text.strip("| ?")
    said = "1" if said == phrases.raw["calendar"]["one"] else said
    return (int(said), said) if said.isdecimal() and 1 <= int(said) <= 3 else None


def _choice(text: str, phrases: Phrases) -> tuple[int, str]:
    """Which of those offered: "the second one", "option two", "either". Zero for none."""
    choices = phrases.raw["choices"]
    option = "|".join(map(re.escape, choices["option"]))
    forms = (
        *((number, whole_words(choices[str(number)])) for number in (1, 2, -1)),
        (0, re.compile(rf"(?<!\S)(?:(?:{option}) |#)([123])(?!\S)")),
    )
    for number, form in forms:
        for match in form.finditer(text):
            if not _is_ruled_out(match, phrases):
                return number or int(match[1]), match.group()
    if either := whole_words(choices["any"]).search(text):
        return ANY, either.group()
    return 0, ""


def _yes_or_no(text: str, phrases: Phrases) -> Reading:
    """Yes and no in one breath are neither, unless the no comes last: refusing does no harm."""
    doubt = phrases.found("doubt", text)
    text = phrases.terms["doubt"].sub("", text)
    yes, no = _last_yes(text, phrases), _last_no(text, phrases)
    if no and no.start() > (yes.start() if yes else -1):
        return Reading("reject", LIKELY if yes else SURE, _says(no.group().strip()))
    if doubt:
        return Reading("unclear", WEAK, f"Is in doubt: “{doubt}”.")
    if yes and not no:
        if found := phrases.found("hedge", text) or phrases.found("asks", text):
            return Reading(
                "unclear", WEAK, f"A yes with a condition or a question: “{found}”.", is_unsure=True
            )
        return Reading("confirm", SURE, _says(yes.group().strip()))
    if yes and no:
        return Reading("unclear", WEAK, "Says yes and no.", is_unsure=True)
    return Reading("unclear", WEAK, "No known word.", is_unsure=bool(text.strip("|? ")))


def _last_yes(text: str, phrases: Phrases) -> re.Match[str] | None:
    """A plain yes, or a word that fits where the sentence is no question; neither after a "not"."""
    asks = _is_question(text, phrases)
    found = [
        match
        for match in phrases.terms["yes"].finditer(text)
        if not _is_negated(match, phrases) and not (asks and _clause_before(match))
    ]
    if not asks:
        found += [match for match in phrases.terms["fits"].finditer(text) if not _is_negated(match, phrases)]
    refused = [match.span() for match in phrases.terms["no"].finditer(text)]
    found = [each for each in found if not any(start <= each.start() < end for start, end in refused)]
    return max(found, key=lambda match: match.start(), default=None)


def _last_no(text: str, phrases: Phrases) -> re.Match[str] | None:
    found = list(phrases.terms["no"].finditer(text))
    found += [
        match
        for group in ("yes", "fits")
        for match in phrases.terms[group].finditer(text)
        if _is_negated(match, phrases)
    ]
    return max(found, key=lambda match: match.start(), default=None)


def _is_ruled_out(match: re.Match[str], phrases: Phrases) -> bool:
    """Whether a "not" goes with it: "not the first, the second", "the first doesn't work"."""
    following = match.string[match.end() :].partition("|")[0]
    return _is_negated(match, phrases) or bool(phrases.found("negation", following))


def _is_negated(match: re.Match[str], phrases: Phrases) -> bool:
    """Whether a "not" stands before it or follows: "not good", "not really all good", "better not"."""
    clause = _clause_before(match)
    follows = phrases.terms["negation"].match(match.string, match.end() + 1)
    return bool(follows) or bool(phrases.found("negation", " ".join(clause.split()[-NEGATED_WITHIN:])))


def _clause_before(match: re.Match[str]) -> str:
    return match.string[: match.start()].rpartition("|")[2].strip()


def _is_question(text: str, phrases: Phrases) -> bool:
    if "?" in text.split():
        return True
    first = text.split("|")[-1].split()[:1] or [""]
    return bool(phrases.terms["question"].fullmatch(first[0]))
