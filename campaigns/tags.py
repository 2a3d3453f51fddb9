"""Signed names of a delivery for addresses and links: they tell which email, and nobody can make one up.

Lower-case letters and digits alone: mail servers change the case of addresses.
"""

import base64
import binascii
from uuid import UUID

from django.utils.crypto import constant_time_compare, salted_hmac

SIGNATURE_BYTES = 10  # 80 bits; a guess costs a request or an email each
ID_LETTERS, SIGNATURE_LETTERS = 26, 16


def tag_of(delivery_id: UUID, *, purpose: str, about: str = "") -> str:
    """42 letters and digits. `about` is signed with it: the address a link leads to."""
    return _letters(delivery_id.bytes) + _signature(delivery_id, purpose, about)


def delivery_of(tag: str, *, purpose: str, about: str = "") -> UUID | None:
    """The id in a tag we signed for this purpose and this `about`, else None."""
    tag = tag.lower()
    if len(tag) != ID_LETTERS + SIGNATURE_LETTERS or not tag.isascii():
        return None
    try:
        delivery_id = UUID(bytes=base64.b32decode(tag[:ID_LETTERS].upper() + "======"))
    except (binascii.Error, ValueError):
        return None
    if not constant_time_compare(tag[ID_LETTERS:], _signature(delivery_id, purpose, about)):
        return None
    return delivery_id


def _signature(delivery_id: UUID, purpose: str, about: str) -> str:
    mac = salted_hmac(f"campaigns.tags.{purpose}", f"{delivery_id}\n{about}", algorithm="sha256")
    return _letters(mac.digest()[:SIGNATURE_BYTES])


def _letters(value: bytes) -> str:
    return base64.b32encode(value).decode().rstrip("=").lower()
