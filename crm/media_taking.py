"""Uploads taken in by async views: read, checked and stored on a few threads of their own.

A slow store then holds up neither the event loop nor the threads of other requests, and whoever comes while
too many wait is told so at once.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, ParamSpec, TypeVar

from django.conf import settings
from django.utils.translation import gettext as _

from config.api.threads import in_database
from crm import media, media_checking
from crm.media_content import Content, MediaRefused
from crm.models import Contact, MediaFile

P = ParamSpec("P")
R = TypeVar("R")
# Uploads that may wait for a thread, for each that has one.
WAITING_PER_THREAD = 8

_under_way = 0  # on any event loop of this process; only ever changed between two awaits


@lru_cache(maxsize=1)
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(settings.MEDIA_THREADS, thread_name_prefix="uploads")


async def on_a_thread(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """What `work` returns, once a thread is free. Raises MediaRefused while too many wait already."""
    global _under_way
    if _under_way >= settings.MEDIA_THREADS * (1 + WAITING_PER_THREAD):
        words = _("Too many files are arriving. Please send it again in a moment.")
        raise MediaRefused(words, reason="store")
    _under_way += 1
    try:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(_threads(), lambda: work(*args, **kwargs))
    finally:
        _under_way -= 1


async def taken(contact_of: Callable[[], Contact], file: Any, kind: str) -> MediaFile:
    """An uploaded file, checked and stored, for a message to name. Raises MediaRefused.

    `contact_of` is asked once the file is found good: only then is anybody made a contact.
    """
    name = str(file.name or "")
    media_checking.refuse_unfit(kind, filename=name, size_bytes=file.size or 0)
    content = await on_a_thread(_checked, file, kind)
    row = await in_database(_registered, contact_of, content, kind, name)
    await on_a_thread(media.keep, row, content)
    return row


def _checked(file: Any, kind: str) -> Content:
    return media_checking.checked(file.read(), kind, filename=str(file.name or ""))


def _registered(contact_of: Callable[[], Contact], content: Content, kind: str, name: str) -> MediaFile:
    return media.registered(contact_of(), content, kind, filename=name)
