"""Personas that anybody may read about and persona-chat users talk with: those of kind influencer."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet
from django.urls import reverse

from config.api.models import Account
from personas.models import Persona

# Those that were discontinued are remembered by their conversations alone.
PUBLIC = (Persona.Status.ACTIVE, Persona.Status.COMING_SOON)


def public_influencers(account_slug: str) -> "QuerySet[Persona]":
    """Active ones first, then those coming soon; of each the newest first."""
    rows = Persona.objects.filter(account__slug=account_slug, kind=Persona.Kind.INFLUENCER, status__in=PUBLIC)
    # The words for the two statuses sort as they are listed.
    return rows.order_by("status", "-created_at", "-id")


def named(reference: str) -> Q:
    """The influencer of an id: one of ours, or the one it was given."""
    try:
        return Q(public_id=reference) | Q(pk=UUID(reference))
    except ValueError:
        return Q(public_id=reference)


def influencer_of(account: Account, reference: str) -> Persona | None:
    """Of any status: whether it can be talked with is another question."""
    rows = Persona.objects.for_account(account).filter(named(reference), kind=Persona.Kind.INFLUENCER)
    found: Persona | None = rows.first()
    return found


def avatar_url(persona: Persona) -> str | None:
    """Its own picture on this installation's host, else the address that it was given."""
    if persona.avatar_version:
        path = reverse("influencer-avatar", args=[persona.pk])
        return f"{settings.PUBLIC_BASE_URL}{path}?v={persona.avatar_version}"
    return persona.avatar_url or None


def influencer_body(persona: Persona) -> dict[str, Any]:
    """What the persona API tells of one. Its instructions are nobody's business."""
    return {
        "id": persona.shown_id,
        "name": persona.slug,
        "display_name": persona.name,
        "avatar_url": avatar_url(persona),
        "description": persona.description or persona.tagline or None,
        "category": persona.category or None,
        "is_active": persona.status,
    }
