"""What an upload really is: by its bytes, never by its name alone or by what the sender calls it."""

from dataclasses import dataclass
from typing import Literal

from django.utils.translation import gettext as _

from crm.models import MediaFile

Reason = Literal["format", "too_large", "store", "content"]


class MediaRefused(Exception):  # noqa: N818
    """A file or a reference that is not taken. `message` is for people.

    `reason`: `format` (a kind of file that is not taken), `too_large`, `store` (ours,
    that is away), or `content` (everything else).
    """

    def __init__(self, message: str, *, reason: Reason = "content") -> None:
        super().__init__(message)
        self.message = message
        self.reason: Reason = reason


@dataclass(frozen=True, slots=True)
class Content:
    """What is stored of an upload."""

    data: bytes
    mime: str
    extension: str  # with its dot
    width_pixels: int | None = None
    height_pixels: int | None = None
    duration_seconds: float | None = None


EXTENSIONS: dict[str, frozenset[str]] = {
    MediaFile.Kind.IMAGE: frozenset({".jpg", ".jpeg", ".png", ".gif", ".webp"}),
    MediaFile.Kind.AUDIO: frozenset({".mp3", ".m4a", ".wav", ".ogg"}),
}


def refuse_format(kind: str) -> MediaRefused:
    if kind == MediaFile.Kind.IMAGE:
        text = _("This file format is not allowed. Send a picture as JPEG, PNG, GIF or WebP.")
    else:
        text = _("This file format is not allowed. Send a recording as MP3, M4A, WAV or OGG.")
    return MediaRefused(text, reason="format")


def refuse_size(kind: str, most_bytes: int) -> MediaRefused:
    megabytes = most_bytes // 1024**2
    if kind == MediaFile.Kind.IMAGE:
        text = _("A picture may have at most %(most)d MB.") % {"most": megabytes}
    else:
        text = _("A recording may have at most %(most)d MB.") % {"most": megabytes}
    return MediaRefused(text, reason="too_large")
