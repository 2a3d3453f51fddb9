"""An upload against the limits of its kind, then by what it holds."""

from pathlib import PurePath

from django.conf import settings
from django.utils.translation import gettext as _

from crm.media_audio import measured
from crm.media_content import EXTENSIONS, Content, MediaRefused, refuse_format, refuse_size
from crm.media_images import drawn
from crm.models import MediaFile


def most_bytes(kind: str) -> int:
    """The limit of a kind. It is tested before anything is read."""
    is_image = kind == MediaFile.Kind.IMAGE
    return int(settings.MEDIA_IMAGE_MAX_BYTES if is_image else settings.MEDIA_AUDIO_MAX_BYTES)


def refuse_unfit(kind: str, *, filename: str, size_bytes: int) -> None:
    """What can be said before the content is read. Raises MediaRefused."""
    if kind not in EXTENSIONS:
        raise MediaRefused(_("A file is of the type image or audio."))
    extension = PurePath(filename.replace("\\", "/")).suffix.lower()
    if extension and extension not in EXTENSIONS[kind]:
        raise refuse_format(kind)
    if size_bytes > most_bytes(kind):
        raise refuse_size(kind, most_bytes(kind))
    if not size_bytes:
        raise MediaRefused(_("The file is empty."))


def checked(data: bytes, kind: str, *, filename: str = "") -> Content:
    """What is stored of an upload. Raises MediaRefused."""
    refuse_unfit(kind, filename=filename, size_bytes=len(data))
    return drawn(data) if kind == MediaFile.Kind.IMAGE else measured(data)
