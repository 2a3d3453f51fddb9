"""The picture of a persona: checked and drawn anew as those that people send, and for anybody to see.

It is small, so it lies in the database: backed up with the persona, gone with it, and never a file too many.
"""

import hashlib
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from personas.influencers import PUBLIC
from personas.models import Persona, PersonaAvatar
from personas.pictures import PictureRefused, drawn

SIDE = 512  # pixels
KEPT_SECONDS = 7 * 86_400  # by browsers: another picture has another address


class AvatarRefused(Exception):  # noqa: N818
    """A file that cannot be a persona's picture; its text is for people."""


def checked(data: bytes) -> PersonaAvatar:
    """The picture, not yet anybody's. Raises AvatarRefused."""
    most = settings.MEDIA_IMAGE_MAX_BYTES
    if len(data) > most:
        raise AvatarRefused(_("A picture may have at most %(most)d MB.") % {"most": most // 1024**2})
    try:
        picture = drawn(data, most_side=SIDE)
    except PictureRefused as refusal:
        raise AvatarRefused(_words_for(refusal)) from None
    return PersonaAvatar(
        data=picture.data, mime=picture.mime, checksum=hashlib.sha256(picture.data).hexdigest()
    )


def _words_for(refusal: PictureRefused) -> str:
    if refusal.reason == "busy":
        return _("Too many pictures are arriving. Please send it again in a moment.")
    if refusal.reason == "too_large":
        most = settings.MEDIA_IMAGE_MAX_PIXELS // 1_000_000
        return _("A picture may have at most %(most)d million pixels.") % {"most": most}
    return _("This file format is not allowed. Send a picture as JPEG, PNG, GIF or WebP.")


@transaction.atomic
def put(persona: Persona, avatar: PersonaAvatar) -> None:
    """`avatar` is the persona's picture from now on."""
    fields = {"data": avatar.data, "mime": avatar.mime, "checksum": avatar.checksum}
    PersonaAvatar.objects.update_or_create(persona=persona, defaults=fields)
    _note(persona, avatar.checksum[:16])


@transaction.atomic
def remove(persona: Persona) -> None:
    PersonaAvatar.objects.filter(persona=persona).delete()
    _note(persona, "")


def _note(persona: Persona, version: str) -> None:
    Persona.objects.filter(pk=persona.pk).update(avatar_version=version)
    persona.avatar_version = version


def path_of(persona: Persona) -> str:
    """On this installation's own host; empty where there is none that our pages may show."""
    if persona.avatar_version:
        return f"{reverse('influencer-avatar', args=[persona.pk])}?v={persona.avatar_version}"
    return persona.avatar_url if persona.avatar_url.startswith("/") else ""


@require_safe
def avatar(request: HttpRequest, persona_id: UUID) -> HttpResponse:
    """The picture of an influencer that anybody may read about."""
    rows = PersonaAvatar.objects.filter(persona=persona_id, persona__kind=Persona.Kind.INFLUENCER)
    found = rows.filter(persona__status__in=PUBLIC).only("data", "mime").first()
    if found is None:
        raise Http404
    headers = {
        "Cache-Control": f"public, max-age={KEPT_SECONDS}",
        "Content-Disposition": "inline",
        "X-Content-Type-Options": "nosniff",
    }
    return HttpResponse(bytes(found.data), content_type=found.mime, headers=headers)
