"""Pictures and recordings that people send: taken in, named in messages, handed out, given to models.

A file has a storage key, under which clients name it in messages, and short-lived addresses, under which it
can be read. Either names it; neither lets anybody but its owner use it.
"""

import hashlib
import logging
import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from storages.backends.s3 import S3Storage

from config.api.models import Account
from crm.media_checking import checked
from crm.media_content import Content, MediaRefused
from crm.media_images import for_models
from crm.models import Contact, MediaFile, Message
from personas.hearing import transcribe
from personas.models import Persona
from personas.providers.base import Audio, Picture

__all__ = [
    "MediaRefused",
    "audio_of",
    "claimed",
    "file_signed_in",
    "keep",
    "let_go",
    "path_of",
    "pictures_of",
    "registered",
    "stored",
    "transcribed",
    "url_of",
]

log = logging.getLogger(__name__)

SALT = "crm.media"
FOLDER = "media"
LONGEST_REFERENCE = 2_000
# What one prompt carries of pictures. Vendors take about 20 MB of a request, and base64 adds a third.
MOST_PICTURE_BYTES = 12 * 1024 * 1024
_KEY = re.compile(r"media/[0-9a-f-]{36}/([0-9a-f-]{36})\.[a-z0-9]{3,4}")


# --- Taken in ---------------------------------------------------------------------------------
def stored(contact: Contact, data: bytes, kind: str, *, filename: str = "") -> MediaFile:
    """An upload, checked by what it holds; pictures are made anew. Raises MediaRefused.

    Reads and writes storage: not for an event loop.
    """
    content = checked(data, kind, filename=filename)
    media = registered(contact, content, kind, filename=filename)
    keep(media, content)
    return media


def keep(media: MediaFile, content: Content) -> None:
    """Into storage: not for an event loop. Raises MediaRefused."""
    try:
        default_storage.save(str(media.file.name), ContentFile(content.data))
    except Exception as error:  # each kind of store has its own
        log.warning("media file %s could not be stored: %s", media.pk, type(error).__name__)
        raise MediaRefused(_("The file could not be stored. Please send it again."), reason="store") from None


def registered(contact: Contact, content: Content, kind: str, *, filename: str = "") -> MediaFile:
    """The row, before its file: an upload that breaks off between is removed as one that nobody used."""
    media = MediaFile(
        account_id=contact.account_id,
        contact=contact,
        kind=kind,
        filename=re.split(r"[/\\]", filename)[-1].replace("\x00", "")[:300],
        mime=content.mime,
        size_bytes=len(content.data),
        checksum=hashlib.sha256(content.data).hexdigest(),
        width_pixels=content.width_pixels,
        height_pixels=content.height_pixels,
        duration_seconds=content.duration_seconds,
        unused_after=_unused_after(),
    )
    # Ids of ours alone: what a token calls its bearer must not shape a path.
    media.file.name = f"{FOLDER}/{contact.pk}/{media.pk}{content.extension}"
    media.save(force_insert=True)
    return media


def _unused_after() -> Any:
    return timezone.now() + timedelta(hours=settings.MEDIA_UNUSED_HOURS)


# --- Named in messages ------------------------------------------------------------------------
def claimed(contact: Contact, references: Sequence[str], kind: str) -> list[MediaFile]:
    """The contact's own uploads that these name, in that order, each once. Raises MediaRefused for any other.

    `references` are storage keys, or addresses that we handed out, also when their time is over. From now on
    a message has as long as after an upload to take them: call it before each.
    """
    wanted = list(dict.fromkeys(_id_of(reference) for reference in references))
    own = MediaFile.objects.filter(contact=contact, kind=kind, pk__in=[one for one in wanted if one])
    own.filter(unused_after__isnull=False).update(unused_after=_unused_after())
    found = own.in_bulk()
    missing = [one for one in wanted if one is None or one not in found]
    if missing:
        raise MediaRefused(_("Name files that you have uploaded, by the storage key you were given."))
    return [found[one] for one in wanted if one is not None]


def is_ours(reference: str) -> bool:
    """Whether it is in the form of a key or an address of ours, whoever the file may belong to."""
    return _id_of(reference) is not None


def _id_of(reference: str) -> UUID | None:
    text = str(reference).strip()
    if len(text) > LONGEST_REFERENCE:
        return None
    if found := _KEY.fullmatch(text):
        return _uuid(found[1])
    if text.startswith(_files_address()):
        return _id_signed_in(text.removeprefix(_files_address()))
    return _id_in_store(text)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _id_in_store(url: str) -> UUID | None:
    """Of a presigned address: the same as we would hand out, but for the signature."""
    found = _KEY.search(urlsplit(url).path) if is_in_s3() and url.startswith("http") else None
    if found is None or _without_query(default_storage.url(found[0])) != _without_query(url):
        return None
    return _uuid(found[1])


def _without_query(url: str) -> str:
    return url.partition("?")[0]


def let_go(conversation_id: UUID) -> int:
    """Before a talk is deleted: its uploads that are in no other talk are removed soon after."""
    attached = Message.media.through.objects
    in_talk = attached.filter(message__conversation_id=conversation_id).values("mediafile_id")
    elsewhere = attached.filter(mediafile_id__in=in_talk).exclude(message__conversation_id=conversation_id)
    leaving = MediaFile.objects.filter(pk__in=in_talk, file__startswith=f"{FOLDER}/")
    return leaving.exclude(pk__in=elsewhere.values("mediafile_id")).update(unused_after=timezone.now())


# --- Handed out -------------------------------------------------------------------------------
def url_of(media: MediaFile) -> str:
    """An address that opens the file for some minutes, for whoever has it: give it to its owner alone.

    No network: S3's are signed here.
    """
    if is_in_s3():
        named = {"ResponseContentDisposition": disposition_of(media), "ResponseContentType": media.mime}
        seconds = settings.MEDIA_URL_SECONDS
        return str(default_storage.url(str(media.file.name), parameters=named, expire=seconds))  # type: ignore[call-arg]
    return _files_address() + _token_of(media)


def path_of(media: MediaFile) -> str:
    """The same on this installation's own host: our pages show nothing of another."""
    return reverse("media-file", args=[_token_of(media)])


def _token_of(media: MediaFile) -> str:
    until = int(timezone.now().timestamp()) + settings.MEDIA_URL_SECONDS
    return signing.dumps([str(media.pk), until], salt=SALT)


def is_in_s3() -> bool:
    return isinstance(default_storage, S3Storage)


def disposition_of(media: MediaFile) -> str:
    return f'inline; filename="{str(media.file.name).rpartition("/")[2]}"'


def _files_address() -> str:
    """What stands before the signed part."""
    if settings.MEDIA_BASE_URL:
        return f"{settings.MEDIA_BASE_URL}/"
    return str(settings.PUBLIC_BASE_URL) + reverse("media-file", args=["x"]).removesuffix("x")


def file_signed_in(token: str) -> MediaFile | None:
    """The file of an address that this installation signed, while it lasts."""
    signed = _signed(token)
    if signed is None or timezone.now().timestamp() >= signed[1]:
        return None
    return MediaFile.objects.filter(pk=signed[0]).first()


def _id_signed_in(token: str) -> UUID | None:
    signed = _signed(token)
    return _uuid(signed[0]) if signed else None


def _signed(token: str) -> tuple[str, int] | None:
    try:
        key, until = signing.loads(token[:LONGEST_REFERENCE], salt=SALT)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    return str(key), int(until)


# --- Given to models --------------------------------------------------------------------------
def pictures_of(files: Sequence[MediaFile]) -> tuple[Picture, ...]:
    """The images among the files, no larger than a model looks at. Reads storage: not for an event loop.

    One that cannot be read is left out, as are those beyond what a request may carry: a reply to the others
    is better than none.
    """
    pictures: list[Picture] = []
    room = MOST_PICTURE_BYTES
    for media in files:
        picture = _picture(media) if media.kind == MediaFile.Kind.IMAGE else None
        if picture is not None and len(picture.data) <= room:
            room -= len(picture.data)
            pictures.append(picture)
    return tuple(pictures)


def _picture(media: MediaFile) -> Picture | None:
    try:
        return for_models(_read(media), media.mime)
    except Exception as error:  # each kind of store has its own
        log.warning("media file %s cannot be shown to a model: %s", media.pk, type(error).__name__)
        return None


def audio_of(media: MediaFile) -> Audio:
    """Reads storage: not for an event loop. Raises MediaRefused when the file cannot be read."""
    try:
        return Audio(_read(media), media.mime)
    except Exception as error:  # each kind of store has its own
        log.warning("media file %s cannot be read: %s", media.pk, type(error).__name__)
        raise MediaRefused(_("The recording cannot be read. Please send it again.")) from None


def _read(media: MediaFile) -> bytes:
    with default_storage.open(str(media.file.name), "rb") as file:
        return bytes(file.read())


async def transcribed(persona: Persona | None, account: Account, audio: Audio) -> str:
    """What was said, in words. Raises ProviderError; `unsupported` when nobody in the chain can hear."""
    return (await transcribe(persona, audio, account=account)).text
