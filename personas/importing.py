"""A character card becomes a persona that nobody meets yet, and a persona becomes a card again."""

from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.utils.text import slugify
from django.utils.translation import gettext as _

from config.api.models import Account
from personas import card_png
from personas.cards import Card, CardRefused, card_of, fields_of, read_card
from personas.models import Persona, PersonaCard
from personas.versions import save_persona

MOST_TRIES = 3  # for a slug, when several of one name are imported at once


@dataclass(frozen=True, slots=True)
class Imported:
    persona: Persona
    notes: tuple[str, ...]  # what of the card is kept and not used


def import_card(account: Account, content: bytes, *, author: str) -> Imported:
    """The persona of a card's file, JSON or PNG: of kind influencer, and a draft. Raises CardRefused.

    A card's text becomes a system prompt: somebody of the account's own reads it before it speaks.
    """
    if not content:
        raise CardRefused(_("The file is empty."))
    has_picture = card_png.is_png(content)
    card = read_card(card_png.card_in(content) if has_picture else content)
    fields = fields_of(card)
    picture = card_png.drawn(content) if has_picture else None
    for _try in range(MOST_TRIES):
        try:
            return Imported(_stored(account, card, fields, picture=picture, author=author), card.notes)
        except IntegrityError:
            continue
    raise CardRefused(_("Several personas of this name are being imported. Please try again."))


@transaction.atomic
def _stored(
    account: Account, card: Card, fields: dict[str, object], *, picture: bytes | None, author: str
) -> Persona:
    status, kind = Persona.Status.DRAFT, Persona.Kind.INFLUENCER
    slug = _free_slug(account, str(fields["name"]))
    persona = Persona(account=account, slug=slug, status=status, kind=kind, **fields)
    save_persona(persona, author=author)
    PersonaCard.objects.create(persona=persona, text=card.text, picture=picture, author=author[:150])
    return persona


def _free_slug(account: Account, name: str) -> str:
    slug = slugify(name)[:70].strip("-") or "persona"
    taken = set(
        Persona.objects.for_account(account).filter(slug__startswith=slug).values_list("slug", flat=True)
    )
    number, free = 1, slug
    while free in taken:
        number += 1
        free = f"{slug}-{number}"
    return free


def exported_json(persona: Persona) -> str:
    kept = PersonaCard.objects.filter(persona=persona).values_list("text", flat=True).first()
    return card_of(persona, kept or "")


def exported_png(persona: Persona) -> bytes:
    kept = PersonaCard.objects.filter(persona=persona).values_list("picture", flat=True).first()
    return card_png.with_card(
        bytes(kept) if kept else card_png.plain_picture(persona.name), exported_json(persona)
    )
