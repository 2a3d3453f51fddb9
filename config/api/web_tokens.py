"""Signed tokens of persona-chat users (JWT, RFC 7519): who one is, or why it is refused.

The signature is always checked, with the algorithms of the settings alone (RFC 8725). A token needs an
expiry, an issuer of the list, and a `user_id` or `sub`.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jwt
from django.conf import settings
from rest_framework.exceptions import AuthenticationFailed

from config.api.errors import UnavailableError
from config.api.key_sets import KeysAway, KeySet, key_set

LONGEST_TOKEN = 8_192  # characters
LONGEST_ID = 320  # characters of a user's id
# Programs written for the documented API look for these words in `detail`.
MISSING = "Missing authorization header. Send: Authorization: Bearer <token>."
MALFORMED = "Invalid authorization header format. Send: Authorization: Bearer <token>."
INVALID = "Invalid token: its signature does not fit."
EXPIRED = "The token has expired, or has no expiry (exp). Sign in again."
UNKNOWN_ISSUER = "Invalid token: its issuer (iss) is not one of ours."
NOBODY = "Invalid token: it names no user (user_id or sub)."
EARLY = "Invalid token: it is not valid yet (iat, nbf)."
OTHER_AUDIENCE = "Invalid token: it is for another audience (aud)."


@dataclass(frozen=True, slots=True)
class TokenUser:
    """Whom a token speaks for: a user of an account. Issuers of one account share their users."""

    account_slug: str
    user_id: str
    is_adult: bool | None = None  # as the issuer says; None where it says nothing


def presented_token(headers: Any) -> str:
    """The token of `Authorization: Bearer …`. Raises AuthenticationFailed."""
    given = headers.get("Authorization", "").strip()
    if not given:
        raise AuthenticationFailed(MISSING)
    scheme, _, token = given.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise AuthenticationFailed(MALFORMED)
    return str(token.strip())


def user_of(token: str) -> TokenUser:
    """Raises AuthenticationFailed; UnavailableError while the keys cannot be had. May fetch them."""
    keys, key_id = _keys_for(token)
    if keys is not None and keys.lacks(key_id):
        keys.refresh(key_id)
    return _judged(token, keys, key_id)


async def auser_of(token: str) -> TokenUser:
    """`user_of` for async code: only a fetch of keys leaves the event loop, for threads of its own."""
    keys, key_id = _keys_for(token)
    if keys is not None and keys.lacks(key_id):
        await asyncio.get_running_loop().run_in_executor(_threads(), keys.refresh, key_id)
    return _judged(token, keys, key_id)


@lru_cache(maxsize=1)
def _threads() -> ThreadPoolExecutor:
    # One fetches, the other waits for it.
    return ThreadPoolExecutor(2, thread_name_prefix="keys")


def _keys_for(token: str) -> tuple[KeySet | None, str]:
    """The key set that a token must be judged with, None for the secret, and the key it names."""
    header = _header(token)
    # The header only chooses among the keys that its algorithm may be used with, never how they are used.
    keys = None if str(header.get("alg", "")).startswith("HS") else key_set()
    key_id = header.get("kid")
    return keys, key_id if isinstance(key_id, str) else ""


def _header(token: str) -> dict[str, Any]:
    if len(token) > LONGEST_TOKEN or not token.isascii():
        raise AuthenticationFailed(INVALID)
    try:
        return jwt.get_unverified_header(token)
    except jwt.PyJWTError:
        raise AuthenticationFailed(INVALID) from None


def _judged(token: str, keys: KeySet | None, key_id: str) -> TokenUser:
    claims = _claims(token, keys, key_id)
    if "exp" not in claims:
        raise AuthenticationFailed(EXPIRED)
    issuer = claims.get("iss")
    account = settings.JWT_ISSUERS.get(issuer) if isinstance(issuer, str) else None
    if account is None:
        raise AuthenticationFailed(UNKNOWN_ISSUER)
    is_adult = claims.get(settings.JWT_ADULT_CLAIM)
    return TokenUser(account, _user_id(claims), is_adult if isinstance(is_adult, bool) else None)


def _claims(token: str, keys: KeySet | None, key_id: str) -> dict[str, Any]:
    try:
        return jwt.decode(
            token,
            _key(keys, key_id),
            algorithms=[name for name in settings.JWT_ALGORITHMS if name.startswith("HS") == (keys is None)],
            audience=settings.JWT_AUDIENCE or None,
            leeway=settings.JWT_LEEWAY_SECONDS,
            # `exp`, `iss` and `sub` may be missing here: each has words of its own.
            options={"verify_aud": bool(settings.JWT_AUDIENCE), "verify_iss": False, "verify_sub": False},
        )
    except jwt.ExpiredSignatureError:
        raise AuthenticationFailed(EXPIRED) from None
    except jwt.ImmatureSignatureError:
        raise AuthenticationFailed(EARLY) from None
    except (jwt.InvalidAudienceError, jwt.MissingRequiredClaimError):
        raise AuthenticationFailed(OTHER_AUDIENCE) from None
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError):
        raise AuthenticationFailed(INVALID) from None


def _key(keys: KeySet | None, key_id: str) -> Any:
    """Raises AuthenticationFailed where nothing could prove the token."""
    try:
        key = settings.JWT_SECRET_KEY if keys is None else keys.key(key_id)
    except KeysAway as error:
        raise UnavailableError(f"{error} Please try again in a few seconds.") from None
    if not key:
        raise AuthenticationFailed(INVALID)
    return key


def _user_id(claims: dict[str, Any]) -> str:
    """`user_id` where the token has one, as the documented API names it; else the standard `sub`."""
    given = claims.get("user_id", claims.get("sub"))
    if isinstance(given, int) and not isinstance(given, bool):
        given = str(given)
    text = given.strip() if isinstance(given, str) else ""
    if not text or len(text) > LONGEST_ID or not text.isprintable():
        raise AuthenticationFailed(NOBODY)
    return text
