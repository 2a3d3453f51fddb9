"""Which languages the pages of an interview speak: English, and those that locale/ has words of."""

from functools import lru_cache
from pathlib import Path

from django.conf import settings


@lru_cache(maxsize=1)
def _translated() -> frozenset[str]:
    found = [path.name for place in settings.LOCALE_PATHS for path in Path(place).glob("[a-z][a-z]*")]
    return frozenset([settings.LANGUAGE_CODE, *found])


def named(language: str) -> str:
    """The same for what an address or a form names, which may be anything."""
    return spoken(language) if language in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE


def spoken(language: str) -> str:
    """The guide's own language where our pages speak it, else English, which their words then are in.

    A page that only said it was Arabic would be read out with an Arabic voice, and laid out from the right.
    """
    known = language.lower().partition("-")[0] in _translated()
    return language if known else settings.LANGUAGE_CODE
