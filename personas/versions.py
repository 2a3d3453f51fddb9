"""Versions of a persona: what it was after each change, and the way back."""

from typing import Any

from django.db import transaction

from personas.differences import changed_names
from personas.models import Persona, PersonaVersion

# What makes the persona what it is; account and slug are its address and stay.
VERSIONED = (
    "name",
    "kind",
    "status",
    "tagline",
    "description",
    "category",
    "avatar_url",
    "suggested_messages",
    "instructions",
    "traits",
    "greeting",
    "alternate_greetings",
    "examples",
    "character_book",
    "language",
    "voice",
    "provider_chain",
    "model",
    "temperature",
    "max_tokens",
    "adults_only",
    "variables",
)


def content_of(persona: Persona) -> dict[str, Any]:
    return {name: getattr(persona, name) for name in VERSIONED}


@transaction.atomic
def keep_version(persona: Persona, *, author: str) -> PersonaVersion | None:
    """Writes what the persona is now as its next version; None when it is what the last one was."""
    # Two who save at once take turns, so that numbers have no gap and no double.
    Persona.objects.select_for_update().get(pk=persona.pk)
    versions = PersonaVersion.objects.filter(persona=persona)
    content = content_of(persona)
    last = versions.order_by("-number").first()
    if last is not None and last.content == content:
        _note_version(persona, last.number)
        return None
    number = last.number + 1 if last else 1
    _note_version(persona, number)
    changed = changed_names(last.content, content) if last else []
    return versions.create(
        persona=persona, number=number, content=content, changed=changed, author=author[:150]
    )


def _note_version(persona: Persona, number: int) -> None:
    """Written by itself: a row that was read before another change would bring back an old number."""
    Persona.objects.filter(pk=persona.pk).update(version=number)
    persona.version = number


@transaction.atomic
def save_persona(persona: Persona, *, author: str) -> Persona:
    """Saves the persona and keeps the version, both or neither."""
    persona.save()
    keep_version(persona, author=author)
    return persona


@transaction.atomic
def restore(version: PersonaVersion, *, author: str) -> Persona:
    """Makes the persona what it was then. That is a change too and becomes the newest version.

    Raises ValidationError when it can no longer be that, such as a provider that is gone.
    """
    persona = Persona.objects.select_for_update().get(pk=version.persona_id)
    for name in VERSIONED:
        if name in version.content:
            setattr(persona, name, version.content[name])
    persona.full_clean(exclude=["account", "slug"], validate_unique=False)
    return save_persona(persona, author=author)
