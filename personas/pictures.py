"""Pictures made anew: what is kept are pixels that we drew, with nothing else of the file that came.

No metadata (where and when it was taken), no second file behind or inside the first, no script. Of what moves
the first frame, unless it `may_move`.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Literal

from django.conf import settings
from PIL import Image, ImageOps

from personas import moving_pictures

# Pillow's names of the formats that are read, with what is kept of each.
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
# A picture takes up to 4 bytes a pixel twice over while it is drawn: a few at a time bound the memory.
_AT_ONCE = threading.BoundedSemaphore(2)
LONGEST_WAIT_SECONDS = 20.0

Reason = Literal["format", "too_large", "too_long", "busy"]


class PictureRefused(Exception):  # noqa: N818
    """No picture we take, one with too many pixels or frames, or one too many at this moment."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


@dataclass(frozen=True, slots=True)
class Drawn:
    data: bytes
    mime: str
    extension: str  # with its dot
    width: int
    height: int


def drawn(data: bytes, *, most_side: int, may_move: bool = False) -> Drawn:
    """The picture made anew, at most so many pixels a side. Raises PictureRefused."""
    with place_to_draw():
        try:
            return drawn_here(data, most_side, may_move=may_move)
        except PictureRefused:
            raise
        except moving_pictures.TooLongError:
            raise PictureRefused("too_long") from None
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            raise PictureRefused("too_large") from None
        except Exception:  # a decoder that is fed nonsense raises anything
            raise PictureRefused("format") from None


def on_white_jpeg(picture: Drawn) -> Drawn:
    """A photograph in a format for drawings is several times as large. What was see-through becomes white."""
    with Image.open(BytesIO(picture.data), formats=list(FORMATS)) as image:
        seen = image.convert("RGBA")
    paper = Image.new("RGB", seen.size, "white")
    paper.paste(seen, mask=seen.getchannel("A"))
    return _written(paper, "JPEG")


@contextmanager
def place_to_draw() -> Iterator[None]:
    """One of the few who may draw now. Raises PictureRefused after a long wait."""
    if not _AT_ONCE.acquire(timeout=LONGEST_WAIT_SECONDS):
        raise PictureRefused("busy")
    try:
        yield
    finally:
        _AT_ONCE.release()


def drawn_here(data: bytes, most_side: int, *, may_move: bool = False) -> Drawn:
    """For who has a place to draw. Raises what Pillow raises, and PictureRefused."""
    # The header alone: pixels are decoded once their number is known.
    with Image.open(BytesIO(data), formats=list(FORMATS)) as opened:
        kind = str(opened.format)
        if kind == "JPEG":  # read at half, a quarter or an eighth of its size, where that is still enough
            opened.draft(None, (most_side, most_side))
        if opened.width * opened.height > settings.MEDIA_IMAGE_MAX_PIXELS:
            raise PictureRefused("too_large")
        if may_move and moving_pictures.moves(opened):
            moving, width, height = moving_pictures.written(opened, most_side)
            return Drawn(moving, *FORMATS[kind], width, height)
        image: Image.Image = ImageOps.exif_transpose(opened)
        if image.mode not in _MODES[kind]:
            has_alpha = "A" in image.getbands() or "transparency" in image.info
            image = image.convert("RGBA" if has_alpha and kind != "JPEG" else "RGB")
        image.thumbnail((most_side, most_side))
        return _written(image, kind)


def moves(data: bytes) -> bool:
    """Whether a picture that we drew has more than one frame."""
    with Image.open(BytesIO(data), formats=list(FORMATS)) as opened:
        return moving_pictures.moves(opened)


def _written(image: Image.Image, kind: str) -> Drawn:
    # What Pillow knows of the file that came (comment, profile, EXIF, text) would be written with it.
    transparency = image.info.get("transparency")
    image.info = {} if transparency is None else {"transparency": transparency}
    out = BytesIO()
    image.save(out, kind, **_OPTIONS.get(kind, {}))
    mime, extension = FORMATS[kind]
    return Drawn(out.getvalue(), mime, extension, image.width, image.height)
