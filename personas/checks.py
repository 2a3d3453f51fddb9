"""System checks: the providers of the settings can be made, and the chains name them."""

from typing import Any

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
    return found + _check_names()


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
