"""Places in a persona's texts, filled with what is known of the person it speaks with."""

from typing import Any

from crm.models import Contact
from personas.models import Persona
from personas.variables import Values, for_people, values_of


def about(contact: Contact | None) -> dict[str, Any]:
    return {"person": contact.name, "facts": contact.fields} if contact is not None else {}


def _values(persona: Persona, contact: Contact | None) -> Values:
    return values_of(persona.name, persona.variables, **about(contact))


def greetings_for(persona: Persona, contact: Contact | None) -> list[str]:
    """All ways to begin; the persona's own first."""
    values = _values(persona, contact)
    given = (persona.greeting, *persona.alternate_greetings)
    return [for_people(text, values) for text in map(str.strip, given) if text]


def greeting_for(persona: Persona, contact: Contact | None, *, number: int = 0) -> str:
    """One of them, counted round; empty where it has none."""
    greetings = greetings_for(persona, contact)
    return greetings[number % len(greetings)] if greetings else ""


def examples_for(persona: Persona, contact: Contact | None) -> list[dict[str, str]]:
    values = _values(persona, contact)
    return [{who: for_people(text, values) for who, text in one.items()} for one in persona.examples]
