"""Which pages may open a socket: ours. Browsers send cookies with sockets of any page, so Origin decides."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings


def is_own_origin(scope: Mapping[str, Any]) -> bool:
    """The Origin is this site: PUBLIC_BASE_URL, or the very host the request named when we answer to it."""
    headers = {name: value for name, value in scope.get("headers", ()) if name in (b"origin", b"host")}
    origin = headers.get(b"origin", b"").decode("latin1").lower()
    if not origin:
        return False
    if origin in {
        settings.PUBLIC_BASE_URL.lower(),
        *(item.lower() for item in settings.CSRF_TRUSTED_ORIGINS),
    }:
        return True
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    host = headers.get(b"host", b"").decode("latin1").lower()
    return parts.scheme in ("http", "https") and parts.netloc == host and _is_ours(parts.hostname or "")


def _is_ours(hostname: str) -> bool:
    named = {item.strip("[]").lower() for item in settings.ALLOWED_HOSTS}
    under = any(item.startswith(".") and f".{hostname}".endswith(item) for item in named)
    return hostname in named or under
