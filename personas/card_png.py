"""A character card inside a picture: the PNG chunk `tEXt` with the keyword `chara`, its text base64 of JSON.

Read by hand, chunk by chunk: nothing is decompressed to find the card, so that no picture is a bomb here.
Format: PNG specification (W3C), sections 5 and 11.3.3.
"""

import base64
import binascii
import struct
import zlib
from collections.abc import Iterator
from io import BytesIO

from django.utils.translation import gettext as _
from PIL import Image, ImageDraw, ImageFont

from personas.cards import MOST_BYTES, CardRefused

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MOST_FILE_BYTES = 8 * 1024 * 1024
MOST_CHUNKS = 20_000
MOST_PIXELS = 25_000_000
SIDES = (512, 768)  # pixels of the picture that is kept: what other programs show
# The second one is of version 3 of the specification; both may be there.
KEYWORDS = (b"chara", b"ccv3")


def is_png(content: bytes) -> bool:
    return content.startswith(SIGNATURE)


def card_in(content: bytes) -> bytes:
    """The JSON of the card. Raises CardRefused."""
    if len(content) > MOST_FILE_BYTES:
        raise CardRefused(_("A picture may have at most 8 MB."), reason="too_large")
    found: dict[bytes, bytes] = {}
    for kind, body in _chunks(content):
        keyword, separator, text = body.partition(b"\0")
        if kind == b"tEXt" and separator and keyword in KEYWORDS:
            found.setdefault(keyword, text)
    text = next((found[keyword] for keyword in KEYWORDS if keyword in found), b"")
    if not text:
        raise CardRefused(_("There is no character card in this picture."))
    return _decoded(text)


def _decoded(text: bytes) -> bytes:
    if len(text) > MOST_BYTES * 4 // 3 + 4:
        raise CardRefused(_("A card may have at most 2 MB."), reason="too_large")
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise CardRefused(_("The card in this picture cannot be read: it is not base64.")) from None


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and body of each chunk up to the last. Raises CardRefused for a file that is broken."""
    if not is_png(content):
        raise CardRefused(_("This is no PNG picture."))
    at = len(SIGNATURE)
    for _number in range(MOST_CHUNKS):
        head = content[at : at + 8]
        if len(head) < 8:
            break
        length, kind = struct.unpack(">I4s", head)
        body, sum_ = content[at + 8 : at + 8 + length], content[at + 8 + length : at + 12 + length]
        if len(body) < length or len(sum_) < 4 or zlib.crc32(kind + body) != int.from_bytes(sum_):
            break
        yield kind, body
        if kind == b"IEND":
            return
        at += 12 + length
    raise CardRefused(_("This picture is broken."))


# --- Written ----------------------------------------------------------------------------------


def with_card(picture: bytes, card: str) -> bytes:
    """The picture with the card in it, before its last chunk. `picture` is a PNG of ours."""
    body = b"chara\0" + base64.b64encode(card.encode("ascii"))
    chunk = struct.pack(">I", len(body)) + b"tEXt" + body + struct.pack(">I", zlib.crc32(b"tEXt" + body))
    end = picture.rindex(b"IEND") - 4
    return picture[:end] + chunk + picture[end:]


def drawn(content: bytes) -> bytes:
    """The picture made anew: pixels and nothing else of the file that came. Raises CardRefused."""
    try:
        # The header alone: pixels are decoded once their number is known.
        with Image.open(BytesIO(content), formats=["PNG"]) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                raise CardRefused(_("The picture has too many pixels."), reason="too_large")
            image: Image.Image = opened.convert("RGB")
    except CardRefused:
        raise
    except Exception:  # a decoder that is fed nonsense raises anything
        raise CardRefused(_("This picture is broken.")) from None
    image.thumbnail(SIDES)
    return _written(image)


def plain_picture(name: str) -> bytes:
    """For a persona without a picture: its first letter."""
    image = Image.new("RGB", (256, 384), "#0b6e5f")
    letter = next((letter for letter in name if letter.isascii() and letter.isalnum()), "·").upper()
    font = ImageFont.load_default(size=160)
    ImageDraw.Draw(image).text((128, 192), letter, fill="white", font=font, anchor="mm")
    return _written(image)


def _written(image: Image.Image) -> bytes:
    image.info = {}
    out = BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()
