"""Whether a vendor's moderation finds a text or a picture unfit, where a provider can moderate."""

import asyncio
from typing import Any

from config.api.models import Account
from personas.providers.base import Picture, ProviderError
from personas.providers.registry import provider

SECONDS = 5.0  # for one text or picture; a person waits for it


async def unfit_categories(
    name: str, text: str, *, account: Account, picture: Picture | None = None
) -> tuple[str, ...]:
    """What the provider `name` finds in them, like ("violence",); empty for what is fit.

    Raises ProviderError: when it fails, takes too long, or cannot moderate (code `unsupported`).
    """
    moderate: Any = getattr(provider(name, account=account), "moderate", None)
    if moderate is None:
        raise ProviderError("unsupported", "This provider moderates nothing.", retryable=False, provider=name)
    try:
        async with asyncio.timeout(SECONDS):
            return tuple(await moderate(text, picture))
    except TimeoutError:
        message = "The moderation took too long."
        raise ProviderError("timeout", message, retryable=True, provider=name) from None
