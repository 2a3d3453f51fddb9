"""What a web process makes once and keeps, made before the first person waits for it."""

import logging
import threading
from collections.abc import Callable, Sequence

from django.conf import settings

logger = logging.getLogger(__name__)


def models() -> None:
    """A vendor's SDK takes a second to load; on the event loop that would hold up every chat."""
    from personas.providers import registry

    for name in {*settings.DEFAULT_PROVIDER_CHAIN, settings.EMBEDDING_PROVIDER}:
        if registry.is_known(name):
            registry.make_ready(name)


def words_on_the_phone() -> None:
    """A caller waits for the answer: the patterns of every language are compiled now."""
    from voice import intents
    from voice.phrases import languages, phrases_of

    for language in sorted(languages()):
        intents.warm_up(phrases_of(language))


STEPS: Sequence[Callable[[], None]] = (models, words_on_the_phone)


def warm_up(steps: Sequence[Callable[[], None]] = STEPS) -> None:
    for step in steps:
        try:
            step()
        except Exception:  # whoever needs it first tries again, and is told what is wrong
            logger.exception("%s was not made ready.", step.__name__)


def begin() -> threading.Thread:
    """In a thread, so that the process answers meanwhile."""
    thread = threading.Thread(target=warm_up, name="warming", daemon=True)
    thread.start()
    return thread
