"""Recordings are what their bytes say, and as long as they are."""

import struct

import pytest
from hypothesis import given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st

from crm.media_checking import checked
from crm.media_content import MediaRefused
from crm.media_lengths import counted_seconds
from crm.tests.media_samples import HTML, _box, m4a, mp3, ogg, picture, wav


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


def lying_wav():
    """Its header says a hundredth of a second, and that a second has a million bytes."""
    data = bytearray(wav(12))
    data[28:32] = (1_000_000).to_bytes(4, "little")
    data[40:44] = (160).to_bytes(4, "little")
    return bytes(data)


def lying_mp3():
    """A Xing header of one frame before many."""
    head = (
        b"\xff\xfb\x90\xc4"
        + bytes(32)
        + b"Xing"
        + b"\x00\x00\x00\x03"
        + b"\x00\x00\x00\x01"
        + b"\x00\x00\x01\xa1"
    )
    return head.ljust(417, b"\0") + mp3(12)


def lying_ogg():
    """700 packets of 20 ms, whose last page says that it ends after 10 ms."""
    head, tags, last = ogg(0.01).split(b"OggS")[1:]
    return (
        b"OggS" + head + b"OggS" + tags + b"".join(b"OggS" + opus_page(n) for n in range(7)) + b"OggS" + last
    )


def opus_page(number):
    """100 packets of two bytes: configuration 1, 20 ms each."""
    return struct.pack("<BBqIIIB", 0, 0, 480, 1, number, 0, 100) + b"\x02" * 100 + b"\x08\x00" * 100


def lying_m4a():
    """As many AAC frames as 16 s have, in a header that says 1 s."""
    sizes = _box(b"stsz", bytes(8) + struct.pack(">I", 125))
    return m4a(1) + _box(b"moov", _box(b"trak", _box(b"mdia", _box(b"minf", _box(b"stbl", sizes)))))


@pytest.mark.parametrize("lying", [lying_wav, lying_mp3, lying_ogg, lying_m4a])
def test_a_header_that_says_less_is_not_believed(lying, settings):
    settings.MEDIA_AUDIO_MAX_SECONDS = 10
    with pytest.raises(MediaRefused, match="10 seconds"):
        checked(lying(), "audio")


def test_one_that_is_larger_than_its_length_needs_is_refused():
    with pytest.raises(MediaRefused, match="not as long as it says"):
        checked(ogg(1) + bytes(2_000_000), "audio")


@settings_of_hypothesis(max_examples=200, deadline=None)
@given(cut=st.integers(0, 3000), at=st.integers(0, 3000), byte=st.integers(0, 255))
def test_counting_ends_whatever_it_is_given(cut, at, byte):
    for data, extension in (
        (wav(0.1), ".wav"),
        (mp3(0.2), ".mp3"),
        (lying_ogg(), ".ogg"),
        (lying_m4a(), ".m4a"),
    ):
        broken = bytearray(data[: max(cut, 1)])
        broken[at % len(broken)] = byte
        assert counted_seconds(bytes(broken), extension) >= 0


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
