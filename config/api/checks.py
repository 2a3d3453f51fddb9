"""Django system checks: settings that would only fail later, or quietly, each with what to do."""

import ipaddress
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.utils.module_loading import import_string

from config.env import from_process

SHORTEST_SECRET = 32  # characters
SETTINGS = "settings"  # checks that `serve` runs too, before anything starts: they must be quick


def is_loopback_name(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


@register(Tags.security, deploy=True)
def secrets_are_set(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """On several machines each would make its own secrets, and none could read the others' rows.

    With `--deploy` alone, as all that a single machine may do without: every command runs the other checks.
    """
    if settings.RAPPORT_ENV != "production":
        return []
    environment = from_process()
    found: list[CheckMessage] = []
    if len(environment.text("SECRET_KEY")) < SHORTEST_SECRET:
        hint = f"Set SECRET_KEY to at least {SHORTEST_SECRET} random characters (openssl rand -base64 48)."
        found.append(Error("SECRET_KEY is missing or short.", hint=hint, id="rapport.E001"))
    keys = environment.words("RAPPORT_ENCRYPTION_KEYS")
    if not keys or any(len(key) < SHORTEST_SECRET for key in keys):
        hint = f"Set one or more keys of at least {SHORTEST_SECRET} random characters, the newest first."
        found.append(Error("RAPPORT_ENCRYPTION_KEYS is missing or short.", hint=hint, id="rapport.E002"))
    return found


@register(Tags.security, deploy=True)
def public_address_is_safe(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    address = urlsplit(settings.PUBLIC_BASE_URL)
    if settings.TESTING or address.scheme == "https" or is_loopback_name(address.hostname or ""):
        return []
    hint = "Links in emails are credentials. Put TLS in front and set PUBLIC_BASE_URL to https://…"
    return [Error("PUBLIC_BASE_URL is not https.", hint=hint, id="rapport.E003")]


@register(Tags.security)
def demo_stays_at_home(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    if settings.RAPPORT_ENV != "demo" or is_loopback_name(settings.HOST):
        return []
    hint = "Set HOST=127.0.0.1, or RAPPORT_ENV=production, where every caller proves who it is."
    return [
        Error(
            "The demo lets callers in without a key: it may listen on loopback only.",
            hint=hint,
            id="rapport.E004",
        )
    ]


@register(SETTINGS)
def providers_are_known(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    known = ", ".join(sorted(settings.PROVIDERS))
    unknown = [name for name in settings.DEFAULT_PROVIDER_CHAIN if name not in settings.PROVIDERS]
    hint = f"Known here: {known}."
    found: list[CheckMessage] = [
        Error(f"RAPPORT_PROVIDERS names {name!r}, which is not in PROVIDERS.", hint=hint, id="rapport.E005")
        for name in unknown
    ]
    if settings.EMBEDDING_PROVIDER and settings.EMBEDDING_PROVIDER not in settings.PROVIDERS:
        text = f"RAPPORT_EMBEDDINGS names {settings.EMBEDDING_PROVIDER!r}, which is not in PROVIDERS."
        found.append(Error(text, hint=hint, id="rapport.E006"))
    return found


@register(deploy=True)
def dotted_paths_exist(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """A lower app calls a higher one by these; a slip would show only when somebody needs it.

    With `--deploy` alone, because it imports most of the product.
    """
    paths = [*settings.CHANNELS.values(), *settings.SOCKET_AUTHENTICATORS]
    paths += [f"{module}.{name}" for module in settings.PERSONAL_DATA for name in ("collect", "erase")]
    hint = "Compare CHANNELS, SOCKET_AUTHENTICATORS and PERSONAL_DATA in config/settings.py with the modules."
    return [
        Error(f"Nothing can be imported from {path!r}.", hint=hint, id="rapport.E007")
        for path in paths
        if not importable(path)
    ]


def importable(path: str) -> bool:
    try:
        import_string(path)
    except ImportError:
        return False
    return True


@register(Tags.security, deploy=True)
def proxies_are_counted(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    if settings.RAPPORT_ENV != "production" or not settings.SECURE or settings.TRUSTED_PROXIES:
        return []
    hint = "Set TRUSTED_PROXIES to how many proxies are in front; each must append to X-Forwarded-For."
    text = "TLS ends somewhere before us, yet TRUSTED_PROXIES is 0: every caller seems to be the proxy."
    return [Warning(text, hint=hint, id="rapport.W001")]
