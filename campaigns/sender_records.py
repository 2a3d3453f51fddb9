"""What a domain says in the DNS about who may send in its name: SPF, DKIM, DMARC. Each gives one finding."""

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key
from django.utils.translation import gettext as _

from campaigns.dns_lookups import LookupFailed

MOST_SPF_LOOKUPS = 10  # RFC 7208, 4.6.4: beyond it, receivers call the record broken
LOOKING_UP = re.compile(r"^[+?~-]?(include:|a\b|mx\b|ptr\b|exists:)", re.I)
TREE_STEPS = 8  # how far up a DMARC record is looked for (as DMARCbis walks the tree)


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    UNKNOWN = "unknown"  # it could not be found out


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the pre-flight: what was looked at, how it stands, and what to do."""

    name: str
    level: Level
    words: str
    record: str = ""


class Texts(Protocol):
    def texts(self, name: str) -> list[str]: ...


# --- SPF (RFC 7208) -------------------------------------------------------------------------


def spf(dns: Texts, domain: str) -> Finding:
    """Of the domain in the envelope, which is that of the From line here."""
    try:
        records = _spf_records(dns, domain)
        if not records:
            words = _("%(domain)s has no SPF record. Publish the one your mail service gives you.")
            return Finding("SPF", Level.PROBLEM, words % {"domain": domain})
        if len(records) > 1:
            words = _("There are %(n)d SPF records; receivers then honour none. Keep one.")
            return Finding("SPF", Level.PROBLEM, words % {"n": len(records)}, " | ".join(records))
        return _spf_in(records[0], _lookups_of(dns, records[0], seen={domain}))
    except LookupFailed:
        return _unknown("SPF", domain)


def _spf_in(record: str, lookups: int) -> Finding:
    if lookups > MOST_SPF_LOOKUPS:
        words = _("The SPF record needs %(n)d lookups, and receivers stop at %(most)d: it counts as broken.")
        return Finding("SPF", Level.PROBLEM, words % {"n": lookups, "most": MOST_SPF_LOOKUPS}, record)
    terms = record.lower().split()[1:]
    if "+all" in terms or "all" in terms:
        words = _("The SPF record ends in “+all”: it lets anybody send in your name.")
        return Finding("SPF", Level.PROBLEM, words, record)
    if not any(term in ("-all", "~all") or term.startswith("redirect=") for term in terms):
        words = _("The SPF record says nothing about servers it does not name. End it with ~all or -all.")
        return Finding("SPF", Level.WARNING, words, record)
    words = _("One SPF record. Whether it names your mail service only that service can tell.")
    return Finding("SPF", Level.OK, words, record)


def _spf_records(dns: Texts, domain: str) -> list[str]:
    return [text for text in dns.texts(domain) if re.match(r"v=spf1(\s|$)", text, re.I)]


def _lookups_of(dns: Texts, record: str, *, seen: set[str]) -> int:
    """Lookups that receivers must make for it, those of included records counted; it stops once too many."""
    count = 0
    for term in record.split()[1:]:
        target = _target(term)
        if not target and not LOOKING_UP.match(term):
            continue
        count += 1
        # A macro stands for what only a receiver knows; a loop is broken anyhow.
        if target and "%" not in target and target not in seen and len(seen) <= MOST_SPF_LOOKUPS:
            seen.add(target)
            for included in _spf_records(dns, target):
                count += _lookups_of(dns, included, seen=seen)
    return count


def _target(term: str) -> str:
    """The domain whose record an `include:` or `redirect=` brings in."""
    found = re.match(r"^(?:[+?~-]?include:|redirect=)(.+)$", term, re.I)
    return found[1].rstrip(".").lower() if found else ""


# --- DKIM (RFC 6376) ------------------------------------------------------------------------


def dkim(dns: Texts, domain: str, selector: str) -> Finding:
    if not selector:
        words = _(
            "Give the server its DKIM selector (the “s=” your mail service signs with) to check the key."
        )
        return Finding("DKIM", Level.WARNING, words)
    name = f"{selector}._domainkey.{domain}"
    try:
        records = [text for text in dns.texts(name) if "p" in _tags(text)]
    except LookupFailed:
        return _unknown("DKIM", name)
    if not records:
        words = _("There is no DKIM key at %(name)s. Publish it, or correct the selector.")
        return Finding("DKIM", Level.PROBLEM, words % {"name": name})
    return _dkim_in(records[0])


def _dkim_in(record: str) -> Finding:
    tags = _tags(record)
    if not tags["p"]:
        return Finding("DKIM", Level.PROBLEM, _("The DKIM key was revoked (its “p=” is empty)."), record)
    bits = _rsa_bits(tags["p"]) if tags.get("k", "rsa").lower() == "rsa" else None
    if bits == 0:
        return Finding("DKIM", Level.PROBLEM, _("The DKIM key cannot be read; it may be cut off."), record)
    if bits is not None and bits < 1024:
        words = _("The DKIM key has %(bits)d bits; receivers ignore those below 1024.")
        return Finding("DKIM", Level.PROBLEM, words % {"bits": bits}, record)
    if "y" in tags.get("t", "").lower().split(":"):
        return Finding("DKIM", Level.WARNING, _("The DKIM key says that it is only a test (t=y)."), record)
    if bits is not None and bits < 2048:
        words = _("The DKIM key has %(bits)d bits; 2048 are usual now.")
        return Finding("DKIM", Level.WARNING, words % {"bits": bits}, record)
    return Finding("DKIM", Level.OK, _("The DKIM key is published."), record)


def _rsa_bits(encoded: str) -> int:
    """0 for what is no RSA key."""
    try:
        key = load_der_public_key(base64.b64decode("".join(encoded.split()), validate=True))
    except (ValueError, binascii.Error, UnsupportedAlgorithm):
        return 0
    return key.key_size if isinstance(key, RSAPublicKey) else 0


# --- DMARC (RFC 7489) -----------------------------------------------------------------------


def dmarc(dns: Texts, domain: str) -> Finding:
    """The domain's own record, else the nearest above it."""
    try:
        for above in _and_above(domain):
            records = [text for text in dns.texts(f"_dmarc.{above}") if re.match(r"v=DMARC1\s*(;|$)", text)]
            if records:
                return _dmarc_in(records, is_own=above == domain)
    except LookupFailed:
        return _unknown("DMARC", f"_dmarc.{domain}")
    words = _("%(domain)s has no DMARC record. Large mailboxes want one; “v=DMARC1; p=none” will do.")
    return Finding("DMARC", Level.PROBLEM, words % {"domain": domain})


def _dmarc_in(records: list[str], *, is_own: bool) -> Finding:
    if len(records) > 1:
        words = _("There are several DMARC records; receivers then honour none. Keep one.")
        return Finding("DMARC", Level.PROBLEM, words, " | ".join(records))
    tags = _tags(records[0])
    policy = (tags.get("p", "") if is_own else tags.get("sp") or tags.get("p", "")).lower()
    if policy not in ("none", "quarantine", "reject"):
        words = _("The DMARC record has no policy (p=none, quarantine or reject).")
        return Finding("DMARC", Level.PROBLEM, words, records[0])
    if policy == "none":
        words = _("DMARC is published and only watches (p=none). That is enough to send.")
        return Finding("DMARC", Level.OK, words, records[0])
    words = _("DMARC is published; what is not signed by you is kept out (p=%(policy)s).")
    return Finding("DMARC", Level.OK, words % {"policy": policy}, records[0])


def _and_above(domain: str) -> Iterator[str]:
    labels = domain.split(".")
    for start in range(min(max(1, len(labels) - 1), TREE_STEPS)):
        yield ".".join(labels[start:])


def _tags(record: str) -> dict[str, str]:
    """tag=value, divided by semicolons."""
    pairs = (part.partition("=") for part in record.split(";") if "=" in part)
    return {tag.strip().lower(): value.strip() for tag, _equals, value in pairs}


def _unknown(what: str, name: str) -> Finding:
    words = _("The DNS did not answer for %(name)s. Look again later.") % {"name": name}
    return Finding(what, Level.UNKNOWN, words)
