"""Fingerprints of keys: a backup says which it was made with, and holds none of them.

A key may be a word that somebody thought of. So its fingerprint is salted and slow to make (scrypt): trying
words against a backup gains little.
"""

import hashlib
import secrets
from collections.abc import Sequence
from typing import Any

SALT_BYTES = 16
SECRET, ENCRYPTION = "secret key", "encryption key"


def fingerprint(key: str, salt: bytes) -> str:
    return hashlib.scrypt(key.encode(), salt=salt, n=2**14, r=8, p=1, dklen=16).hex()


def fingerprints(secret_key: str, encryption_keys: Sequence[str]) -> dict[str, Any]:
    salt = secrets.token_bytes(SALT_BYTES)
    return {
        "salt": salt.hex(),
        "secret_key": fingerprint(secret_key, salt),
        "encryption_keys": [fingerprint(key, salt) for key in encryption_keys],
    }


def missing(noted: dict[str, Any], secret_key: str, encryption_keys: Sequence[str]) -> list[str]:
    """Which kinds of keys of the backup this installation does not have."""
    salt = bytes.fromhex(noted["salt"])
    ours = {fingerprint(key, salt) for key in encryption_keys}
    found = [] if fingerprint(secret_key, salt) == noted["secret_key"] else [SECRET]
    return found if ours.issuperset(noted["encryption_keys"]) else [*found, ENCRYPTION]
