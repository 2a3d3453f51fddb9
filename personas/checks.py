"""System checks: the providers of the settings can be made, and the chains name them."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.utils.module_loading import import_string


@register(Tags.compatibility)
def check_providers(**_kwargs: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    for name, entry in settings.PROVIDERS.items():
        try:
            import_string(entry["BACKEND"])
        except (KeyError, ImportError):
            hint = "Give it a BACKEND like 'personas.providers.openai.OpenAIProvider'."
            found.append(
                Error(f"The provider {name!r} in PROVIDERS cannot be loaded.", hint=hint, id="personas.E001")
            )
    return found + _check_names() + _check_lyzr()


def _check_lyzr() -> list[CheckMessage]:
    """Lyzr is off unless it is asked for; half set up it would fail at the first word."""
    entry = settings.PROVIDERS.get("lyzr", {})
    found: list[CheckMessage] = []
    if "lyzr" in settings.DEFAULT_PROVIDER_CHAIN and not (entry.get("API_KEY") and entry.get("MODEL")):
        hint = "Set LYZR_API_KEY and LYZR_AGENT_ID, or take lyzr out of RAPPORT_PROVIDERS."
        message = (
            "RAPPORT_PROVIDERS names lyzr without a key or an agent: only accounts with their own speak."
        )
        found.append(Warning(message, hint=hint, id="personas.W004"))
    if settings.EMBEDDING_PROVIDER == "lyzr":
        hint = "Set RAPPORT_EMBEDDINGS to another provider, or leave it empty for keyword search alone."
        message = "RAPPORT_EMBEDDINGS names lyzr, which makes no vectors for others."
        found.append(Warning(message, hint=hint, id="personas.W005"))
    for option, name in (("BASE_URL", "LYZR_AGENT_URL"), ("RAG_URL", "LYZR_RAG_URL")):
        if _sends_in_the_clear(str(entry.get(option) or "")):
            hint = f"Give {name} an address that begins with https://."
            message = f"{name} is plain HTTP: the key and what people say can be read on the way."
            found.append(Warning(message, hint=hint, id="personas.W006"))
    return found


def _sends_in_the_clear(address: str) -> bool:
    url = urlsplit(address)
    return url.scheme == "http" and url.hostname not in ("127.0.0.1", "::1", "localhost")


def _check_names() -> list[CheckMessage]:
    found: list[CheckMessage] = []
    unknown = [name for name in settings.DEFAULT_PROVIDER_CHAIN if name not in settings.PROVIDERS]
    if unknown or not settings.DEFAULT_PROVIDER_CHAIN:
        hint = f"RAPPORT_PROVIDERS may name: {', '.join(sorted(settings.PROVIDERS))}."
        message = (
            f"DEFAULT_PROVIDER_CHAIN names {', '.join(unknown) or 'nobody'}, so personas may stay silent."
        )
        found.append(Error(message, hint=hint, id="personas.E002"))
    if settings.EMBEDDING_PROVIDER and settings.EMBEDDING_PROVIDER not in settings.PROVIDERS:
        hint = (
            "Set RAPPORT_EMBEDDINGS to a provider with a model, or leave it empty for keyword search alone."
        )
        message = f"EMBEDDING_PROVIDER {settings.EMBEDDING_PROVIDER!r} is not set up."
        found.append(Warning(message, hint=hint, id="personas.W003"))
    return found
