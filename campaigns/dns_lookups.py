"""Asking the DNS, with a limit on time; the only module that imports dnspython."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import dns.exception
import dns.resolver
from django.conf import settings

LONGEST_RECORD = 10_000  # characters; no sender record is so long


class LookupFailed(Exception):  # noqa: N818
    """Nobody knows: no server answered in time, or what came was broken. Not the same as "there is none"."""


@dataclass
class Dns:
    """Lookups of one page, which together take no longer than `seconds`."""

    seconds: float = 8.0
    one_lookup_seconds: float = 3.0
    clock: Callable[[], float] = time.monotonic
    _ends_at: float = field(init=False)

    def __post_init__(self) -> None:
        self._ends_at = self.clock() + self.seconds

    def texts(self, name: str) -> list[str]:
        """The TXT records of a name, each with its pieces joined; none when there is no such name."""
        records = self._records(name, "TXT")
        joined = (b"".join(record.strings).decode("utf-8", "replace") for record in records)  # type: ignore[attr-defined]
        return [text for text in joined if len(text) <= LONGEST_RECORD]

    def has_address(self, name: str) -> bool:
        return bool(self._records(name, "A") or self._records(name, "AAAA"))

    def _records(self, name: str, kind: str) -> Sequence[object]:
        left = min(self.one_lookup_seconds, self._ends_at - self.clock())
        if left <= 0:
            raise LookupFailed
        try:
            return list(_resolver().resolve(name, kind, lifetime=left, search=False))
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except (dns.exception.DNSException, OSError, ValueError):
            raise LookupFailed from None


def _resolver() -> dns.resolver.Resolver:
    """The installation's servers, else the machine's."""
    if not settings.DNS_SERVERS:
        return dns.resolver.Resolver()
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers = [host for host, _port in settings.DNS_SERVERS]
    resolver.nameserver_ports = dict(settings.DNS_SERVERS)
    return resolver
