"""What a persona is going to be: written beside what it is, tried out, published or thrown away."""

from copy import copy
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from personas.differences import Difference, differences
from personas.models import Persona, PersonaDraft
from personas.versions import VERSIONED, content_of, save_persona

# Whether it is to be met at all is no matter of a draft.
DRAFTED = tuple(name for name in VERSIONED if name not in ("status", "kind"))


class DraftMoved(Exception):  # noqa: N818
    """The draft, or what is published, is not what was looked at; its text is for people."""


def draft_of(persona: Persona) -> PersonaDraft | None:
    found: PersonaDraft | None = PersonaDraft.objects.filter(persona=persona).first()
    return found


def is_unpublished(persona: Persona) -> bool:
    """Whether there is something to publish."""
    return persona.status == Persona.Status.DRAFT or PersonaDraft.objects.filter(persona=persona).exists()


def content_to_be(persona: Persona) -> dict[str, Any]:
    """Of its draft; without one, what it is."""
    draft = draft_of(persona)
    now = {name: getattr(persona, name) for name in DRAFTED}
    # A draft from before a field existed leaves it alone.
    return now | {name: draft.content[name] for name in DRAFTED if name in draft.content} if draft else now


def with_content(persona: Persona, content: dict[str, Any]) -> Persona:
    """The persona as it would be; nothing is saved."""
    tried = copy(persona)
    for name in DRAFTED:
        if name in content:
            setattr(tried, name, content[name])
    return tried


def changes(persona: Persona) -> list[Difference]:
    """From what is published to what would be."""
    return differences(content_of(persona), content_to_be(persona))


def keep_draft(persona: Persona, content: dict[str, Any], *, author: str) -> PersonaDraft:
    """`content` was checked by whoever calls."""
    kept = {name: content[name] for name in DRAFTED}
    fields = {"content": kept, "author": author[:150]}
    made = {**fields, "based_on": persona.version}
    return PersonaDraft.objects.update_or_create(persona=persona, defaults=fields, create_defaults=made)[0]


def discard(persona: Persona) -> bool:
    return bool(PersonaDraft.objects.filter(persona=persona).delete()[0])


def stamp(persona: Persona) -> str:
    """Differs when the persona or its draft is no longer what somebody looked at."""
    draft = draft_of(persona)
    return f"{persona.version}:{draft.updated_at.isoformat() if draft else ''}"


@transaction.atomic
def publish(persona: Persona, *, author: str, seen: str) -> Persona:
    """The draft becomes what the persona is, in all its conversations, and a version. `seen` is its stamp.

    A persona that was a draft itself is met from now on. Raises DraftMoved, and ValidationError when it
    cannot be that, such as with a provider that is gone.
    """
    locked = Persona.objects.select_for_update().get(pk=persona.pk)
    if stamp(locked) != seen:
        raise DraftMoved(_("Somebody changed it meanwhile. Look at the difference again, then publish."))
    published = with_content(locked, content_to_be(locked))
    if published.status == Persona.Status.DRAFT:
        published.status = Persona.Status.ACTIVE
    published.full_clean(exclude=["account", "slug"], validate_unique=False)
    save_persona(published, author=author)
    discard(published)
    return published
