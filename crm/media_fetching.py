"""Pictures and recordings that lie elsewhere on the web: fetched once, then uploads like any other.

Off unless RAPPORT_MEDIA_FETCH is on: a message then names uploads of ours alone.
"""

import asyncio
from collections.abc import Sequence

from django.conf import settings

from config.api.threads import in_database
from crm import media
from crm.fetching import fetch
from crm.media_checking import checked, most_bytes
from crm.models import Contact

MOST_OF_A_MESSAGE = 10


async def own_references(contact: Contact, references: Sequence[str], kind: str) -> list[str]:
    """The references, with the storage key of what was fetched in the place of a foreign address.

    While fetching is off they stay as they are, and `media.claimed` refuses what is not ours. Raises
    MediaRefused.
    """
    if not settings.MEDIA_FETCH:
        return list(references)
    return [await _own(contact, reference, kind) for reference in references[:MOST_OF_A_MESSAGE]]


async def _own(contact: Contact, reference: str, kind: str) -> str:
    if media.is_ours(reference) or not reference.strip().startswith(("http://", "https://")):
        return reference
    data = await fetch(reference, most_bytes=most_bytes(kind))
    # What it is called there says nothing: its content does.
    content = await asyncio.to_thread(checked, data, kind)
    row = await in_database(media.registered, contact, content, kind)
    await asyncio.to_thread(media.keep, row, content)
    return str(row.file.name)
