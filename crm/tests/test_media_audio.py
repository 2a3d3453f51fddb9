"""Recordings are what their bytes say, and as long as they are."""

import pytest

from crm.media_checking import checked
from crm.media_content import MediaRefused
from crm.tests.media_samples import HTML, m4a, mp3, ogg, picture, wav


@pytest.mark.parametrize(
    ("data", "mime", "extension", "seconds"),
    [
        (wav(1.5), "audio/wav", ".wav", 1.5),
        (mp3(2), "audio/mpeg", ".mp3", 2),
        (b"ID3\x03\x00\x00\x00\x00\x00\x00" + mp3(2), "audio/mpeg", ".mp3", 2),
        (ogg(3), "audio/ogg", ".ogg", 3),
        (m4a(4), "audio/mp4", ".m4a", 4),
    ],
    ids=["wav", "mp3", "mp3 with tags", "ogg", "m4a"],
)
def test_its_format_and_length_are_read_from_it(data, mime, extension, seconds):
    content = checked(data, "audio", filename="note.mp3")
    assert (content.mime, content.extension, content.data) == (mime, extension, data)
    assert content.duration_seconds == pytest.approx(seconds, abs=0.1)


@pytest.mark.parametrize("data", [wav(12), mp3(12), ogg(12), m4a(12)], ids=["wav", "mp3", "ogg", "m4a"])
def test_one_that_is_too_long_is_refused(data, settings):
    settings.MEDIA_AUDIO_MAX_SECONDS = 10
    with pytest.raises(MediaRefused, match="10 seconds"):
        checked(data, "audio")


NO_RECORDINGS = {
    "a page": HTML,
    "a picture": picture(),
    "text": b"hello there",
    "video of a browser": b"\x1a\x45\xdf\xa3" + bytes(100),
    "a film": b"\x00\x00\x00\x18ftypqt  " + bytes(100),
    "Ogg with pictures": b"OggS" + bytes(24) + b"\x80theora" + bytes(100),
    "an AVI": b"RIFF\x00\x00\x00\x00AVI " + bytes(100),
}


@pytest.mark.parametrize("name", NO_RECORDINGS)
def test_what_is_no_recording_is_refused_whatever_it_is_called(name):
    with pytest.raises(MediaRefused) as caught:
        checked(NO_RECORDINGS[name], "audio", filename="note.mp3")
    assert caught.value.reason == "format"


@pytest.mark.parametrize(
    "data",
    [
        b"RIFF\x24\x00\x00\x00WAVE",
        wav(0),
        b"\x00\x00\x00\x18ftypM4A " + bytes(40),
        b"ID3\x03\x00\x00\x00\x00\x00\x00",
        b"OggS" + bytes(24) + b"OpusHead",
        b"RIFF\xff\xff\xff\xffWAVEfmt \xff\xff\xff\xff" + bytes(20),
    ],
)
def test_one_without_a_length_is_refused(data):
    with pytest.raises(MediaRefused):
        checked(data, "audio")


@pytest.mark.parametrize(("kind", "data"), [("image", picture()), ("audio", wav())])
def test_the_size_has_a_limit_of_its_kind(kind, data, settings):
    settings.MEDIA_IMAGE_MAX_BYTES = settings.MEDIA_AUDIO_MAX_BYTES = len(data) - 1
    with pytest.raises(MediaRefused) as caught:
        checked(data, kind)
    assert caught.value.reason == "too_large"


@pytest.mark.parametrize("kind", ["image", "audio"])
def test_nothing_is_refused(kind):
    with pytest.raises(MediaRefused, match="empty"):
        checked(b"", kind)


def test_a_kind_that_is_not_taken():
    with pytest.raises(MediaRefused, match="image or audio"):
        checked(b"x", "document")
