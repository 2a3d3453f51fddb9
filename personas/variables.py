"""Places in a persona's texts, like {{user}}, and how they are filled. Pure.

What staff wrote (the persona's name, a default) stands in the text itself. What a person brought (their name,
a fact about them) is data: a prompt refers to it in square brackets and holds it between marks at its end, so
that no name can be an order. Nothing that was filled in is read for places again.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from personas.providers.messages import fenced

CHAR, USER = "char", "user"
BUILT_IN = (CHAR, USER)
# The fields of a persona that may hold places.
WITH_VARIABLES = (
    "instructions",
    "greeting",
    "alternate_greetings",
    "traits",
    "examples",
    "character_book",
)
TYPES = ("text", "number", "yes_no")
MOST = 20
LONGEST_VALUE, LONGEST_DESCRIPTION = 200, 300  # characters
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_PLACE = re.compile(r"\{\{([^{}\n]{0,80})\}\}")
_NUMBER = re.compile(r"-?[0-9]{1,15}(?:[.,][0-9]{1,6})?")
_KEYS = {"name", "type", "default", "description"}
_UNPRINTABLE = re.compile(r"[^\w \-.,'’@&/+:()]")


@dataclass(frozen=True, slots=True)
class Values:
    """`ours` were written by staff, `theirs` come from the person and win."""

    ours: Mapping[str, str]
    theirs: Mapping[str, str]


# --- Checked when a persona is saved ----------------------------------------------------------


def check_variables(value: Any) -> None:
    """Raises ValidationError unless it is a list of variables, each with a name, a type and a default."""
    if not isinstance(value, list) or len(value) > MOST or not all(_is_variable(one) for one in value):
        raise ValidationError(
            _('Give up to %(most)d variables like {"name": "city", "type": "text", "default": "your city"}.')
            % {"most": MOST}
        )
    names = [one["name"] for one in value]
    for name in names:
        if name in BUILT_IN or names.count(name) > 1:
            raise ValidationError(_("The variable “%(name)s” is there already.") % {"name": name})
    for one in value:
        if _fitting(one.get("type", "text"), one["default"]) is None:
            words = _("The default of “%(name)s” is not of the type %(type)s.")
            raise ValidationError(words % {"name": one["name"], "type": one.get("type", "text")})


def _is_variable(one: Any) -> bool:
    if not isinstance(one, dict) or not {"name", "default"} <= one.keys() <= _KEYS:
        return False
    if not all(isinstance(one.get(key, ""), str) for key in ("name", "type", "description")):
        return False
    is_short = (
        len(str(one["default"])) <= LONGEST_VALUE and len(one.get("description", "")) <= LONGEST_DESCRIPTION
    )
    return bool(_NAME.fullmatch(one["name"])) and one.get("type", "text") in TYPES and is_short


def refuse_unknown_variables(texts: Mapping[str, Any], variables: Any) -> None:
    """Raises ValidationError that names, for each field, the places that nothing would fill."""
    rows = [one for one in variables if isinstance(one, dict)] if isinstance(variables, list) else []
    declared = [str(one.get("name")) for one in rows]
    known = (*BUILT_IN, *declared)
    errors = {}
    for field, value in texts.items():
        if unknown := [name for name in names_in(value) if name not in known]:
            shown = ", ".join(place(name) for name in unknown)
            errors[field] = _("Unknown: %(names)s. Declare it as a variable, or use one of: %(known)s.") % {
                "names": shown,
                "known": ", ".join(map(place, known)),
            }
    if errors:
        raise ValidationError(errors)


def names_in(value: Any) -> list[str]:
    """In all texts of a value of JSON, each once."""
    return list(dict.fromkeys(name for text in _texts(value) for name in map(_name, _PLACE.findall(text))))


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for one in inner for text in _texts(one)]


def _name(written: str) -> str:
    return written.strip().lower()


def place(name: str) -> str:
    """As it is written in a text."""
    return "{{" + name + "}}"


# --- Filled -----------------------------------------------------------------------------------


def values_of(
    name: str, variables: Sequence[Mapping[str, Any]], *, person: str = "", facts: Any = None
) -> Values:
    """Of the persona called `name`, speaking with `person`, of whom `facts` are known (name → value)."""
    ours, theirs = {CHAR: name}, {}
    if cleaned := _cleaned(person):
        theirs[USER] = cleaned
    known = facts if isinstance(facts, dict) else {}
    for one in variables:
        kind = str(one.get("type", "text"))
        ours[one["name"]] = _fitting(kind, one["default"]) or ""
        if found := _fitting(kind, known.get(one["name"])):
            theirs[one["name"]] = _cleaned(found)
    return Values(ours, theirs)


def _fitting(kind: str, value: Any) -> str | None:
    """The value as a text, where it is of that type."""
    if kind == "yes_no":
        text = ("no", "yes")[value] if isinstance(value, bool) else str(value).strip().lower()
        return text if text in ("yes", "no") else None
    text = "" if value is None or isinstance(value, dict | list | bool) else str(value).strip()
    if kind == "number":
        return text if _NUMBER.fullmatch(text) else None
    return text[:LONGEST_VALUE] if text or value == "" else None


def _cleaned(text: str) -> str:
    """One short line of letters, digits and the signs of names and addresses."""
    return " ".join(_UNPRINTABLE.sub("", " ".join(text.split())).split())[:80]


def for_people(text: str, values: Values) -> str:
    """As the person themself reads it: a greeting, an example."""
    plain = {USER: _("you"), **values.ours, **values.theirs}
    return _PLACE.sub(lambda found: plain.get(_name(found[1]), found[0]), text)


def for_model(text: str, values: Values) -> str:
    """A part of a prompt. `facts_for_model` holds what stands in square brackets."""
    plain = {USER: "the person", **values.ours, **{name: f"[{name}]" for name in values.theirs}}
    return _PLACE.sub(lambda found: plain.get(_name(found[1]), found[0]), text)


def facts_for_model(text: str, values: Values) -> str:
    """What the places of `text` stand for, as data; empty when it has none of the person's."""
    used = [name for name in names_in(text) if name in values.theirs]
    if not used:
        return ""
    lines = "\n".join(f"[{name}]: {values.theirs[name]}" for name in used)
    return f"What names in square brackets stand for, as data:\n{fenced('facts', lines)}"
