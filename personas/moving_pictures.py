"""Pictures that move, drawn anew frame by frame: GIF and WebP, within limits of frames and pixels.

Only the times between the frames and how often they are played come from the file; nothing else of it.
"""

from collections.abc import Iterator
from io import BytesIO

from PIL import Image

MOVING = ("GIF", "WEBP")
MOST_FRAMES = 200
MOST_PIXELS = 20_000_000  # of all frames together, as they come
SHORTEST, USUAL, LONGEST = 20, 100, 60_000  # milliseconds that a frame is shown
_OPTIONS: dict[str, dict[str, object]] = {
    "GIF": {"disposal": 2, "optimize": False},
    "WEBP": {"quality": 80, "method": 0},
}


class TooLongError(Exception):
    """More frames, or more pixels of them, than are taken."""


def moves(image: Image.Image) -> bool:
    """Looks no further than the second frame."""
    return image.format in MOVING and bool(getattr(image, "is_animated", False))


def written(image: Image.Image, most_side: int) -> tuple[bytes, int, int]:
    """The file, and how wide and high it is. Raises TooLongError, and what Pillow raises."""
    kind = str(image.format)
    loop = image.info.get("loop", 0 if kind == "WEBP" else None)
    frames, durations = zip(*_frames(image, most_side), strict=True)
    options = {**_OPTIONS[kind], "duration": list(durations)}
    if isinstance(loop, int):  # a GIF without it is played once
        options["loop"] = min(max(loop, 0), 65_535)
    out = BytesIO()
    frames[0].save(out, kind, save_all=True, append_images=frames[1:], **options)
    return out.getvalue(), frames[0].width, frames[0].height


def _frames(image: Image.Image, most_side: int) -> Iterator[tuple[Image.Image, int]]:
    for number in range(MOST_FRAMES + 1):
        try:
            image.seek(number)
        except EOFError:
            return
        if number == MOST_FRAMES or image.width * image.height * (number + 1) > MOST_PIXELS:
            raise TooLongError
        frame = image.convert("RGBA")
        shown = image.info.get("duration", USUAL)
        frame.info = {}
        frame.thumbnail((most_side, most_side))
        yield frame, min(max(int(shown) or USUAL, SHORTEST), LONGEST)
