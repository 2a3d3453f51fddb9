"""Recordings: which of the taken formats one has, and how long it is, both read from the file itself.

Its length is the longer of what its header says and what is counted in it.
"""

import re
from io import BytesIO

from django.conf import settings
from django.utils.translation import gettext as _
from tinytag import TinyTag

from crm.media_content import Content, MediaRefused, refuse_format
from crm.media_lengths import counted_seconds
from crm.models import MediaFile

# ISO base media: the brands of recordings, and the general ones that phones write for them.
_MP4_BRANDS = frozenset({b"M4A ", b"M4B ", b"mp41", b"mp42", b"isom", b"iso2", b"iso5", b"iso6", b"dash"})
# An MPEG frame: eleven set bits, then not the reserved version, layer III, not the reserved rates.
_MP3_FRAME = re.compile(rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb][\x10-\xef]", re.DOTALL)
_OGG_CODECS = (b"OpusHead", b"\x01vorbis", b"\x7fFLAC", b"Speex   ")


# No coding of the format needs more for a second of sound; what is not sound (a cover) may come on top.
MOST_BYTES_A_SECOND = {".mp3": 40_000, ".ogg": 600_000, ".m4a": 600_000, ".wav": 2_400_000}
ROOM_FOR_TAGS = 512 * 1024


def measured(data: bytes) -> Content:
    """The recording with its format and length. Raises MediaRefused."""
    mime, extension = _format_of(data)
    seconds = max(_said_seconds(data, extension), counted_seconds(data, extension))
    if seconds <= 0:
        raise MediaRefused(_("This recording has no length, or it cannot be read."))
    if len(data) - ROOM_FOR_TAGS > seconds * MOST_BYTES_A_SECOND[extension]:
        raise MediaRefused(_("This recording is not as long as it says. Please send it in another format."))
    most = settings.MEDIA_AUDIO_MAX_SECONDS
    if seconds > most:
        raise MediaRefused(_("A recording may be at most %(most)d seconds long.") % {"most": most})
    return Content(data, mime, extension, duration_seconds=round(seconds, 3))


def _format_of(data: bytes) -> tuple[str, str]:
    head = data[:64]
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "audio/wav", ".wav"
    if head[:4] == b"OggS" and any(codec in head for codec in _OGG_CODECS):
        return "audio/ogg", ".ogg"
    if head[4:8] == b"ftyp" and head[8:12] in _MP4_BRANDS:
        return "audio/mp4", ".m4a"
    if head[:3] == b"ID3" or _MP3_FRAME.match(head):
        return "audio/mpeg", ".mp3"
    raise refuse_format(MediaFile.Kind.AUDIO)


def _said_seconds(data: bytes, extension: str) -> float:
    """What its header says, 0 where it says nothing. Raises MediaRefused."""
    try:
        seconds = TinyTag.get(f"audio{extension}", file_obj=BytesIO(data), tags=False).duration
    except Exception:  # a reader that is fed nonsense raises anything
        raise refuse_format(MediaFile.Kind.AUDIO) from None
    return float(seconds or 0)
