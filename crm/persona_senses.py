"""What a message holds besides words, for the persona: recordings written down, pictures to look at.

Part of the turn: done once for each message however often it is sent, kept alive and timed as the reply is.
Storage and vendors are asked outside any transaction and off the event loop.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache
from typing import TypeVar

from django.db.models import prefetch_related_objects
from django.utils.translation import gettext as _

from config.api.prepared import PreparedRows, given
from config.api.threads import in_database
from crm import media
from crm.briefs import Said
from crm.media import MediaRefused
from crm.models import MediaFile, Message
from crm.standing import UNFIT
from crm.turns import Turn
from personas.providers.base import Picture, ProviderError

logger = logging.getLogger(__name__)

# What a voice message was recognised as; a persona that could not hear it says so.
HEARD, UNHEARD = "heard", "unheard"
# Pictures that a model is shown again: those of the latest messages.
LOOKED_BACK = 6  # messages
PICTURES_SHOWN = 10
WITH_PICTURES = (Message.Type.IMAGE, Message.Type.MULTIMODAL)

T = TypeVar("T")
R = TypeVar("R")
Pictures = Mapping[int, tuple[Picture, ...]]  # by the number of their message


@lru_cache(maxsize=1)
def _threads() -> ThreadPoolExecutor:
    # Few, and their own: a slow store must hold up neither the database nor the loop.
    return ThreadPoolExecutor(4, thread_name_prefix="senses")


# --- Heard ------------------------------------------------------------------------------------


async def heard(turn: Turn) -> Turn:
    """The turn with what a voice message says as its text. Raises ProviderError that another try may mend."""
    message = turn.message
    if message.type != Message.Type.AUDIO or message.act in (HEARD, UNFIT):
        return turn
    words = await _written_down(turn)
    act = HEARD if words else UNHEARD
    note = _("[Transcribed: %(words)s]") % {"words": words} if words else _("[Voice message]")
    text = "\n".join(part for part in (_own_words(message.text), note) if part)
    await in_database(_keep, message, text, act)
    last = replace(turn.said[-1], text=text, act=act)
    return replace(turn, said=(*turn.said[:-1], last))


def parts_of(message: Message) -> tuple[str, str]:
    """What somebody wrote, and what was heard in a recording beside it; the notes for models left out."""
    if message.type != Message.Type.AUDIO:
        return message.text, ""
    before, after = (_("[Transcribed: %(words)s]") % {"words": "\0"}).split("\0")
    own, found, heard = message.text.partition(before) if message.act == HEARD else (message.text, "", "")
    return (_own_words(own), heard.removesuffix(after)) if found else (_own_words(message.text), "")


def _own_words(text: str) -> str:
    """What was written beside the recording, without the note of a try before."""
    return text.removesuffix(_("[Voice message]")).rstrip()


async def _written_down(turn: Turn) -> str:
    """What was said; empty where nobody in the persona's chain can hear it."""
    try:
        audio = await _of_storage(media.audio_of, await in_database(_recording, turn.message))
        words = await media.transcribed(turn.persona, turn.conversation.account, audio)
    except MediaRefused:
        return ""
    except ProviderError as error:
        if error.retryable:
            raise
        logger.info("a voice message was not written down: %s", error.code)
        return ""
    return words.strip()


def _recording(message: Message) -> MediaFile:
    file = message.media.filter(kind=MediaFile.Kind.AUDIO).first()
    if file is None:
        raise MediaRefused(_("The recording is gone."))
    return file


def _keep(message: Message, text: str, act: str) -> None:
    Message.objects.filter(pk=message.pk).update(text=text, act=act)
    message.text, message.act = text, act


# --- Seen -------------------------------------------------------------------------------------


async def pictures_in(message: Message) -> Sequence[Picture]:
    """Of one message, as models get them."""
    files = await in_database(lambda: list(message.media.filter(kind=MediaFile.Kind.IMAGE).order_by("pk")))
    return await _of_storage(media.pictures_of, files) if files else ()


async def seen(files: Mapping[int, list[MediaFile]]) -> Pictures:
    """What `latest_pictures` found, as models get it."""
    return await _of_storage(_read, files) if files else {}


_with_pictures = PreparedRows(
    lambda: Message.objects.filter(
        conversation_id=given(Message, "conversation"),
        seq__gt=given(Message, "seq", name="after"),
        seq__lte=given(Message, "seq", name="until"),
        type__in=WITH_PICTURES,
    ).order_by("-seq")
)


def latest_pictures(turn: Turn) -> dict[int, list[MediaFile]]:
    """Of the latest messages, the newest first to be shown."""
    last = turn.message.seq
    rows = _with_pictures(conversation=turn.conversation.pk, after=last - LOOKED_BACK, until=last)
    prefetch_related_objects(rows, "media")
    found: dict[int, list[MediaFile]] = {}
    left = PICTURES_SHOWN
    for message in rows:
        files = sorted(message.media.all(), key=lambda file: file.pk)[:left]
        left -= len(files)
        if files:
            found[message.seq] = files
    return found


def _read(files: Mapping[int, list[MediaFile]]) -> Pictures:
    return {seq: media.pictures_of(of_message) for seq, of_message in files.items()}


async def _of_storage(work: Callable[[T], R], of: T) -> R:
    return await asyncio.get_running_loop().run_in_executor(_threads(), work, of)


def pictured(said: Said) -> str:
    """What stands for a message of pictures without a word."""
    return said.text or _("(They sent a picture.)")
