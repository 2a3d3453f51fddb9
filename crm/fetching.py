"""A file fetched from an address that a stranger gave, without being led to anything that is not public.

Off unless RAPPORT_MEDIA_FETCH is on. Over https alone, port 443; the name is resolved once, every address of
it must be public, and the connection goes to one of those very addresses; no redirects, no cookies, no proxy;
a cap on bytes and on time (OWASP, Server-Side Request Forgery Prevention).
"""

import asyncio
import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from django.conf import settings
from django.utils.translation import gettext as _

from crm.media_content import MediaRefused

LONGEST_URL = 2_000
RESOLVE_SECONDS = 5.0
PORT = 443
# What is given out for the internet (RFC 4291 2.4, RFC 3587). Outside lie, besides what is local, the ways to
# any IPv4 address: NAT64 (64:ff9b::/96) and compatible addresses (::/96). Inside lies 6to4, which is one too.
UNICAST = ip_network("2000::/3")
SIX_TO_FOUR = ip_network("2002::/16")
# Special by the registry, though this Python calls some of them global: protocols' own (a cloud answers about
# its machines there) and the relays of 6to4.
SPECIAL = [ip_network("192.0.0.0/24"), ip_network("192.88.99.0/24")]

Address = IPv4Address | IPv6Address


def is_public(address: Address) -> bool:
    """Whether a stranger may have us connect there."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address not in UNICAST or address in SIX_TO_FOUR:
            return False
    elif any(address in net for net in SPECIAL):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


async def fetch(url: str, *, most_bytes: int) -> bytes:
    """The body at the address. Raises MediaRefused, whose words tell nothing about our network."""
    host = _host_of(url)
    try:
        async with asyncio.timeout(settings.MEDIA_FETCH_SECONDS):
            addresses = await _resolved(host)
            return await _body(url.strip(), addresses, most_bytes)
    except (aiohttp.ClientError, OSError, ValueError):  # a TimeoutError is an OSError
        raise _cannot_be_fetched() from None


def _host_of(url: str) -> str:
    """Raises MediaRefused for anything but https to a host at its usual port."""
    try:
        parts = urlsplit(url.strip())
        fits = parts.scheme == "https" and parts.port in (None, PORT) and "@" not in parts.netloc
        host = parts.hostname or ""
    except ValueError:
        fits, host = False, ""
    if not fits or not host or len(url) > LONGEST_URL or "%" in host or not url.isprintable():
        raise MediaRefused(_("Only addresses that begin with https:// can be fetched."))
    return host


async def _resolved(host: str) -> list[Address]:
    """All addresses of a name. Raises MediaRefused unless every one of them is public."""
    try:
        found = [literal(host)]
    except ValueError:
        found = await addresses_of(host)
    if not found or not all(map(is_public, found)):
        raise _cannot_be_fetched()
    return found


def literal(host: str) -> Address:
    """Raises ValueError for a name. What inet_aton alone takes for an address (127.1, 0x7f.1) is one."""
    try:
        return ip_address(host)
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host))
    except OSError:
        raise ValueError(host) from None


async def addresses_of(host: str) -> list[Address]:
    """What a name leads to now. Raises OSError, also when nobody answers in time; ValueError."""
    async with asyncio.timeout(RESOLVE_SECONDS):
        rows = await resolve(host)
    # A scope (fe80::1%eth0) stays on, and refuses.
    return [ip_address(row) for row in rows]


async def resolve(host: str) -> list[str]:
    """What the machine's resolver says. Raises OSError."""
    loop = asyncio.get_running_loop()
    rows = await loop.getaddrinfo(host, PORT, type=socket.SOCK_STREAM)
    return [str(row[4][0]) for row in rows]


class _Pinned(AbstractResolver):
    """Says what was found before: between the look and the connection a name cannot move elsewhere."""

    def __init__(self, addresses: Sequence[Address]) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=str(address),
                port=port,
                family=socket.AF_INET if address.version == 4 else socket.AF_INET6,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._addresses
        ]

    async def close(self) -> None:
        return None


class _Brief(aiohttp.TCPConnector):
    """One connection for one answer: it is cut after it, and no goodbye of a stranger's is waited for."""

    def _release(self, key: Any, protocol: Any, *, should_close: bool = False) -> None:
        protocol.abort()
        super()._release(key, protocol, should_close=True)


def connector(addresses: Sequence[Address]) -> aiohttp.TCPConnector:
    """Connects to these addresses and to no other."""
    return _Brief(resolver=_Pinned(addresses), use_dns_cache=False, limit=1)


async def _body(url: str, addresses: Sequence[Address], most_bytes: int) -> bytes:
    async with aiohttp.ClientSession(
        connector=connector(addresses),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
    ) as session:
        headers = {"Accept": "image/*, audio/*", "Accept-Encoding": "identity", "User-Agent": "Rapport"}
        async with session.get(url, allow_redirects=False, headers=headers) as response:
            if response.status != 200:
                raise _cannot_be_fetched()
            return await _read(response, most_bytes)


async def _read(response: aiohttp.ClientResponse, most_bytes: int) -> bytes:
    body = bytearray()
    async for piece in response.content.iter_chunked(64 * 1024):
        body += piece
        if len(body) > most_bytes:
            text = _("The file at this address is too large.")
            raise MediaRefused(text, reason="too_large")
    return bytes(body)


def _cannot_be_fetched() -> MediaRefused:
    return MediaRefused(_("The file at this address could not be fetched. Upload it instead."))
