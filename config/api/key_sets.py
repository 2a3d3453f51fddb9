"""The public keys that signed tokens are checked with (RFC 7517), kept in memory.

Fetched again when they are old, or when a token names a key that is not among them; at most once in a
while, so that nobody can make us ask by inventing key ids.
"""

import json
import logging
import threading
import time
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import jwt
import requests
from django.conf import settings

logger = logging.getLogger("rapport.tokens")

TIMEOUT = (3, 5)  # seconds to connect, and between two pieces of the answer
MOST_BYTES = 256 * 1024
FRESH_SECONDS = 600.0
REST_SECONDS = 30.0  # between two fetches, whatever was asked for
# A host that is away for a while locks nobody out: its keys are believed that long.
BELIEVED_SECONDS = 86_400.0


class KeysAway(Exception):  # noqa: N818
    """The key set cannot be had now. Its text holds no secret."""


@dataclass(slots=True)
class KeySet:
    """The keys of one address or file."""

    url: str = ""
    file: str = ""
    keys: dict[str, Any] = field(default_factory=dict)
    fetched_at: float = 0.0
    tried_at: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def lacks(self, key_id: str) -> bool:
        """Whether it is worth fetching before a token with this key is judged."""
        now = time.monotonic()
        rests = self.tried_at and now - self.tried_at < REST_SECONDS
        is_old = not self.fetched_at or now - self.fetched_at > FRESH_SECONDS
        return not rests and (is_old or self._named(key_id) is None)

    def key(self, key_id: str) -> Any:
        """The key of this id; the only one for a token that names none. None: there is none such.

        Raises KeysAway while no keys are known.
        """
        if not self.fetched_at or time.monotonic() - self.fetched_at > BELIEVED_SECONDS:
            raise KeysAway("The key set could not be fetched.")
        return self._named(key_id)

    def _named(self, key_id: str) -> Any:
        if not key_id and len(self.keys) == 1:
            return next(iter(self.keys.values()))
        return self.keys.get(key_id)

    def refresh(self, key_id: str) -> None:
        """One fetch for all who wait for it. A failure leaves what was known."""
        with self.lock:
            if not self.lacks(key_id):
                return
            self.tried_at = time.monotonic()
            try:
                self.keys = _keys_in(self._read())
                self.fetched_at = time.monotonic()
            except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
                logger.error("The key set of JWT_JWKS could not be read: %s", type(error).__name__)

    def _read(self) -> bytes:
        if self.file:
            with Path(self.file).open("rb") as file:
                return file.read(MOST_BYTES)
        # No redirect: whoever could make one would choose our keys.
        with requests.get(self.url, timeout=TIMEOUT, allow_redirects=False, stream=True) as answer:
            if answer.status_code != 200:
                raise ValueError(f"status {answer.status_code}")
            body: bytes = answer.raw.read(MOST_BYTES + 1, decode_content=True)
        if len(body) > MOST_BYTES:
            raise ValueError("too large")
        return body


def _keys_in(body: bytes) -> dict[str, Any]:
    """The keys for signatures by their ids. One of a kind that we do not know is left out."""
    found: dict[str, Any] = {}
    for number, row in enumerate(json.loads(body)["keys"]):
        # A shared secret in a public set would let everybody sign.
        if not isinstance(row, dict) or row.get("kty") == "oct" or row.get("use", "sig") != "sig":
            continue
        try:
            found[str(row.get("kid") or f"#{number}")] = jwt.PyJWK.from_dict(row)
        except (jwt.PyJWTError, ValueError, LookupError, TypeError):
            continue
    if not found:
        raise ValueError("no keys")
    return found


@lru_cache(maxsize=4)
def _kept(url: str, file: str) -> KeySet:
    return KeySet(url, file)


def key_set() -> KeySet | None:
    """The one that the settings name; None when they name none."""
    if not (settings.JWT_JWKS_URL or settings.JWT_JWKS_FILE):
        return None
    return _kept(settings.JWT_JWKS_URL, settings.JWT_JWKS_FILE)


def forget() -> None:
    """For tests: the next token is judged with keys that are read anew."""
    _kept.cache_clear()
