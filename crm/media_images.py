"""Pictures made anew: what is stored are pixels that we drew, with nothing else of the file that came.

No metadata (where and when it was taken), no second file behind or inside the first, no script. Only the
first frame of what moves: no model looks at more.
"""

import threading
from io import BytesIO

from django.conf import settings
from django.utils.translation import gettext as _
from PIL import Image, ImageOps

from crm.media_content import Content, MediaRefused, refuse_format
from crm.models import MediaFile
from personas.providers.base import Picture

# Pillow's names of the formats that are read, with what is stored of each.
FORMATS = {
    "JPEG": ("image/jpeg", ".jpg"),
    "PNG": ("image/png", ".png"),
    "GIF": ("image/gif", ".gif"),
    "WEBP": ("image/webp", ".webp"),
}
# Modes that each format can hold; any other is drawn as RGB or RGBA.
_MODES = {
    "JPEG": ("L", "RGB"),
    "PNG": ("L", "LA", "RGB", "RGBA"),
    "GIF": ("L", "P", "RGB", "RGBA"),
    "WEBP": ("RGB", "RGBA"),
}
_OPTIONS: dict[str, dict[str, object]] = {"JPEG": {"quality": 88}, "WEBP": {"quality": 88, "method": 2}}
# A model looks at about this many pixels a side; more only makes the request larger.
MODEL_SIDE = 1568
SMALL_ENOUGH_BYTES = 400_000
# A picture takes up to 4 bytes a pixel twice over while it is drawn: a few at a time bound the memory.
_AT_ONCE = threading.BoundedSemaphore(2)
LONGEST_WAIT_SECONDS = 20.0


def drawn(data: bytes) -> Content:
    """The picture made anew. Raises MediaRefused."""
    with _place():
        try:
            return _drawn(data, settings.MEDIA_IMAGE_MAX_SIDE)
        except MediaRefused:
            raise
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            raise _too_many_pixels() from None
        except Exception:  # a decoder that is fed nonsense raises anything
            raise refuse_format(MediaFile.Kind.IMAGE) from None


def for_models(data: bytes, mime: str) -> Picture:
    """A stored picture, made smaller where a model would do that anyway. Raises what Pillow raises."""
    if len(data) <= SMALL_ENOUGH_BYTES:
        return Picture(data, mime)
    with _place():
        content = _drawn(data, MODEL_SIDE)
        if len(content.data) > SMALL_ENOUGH_BYTES:
            content = _as_jpeg(content)
    return Picture(content.data, content.mime)


def _as_jpeg(content: Content) -> Content:
    """A photograph in a format for drawings is several times as large. What was see-through becomes white."""
    with Image.open(BytesIO(content.data), formats=list(FORMATS)) as image:
        seen = image.convert("RGBA")
    paper = Image.new("RGB", seen.size, "white")
    paper.paste(seen, mask=seen.getchannel("A"))
    return _written(paper, "JPEG")


class _place:  # noqa: N801 (used like a function)
    """One of the few who may draw now. Raises MediaRefused after a long wait."""

    def __enter__(self) -> None:
        if not _AT_ONCE.acquire(timeout=LONGEST_WAIT_SECONDS):
            raise MediaRefused(_("Too many pictures are arriving. Please send it again in a moment."))

    def __exit__(self, *exc: object) -> None:
        _AT_ONCE.release()


def _drawn(data: bytes, most_side: int) -> Content:
    # The header alone: pixels are decoded once their number is known.
    with Image.open(BytesIO(data), formats=list(FORMATS)) as opened:
        kind = str(opened.format)
        if kind == "JPEG":  # read at half, a quarter or an eighth of its size, where that is still enough
            opened.draft(None, (most_side, most_side))
        if opened.width * opened.height > settings.MEDIA_IMAGE_MAX_PIXELS:
            raise _too_many_pixels()
        image: Image.Image = ImageOps.exif_transpose(opened)
        if image.mode not in _MODES[kind]:
            has_alpha = "A" in image.getbands() or "transparency" in image.info
            image = image.convert("RGBA" if has_alpha and kind != "JPEG" else "RGB")
        image.thumbnail((most_side, most_side))
        return _written(image, kind)


def _written(image: Image.Image, kind: str) -> Content:
    # What Pillow knows of the file that came (comment, profile, EXIF, text) would be written with it.
    transparency = image.info.get("transparency")
    image.info = {} if transparency is None else {"transparency": transparency}
    out = BytesIO()
    image.save(out, kind, **_OPTIONS.get(kind, {}))
    mime, extension = FORMATS[kind]
    return Content(out.getvalue(), mime, extension, image.width, image.height)


def _too_many_pixels() -> MediaRefused:
    most = settings.MEDIA_IMAGE_MAX_PIXELS // 1_000_000
    text = _("A picture may have at most %(most)d million pixels.") % {"most": most}
    return MediaRefused(text, reason="too_large")
