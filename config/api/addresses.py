"""Where a request comes from, as far as it can be believed."""

import ipaddress
from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """The client's address.

    Each of our TRUSTED_PROXIES appends the address it was called from to X-Forwarded-For, so the
    entry that many from the right was written by the outermost of them; what stands further left
    came from the client and proves nothing. A shorter header did not pass all of them.
    """
    peer = request.META.get("REMOTE_ADDR") or ""
    hops: int = settings.TRUSTED_PROXIES
    if not hops:
        return peer
    entries = [entry.strip() for entry in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
    forwarded = entries[-hops] if len(entries) >= hops else ""
    return forwarded if parsed(forwarded) is not None else peer


@lru_cache(maxsize=1024)  # each request asks twice, of the same few clients
def parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def is_loopback(address: str) -> bool:
    found = parsed(address)
    return found is not None and found.is_loopback


def ident_of_address(address: str) -> str:
    """What rate limits count an address by: whoever has one IPv6 address has its whole /64."""
    found = parsed(address)
    if isinstance(found, ipaddress.IPv6Address):
        return f"ip:{ipaddress.ip_network((found, 64), strict=False)}"
    return f"ip:{found or 'unknown'}"
