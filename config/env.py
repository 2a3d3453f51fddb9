"""Reads the environment: each setting once, typed, refused with its name when it makes no sense."""

import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.core.exceptions import ImproperlyConfigured

TRUE_WORDS = frozenset({"1", "true", "yes", "on"})
FALSE_WORDS = frozenset({"0", "false", "no", "off"})
ORIGIN = re.compile(r"https?://[^/\s?#@]+", re.I)


@dataclass(frozen=True)
class Environment:
    """Typed access to environment variables. An empty value counts as not set.

    Every method raises ImproperlyConfigured, naming the variable and never its value
    (it may be a secret), when the text cannot be what is asked for.
    """

    values: Mapping[str, str]

    def text(self, name: str, default: str = "") -> str:
        return self.values.get(name, "").strip() or default

    def flag(self, name: str, *, default: bool) -> bool:
        word = self.text(name).lower()
        if not word:
            return default
        if word in TRUE_WORDS:
            return True
        if word in FALSE_WORDS:
            return False
        raise ImproperlyConfigured(f"{name} must be one of 1/0, true/false, yes/no, on/off.")

    def whole(self, name: str, default: int, *, least: int = 0, most: int | None = None) -> int:
        try:
            number = int(self.text(name, str(default)))
        except ValueError:
            raise ImproperlyConfigured(f"{name} must be a whole number.") from None
        if number < least or (most is not None and number > most):
            limits = f"at least {least}" if most is None else f"from {least} to {most}"
            raise ImproperlyConfigured(f"{name} must be {limits}.")
        return number

    def words(self, name: str, default: tuple[str, ...] = ()) -> list[str]:
        """A list separated by commas; blanks around the words and empty words are dropped."""
        found = [word.strip() for word in self.text(name).split(",")]
        return [word for word in found if word] or list(default)

    def wholes(self, name: str, default: tuple[int, ...], *, least: int, most: int) -> tuple[int, ...]:
        """Whole numbers separated by commas; the word `none` for an empty list."""
        words = self.words(name)
        if not words:
            return default
        if words == ["none"]:
            return ()
        if any(not word.isascii() or not word.isdigit() for word in words):
            raise ImproperlyConfigured(f"{name} must be whole numbers separated by commas, or none.")
        numbers = tuple(map(int, words))
        if not all(least <= number <= most for number in numbers):
            raise ImproperlyConfigured(f"{name} must hold numbers from {least} to {most}.")
        return numbers

    def hosts(self, name: str, *, port: int) -> list[tuple[str, int]]:
        """IP addresses with their ports, like `10.0.0.1, 10.0.0.2:5353, [::1]:53`; none when not set."""
        try:
            return [_host_and_port(word, port) for word in self.words(name)]
        except ValueError:
            raise ImproperlyConfigured(f"{name} must be IP addresses, each with a port or without.") from None

    def choice(self, name: str, choices: tuple[str, ...], default: str) -> str:
        """One of the choices, as it is written there; the setting may write it in any case."""
        found = {word.lower(): word for word in choices}.get(self.text(name, default).lower())
        if found is None:
            raise ImproperlyConfigured(f"{name} must be one of: {', '.join(choices)}.")
        return found

    def zone(self, name: str, default: str = "") -> str:
        """The IANA name of a time zone that this machine knows."""
        zone = self.text(name, default)
        try:
            return ZoneInfo(zone).key if zone else ""
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ImproperlyConfigured(f"{name} must be a time zone like Europe/Warsaw.") from None

    def origins(self, name: str, *, wildcards: bool = False) -> list[str]:
        """Origins as browsers send them; with wildcards also `https://*.example.com`.

        A slash at the end, which is no part of one, is dropped.
        """
        found = [word.removesuffix("/") for word in self.words(name)]
        if not all(ORIGIN.fullmatch(word) and (wildcards or "*" not in word) for word in found):
            raise ImproperlyConfigured(f"{name} must be origins like https://app.example.com, with commas.")
        return found

    def folder(self, name: str, default: Path) -> Path:
        return Path(self.text(name, str(default))).expanduser().absolute()

    def url(self, name: str, default: str = "", *, schemes: tuple[str, ...]) -> str:
        address = self.text(name, default)
        if address and address.partition("://")[0] not in schemes:
            beginnings = " or ".join(f"{scheme}://" for scheme in schemes)
            raise ImproperlyConfigured(f"{name} must begin with {beginnings}.")
        if not address.startswith("http"):
            return address
        if not host_in(address) or re.search(r"\s", address):
            raise ImproperlyConfigured(f"{name} must be a URL with a host, like https://talk.example.com.")
        return address.rstrip("/")


def _host_and_port(word: str, port: int) -> tuple[str, int]:
    """Raises ValueError."""
    host, colon, given = word.rpartition(":") if word.count(":") == 1 or "]:" in word else (word, "", "")
    host = str(ip_address(host[1:-1] if host.startswith("[") and host.endswith("]") else host))
    number = int(given) if colon else port
    if not 0 < number < 65536:
        raise ValueError
    return host, number


def from_process() -> Environment:
    return Environment(os.environ)


def kept_secret(path: Path) -> str:
    """The secret kept in a file, made (384 random bits, mode 0600) the first time.

    Two processes that start together agree: the file is created exclusively, and the loser
    reads what the winner wrote. Raises OSError when the folder cannot be written.
    """
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(48))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()


def host_in(address: str) -> str:
    """The host of a URL as ALLOWED_HOSTS writes it: no port, IPv6 in brackets. Empty when it has none."""
    try:
        parts = urlsplit(address)
        host, _port = parts.hostname or "", parts.port  # a port that is none raises
    except ValueError:
        return ""
    return f"[{host}]" if ":" in host else host
