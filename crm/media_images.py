"""Pictures that people send, made anew (personas/pictures.py), and as models look at them."""

from django.conf import settings
from django.utils.translation import gettext as _

from crm.media_content import Content, MediaRefused, refuse_format
from crm.models import MediaFile
from personas import pictures
from personas.moving_pictures import MOST_FRAMES, MOST_PIXELS
from personas.pictures import Drawn, PictureRefused
from personas.providers.base import Picture

# A model looks at about this many pixels a side; more only makes the request larger.
MODEL_SIDE = 1568
SMALL_ENOUGH_BYTES = 400_000


def drawn(data: bytes) -> Content:
    """The picture made anew. Raises MediaRefused."""
    try:
        return _content(pictures.drawn(data, most_side=settings.MEDIA_IMAGE_MAX_SIDE, may_move=True))
    except PictureRefused as refusal:
        raise _refused(refusal) from None


def for_models(data: bytes, mime: str) -> Picture:
    """A stored picture, made smaller where a model would do that anyway. Raises what Pillow raises.

    Of what moves the first frame: vendors take no other (platform.openai.com/docs/guides/images-vision).
    """
    if len(data) <= SMALL_ENOUGH_BYTES and not pictures.moves(data):
        return Picture(data, mime)
    with pictures.place_to_draw():
        picture = pictures.drawn_here(data, MODEL_SIDE)
        if len(picture.data) > SMALL_ENOUGH_BYTES:
            picture = pictures.on_white_jpeg(picture)
    return Picture(picture.data, picture.mime)


def _content(picture: Drawn) -> Content:
    return Content(picture.data, picture.mime, picture.extension, picture.width, picture.height)


def _refused(refusal: PictureRefused) -> MediaRefused:
    if refusal.reason == "format":
        return refuse_format(MediaFile.Kind.IMAGE)
    if refusal.reason == "busy":
        return MediaRefused(_("Too many pictures are arriving. Please send it again in a moment."))
    if refusal.reason == "too_long":
        words = _("A moving picture may have at most %(frames)d frames, with %(most)d million pixels in all.")
        limits = {"frames": MOST_FRAMES, "most": MOST_PIXELS // 1_000_000}
        return MediaRefused(words % limits, reason="too_large")
    most = settings.MEDIA_IMAGE_MAX_PIXELS // 1_000_000
    text = _("A picture may have at most %(most)d million pixels.") % {"most": most}
    return MediaRefused(text, reason="too_large")
