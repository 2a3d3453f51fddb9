"""Character cards: a persona as `chara_card_v2` writes it, and back.

The card that was imported is kept as its own text, so that whatever we have no place for (`extensions`,
fields of other programs) leaves again as it came. On export a field of the
card is written anew only where what we made of it was changed since.

Rules: the specification of character cards, version 2 (spec_v2.md of malfoyslastname/character-card-spec-v2).
"""

import json
import math
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from personas import card_book, card_dialogue
from personas.models import Persona
from personas.shapes import MOST_GREETINGS
from personas.variables import BUILT_IN, names_in, place

SPEC, SPEC_VERSION = "chara_card_v2", "2.0"
READ = (SPEC, "chara_card_v3")
MOST_BYTES = 2 * 1024 * 1024  # of a card's JSON
LONGEST_NAME, LONGEST_INSTRUCTIONS, LONGEST_GREETING = 120, 20_000, 8_000
MOST_KEYS = 1_000

# What joins the prompt, in its order. The others are for people and programs (`creator_notes`, `tags`, …).
IN_PROMPT = ("system_prompt", "description", "personality", "scenario", "post_history_instructions")
_HEADED = {"personality": "Personality: ", "scenario": "Scenario: "}
_EMPTY: dict[str, Any] = {
    "name": "",
    "description": "",
    "personality": "",
    "scenario": "",
    "first_mes": "",
    "mes_example": "",
    "creator_notes": "",
    "system_prompt": "",
    "post_history_instructions": "",
    "alternate_greetings": [],
    "tags": [],
    "creator": "",
    "character_version": "",
    "extensions": {},
}
_TEXTS = tuple(name for name, empty in _EMPTY.items() if isinstance(empty, str))


class CardRefused(Exception):  # noqa: N818
    """A file that is no card we can take; its text is for people. `reason` is `too_large` or empty."""

    def __init__(self, message: str, *, reason: str = "") -> None:
        super().__init__(message)
        self.message, self.reason = message, reason


@dataclass(frozen=True, slots=True)
class Card:
    """`text` is the JSON as it came, in ASCII; `data` its fields. `notes` say what was left aside."""

    text: str
    data: dict[str, Any]
    notes: tuple[str, ...] = ()


# --- Read -------------------------------------------------------------------------------------


def read_card(content: bytes) -> Card:
    """The card in a JSON text. Raises CardRefused."""
    if len(content) > MOST_BYTES:
        raise CardRefused(_("A card may have at most 2 MB."), reason="too_large")
    whole = _parsed(content)
    if (
        not isinstance(whole, dict)
        or whole.get("spec") not in READ
        or not isinstance(whole.get("data"), dict)
    ):
        raise CardRefused(
            _("This is no character card: “spec” must be chara_card_v2, with an object “data”.")
        )
    data: dict[str, Any] = whole["data"]
    if len(data) > MOST_KEYS:
        raise CardRefused(_("The card has too many fields."))
    _refuse_wrong_types(data)
    if not spoken(data.get("name", "")):
        raise CardRefused(_("The card has no name."))
    # ASCII: also half a surrogate pair and NUL, which databases cannot keep, are kept as escapes.
    return Card(json.dumps(whole), data, tuple(_notes(whole, data)))


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content.decode("utf-8-sig"), parse_constant=_no_number, parse_float=_number)
    except UnicodeDecodeError:
        raise CardRefused(_("The card is not UTF-8.")) from None
    except RecursionError:
        raise CardRefused(_("The card is nested too deeply.")) from None
    except ValueError:
        raise CardRefused(_("The card is not JSON.")) from None


def _no_number(text: str) -> None:
    raise ValueError(text)


def _number(text: str) -> float:
    """Raises ValueError for one that no program could read again."""
    if math.isinf(number := float(text)):
        raise ValueError(text)
    return number


def _refuse_wrong_types(data: dict[str, Any]) -> None:
    for name in _TEXTS:
        if not isinstance(data.get(name, ""), str):
            raise CardRefused(_("“%(name)s” of the card must be a text.") % {"name": name})
    for name, kind in (("alternate_greetings", list), ("tags", list), ("extensions", dict)):
        if not isinstance(data.get(name, kind()), kind):
            raise CardRefused(_("“%(name)s” of the card is not of the right kind.") % {"name": name})


def _notes(whole: dict[str, Any], data: dict[str, Any]) -> list[str]:
    notes = []
    if whole["spec"] != SPEC:
        notes.append(_("A card of version 3: its fields of version 2 were read."))
    greetings, book, left_out = _greetings(data), *card_book.book_in(data, spoken)
    if len(greetings) < len(data.get("alternate_greetings", [])):
        notes.append(_("Some of its other greetings are kept in the card alone."))
    if left_out:
        notes.append(
            _("Of the character book %(count)d entries are kept in the card alone.") % {"count": left_out}
        )
    texts: dict[str, Any] = {"greetings": greetings, "book": book}
    texts |= {name: spoken(data.get(name, "")) for name in (*IN_PROMPT, "first_mes", "mes_example")}
    if unknown := [name for name in names_in(texts) if name not in (*BUILT_IN, "original")]:
        shown = ", ".join(place(name) for name in unknown[:10])
        notes.append(_("Write these anew before you publish: %(names)s.") % {"names": shown})
    _examples, left_out = card_dialogue.examples_in(spoken(data.get("mes_example", "")))
    if left_out:
        notes.append(
            _("Of the example dialogue %(count)d parts are kept in the card alone.") % {"count": left_out}
        )
    return notes


def spoken(text: str) -> str:
    """As a database keeps it, in our words for who is meant (version 1 also wrote <USER> and <BOT>)."""
    plain = text.replace("\x00", "").encode("utf-8", "ignore").decode().replace("\r\n", "\n").strip()
    return card_dialogue.with_our_words(plain)


# --- What it makes of a persona ---------------------------------------------------------------


def fields_of(card: Card) -> dict[str, Any]:
    """The fields of a persona that the card speaks of. Raises CardRefused for a text that is too long."""
    data = card.data
    fields = {
        "name": " ".join(spoken(data["name"]).split()),
        "instructions": _instructions(data),
        "greeting": spoken(data.get("first_mes", "")),
        "alternate_greetings": _greetings(data),
        "examples": card_dialogue.examples_in(spoken(data.get("mes_example", "")))[0],
        "character_book": card_book.book_in(data, spoken)[0],
    }
    limits = {"name": LONGEST_NAME, "instructions": LONGEST_INSTRUCTIONS, "greeting": LONGEST_GREETING}
    for name, most in limits.items():
        if len(fields[name]) > most:
            words = _("The card is too long: what becomes “%(field)s” may have %(most)d characters.")
            raise CardRefused(words % {"field": name, "most": most}, reason="too_large")
    return fields


def _greetings(data: dict[str, Any]) -> list[str]:
    """Those that fit, each once."""
    given = [spoken(one) for one in data.get("alternate_greetings", []) if isinstance(one, str)]
    return [one for one in dict.fromkeys(given) if 0 < len(one) <= LONGEST_GREETING][:MOST_GREETINGS]


def _instructions(data: dict[str, Any]) -> str:
    """`{{original}}` is what a program says by itself. Ours is said in any case, around all of this."""
    parts = []
    for name in IN_PROMPT:
        text = card_dialogue.ORIGINAL.sub("", spoken(data.get(name, ""))).strip()
        if text:
            parts.append(_HEADED.get(name, "") + text)
    return "\n\n".join(parts)


# --- Written ----------------------------------------------------------------------------------


def card_of(persona: Persona, kept: str = "") -> str:
    """The persona as a card, in JSON. `kept` is the text of the card that it was imported from."""
    whole = json.loads(kept) if kept else {}
    came = whole.get("data", {})
    data = {**_EMPTY, **came, **_changed(persona, came)}
    if not came:
        data["character_version"] = str(persona.version or "")
        data["tags"] = [persona.category] if persona.category else []
    return json.dumps({**whole, "spec": SPEC, "spec_version": SPEC_VERSION, "data": data}, ensure_ascii=True)


def _changed(persona: Persona, came: dict[str, Any]) -> dict[str, Any]:
    """The fields of the card that no longer say what the persona is."""
    was = fields_of(Card("", came)) if came else {}
    changed: dict[str, Any] = {}
    if persona.name != was.get("name"):
        changed["name"] = persona.name
    if persona.greeting != was.get("greeting", ""):
        changed["first_mes"] = persona.greeting
    if persona.alternate_greetings != was.get("alternate_greetings", []):
        changed["alternate_greetings"] = persona.alternate_greetings
    if persona.character_book != was.get("character_book", {}):
        changed["character_book"] = card_book.as_card(persona.character_book)
    if persona.examples != was.get("examples", []):
        changed["mes_example"] = card_dialogue.dialogue_of(persona.examples)
    if persona.instructions != was.get("instructions", ""):
        # All of it is the description, which is in every prompt; its parts would say it twice.
        changed |= {**dict.fromkeys(IN_PROMPT, ""), "description": persona.instructions}
    return changed
