"""Secrets at rest: text encrypted with MultiFernet, keys from the environment or the data folder."""

import base64
import hashlib
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models

NO_KEY = "No key in RAPPORT_ENCRYPTION_KEYS decrypts this value."


@lru_cache(maxsize=4)
def _box(keys: tuple[str, ...]) -> MultiFernet:
    # Any text may be a key: what Fernet needs is 32 bytes, which its digest has.
    return MultiFernet(
        [Fernet(base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest())) for key in keys]
    )


def encrypt(text: str) -> str:
    return _box(tuple(settings.ENCRYPTION_KEYS)).encrypt(text.encode()).decode("ascii")


def decrypt(token: str) -> str:
    """The text. Raises ValueError when no configured key made the token."""
    try:
        return _box(tuple(settings.ENCRYPTION_KEYS)).decrypt(token.encode()).decode()
    except InvalidToken:
        raise ValueError(NO_KEY) from None


def rotate(token: str) -> str:
    """The same secret, encrypted with the newest key. Raises ValueError as `decrypt` does."""
    try:
        return _box(tuple(settings.ENCRYPTION_KEYS)).rotate(token.encode()).decode("ascii")
    except InvalidToken:
        raise ValueError(NO_KEY) from None


class EncryptedTextField(models.TextField):  # type: ignore[type-arg]
    """Text that only its ciphertext reaches the database. It cannot be searched; empty stays empty."""

    def from_db_value(self, value: str | None, *args: Any) -> str | None:
        return decrypt(value) if value else value

    def get_prep_value(self, value: Any) -> Any:
        prepared = super().get_prep_value(value)
        return encrypt(prepared) if prepared else prepared
