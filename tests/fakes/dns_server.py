"""A local DNS server over UDP, with the records a test gives it.

with DnsServer({("acme.example", "TXT"): ["v=spf1 -all"]}) as dns:
    settings.DNS_SERVERS = [dns.address]
"""

import contextlib
import socket
import threading

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

SILENT, BROKEN, NONSENSE = "silent", "broken", "nonsense"


class DnsServer:
    """`records` maps a name and a kind to its values; `faults` a name to what goes wrong with it."""

    def __init__(self, records: dict[tuple[str, str], list[str]] | None = None) -> None:
        self.records = records or {}
        self.faults: dict[str, str] = {}
        self.asked: list[tuple[str, str]] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.1)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="DnsServer", daemon=True)

    @property
    def address(self) -> tuple[str, int]:
        return self._socket.getsockname()

    def text(self, name: str, *values: str) -> None:
        """TXT records, each cut into pieces of at most 255 characters as the format wants it."""
        self.records[name, "TXT"] = [
            " ".join(f'"{value[start : start + 255]}"' for start in range(0, len(value), 255))
            for value in values
        ]

    def __enter__(self) -> "DnsServer":
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stopped.set()
        self._thread.join(5)
        self._socket.close()

    def _run(self) -> None:
        while not self._stopped.is_set():
            with contextlib.suppress(TimeoutError, dns.exception.DNSException):
                data, client = self._socket.recvfrom(4096)
                answer = self._answer(dns.message.from_wire(data))
                if answer is not None:
                    self._socket.sendto(answer, client)

    def _answer(self, query: dns.message.Message) -> bytes | None:
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        fault = self.faults.get(name)
        if fault == SILENT:
            return None
        if fault == NONSENSE:
            return b"no message"
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        if fault == BROKEN:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif values := self.records.get((name, kind)):
            response.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *values))
        elif not any(known == name for known, _kind in self.records):
            response.set_rcode(dns.rcode.NXDOMAIN)
        return response.to_wire()
