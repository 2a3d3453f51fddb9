"""How long a recording in Ogg is: by its pages and its packets, the longer of both when one of them lies."""

import struct

import pytest
from hypothesis import given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st

from crm.media_checking import checked
from crm.media_content import MediaRefused
from crm.media_lengths import counted_seconds
from crm.media_ogg import MOST_STREAMS, seconds
from crm.tests.media_samples import _page, ogg

RATE = 44_100


def pages(packets, *, serial=7, position, first=0):
    """A page for each packet; the position is the last's, of the others 0."""
    last = len(packets) - 1
    return b"".join(
        _page(serial, first + n, position if n == last else 0, 2 if n + first == 0 else 0, packet)
        for n, packet in enumerate(packets)
    )


def vorbis(said=3.0, packets=1, *, rate=RATE, serial=7):
    """Blocks of 256 and 2048 samples; `said` is the position of its last page."""
    head = b"\x01vorbis" + struct.pack("<IBIIIIBB", 0, 1, rate, 0, 128_000, 0, 0xB8, 1)
    comment = b"\x03vorbis" + struct.pack("<I", 4) + b"test" + struct.pack("<IB", 0, 1)
    sound = [b"\x00" * 20] * packets
    whole = [head, comment, b"\x05vorbis" + bytes(40), *sound]
    return pages(whole, serial=serial, position=int(said * rate))


def flac(said=3.0, total=None, packets=(), *, rate=RATE):
    """`total` is what STREAMINFO says, `said` the position of its last page, both in seconds."""
    samples = int((said if total is None else total) * rate)
    facts = rate << 44 | 0 << 41 | 15 << 36 | samples
    info = struct.pack(">HHIH", 4096, 4096, 0, 0) + facts.to_bytes(8) + bytes(16)
    head = b"\x7fFLAC\x01\x00\x00\x01fLaC\x00\x00\x00\x22" + info
    comment = b"\x84\x00\x00\x08" + bytes(8)
    return pages([head, comment, *packets], position=int(said * rate))


def frame(size_code, number=b"\x00", size=b""):
    return b"\xff\xf8" + bytes([size_code << 4 | 9, 0]) + number + size + bytes(20)


def test_vorbis_is_as_long_as_its_last_page_says():
    assert seconds(vorbis(3.25)) == 3.25
    content = checked(vorbis(3.25), "audio")
    assert (content.mime, content.duration_seconds) == ("audio/ogg", 3.25)


def test_flac_is_as_long_as_its_samples():
    assert seconds(flac(total=3.25, said=0)) == 3.25
    assert seconds(flac(total=0, said=3.25)) == 3.25  # a stream that was not known at its beginning


def test_opus_leaves_out_what_a_player_skips():
    head = b"OpusHead" + struct.pack("<BBHIhB", 1, 1, 312, 48_000, 0, 0)
    tags = b"OpusTags" + struct.pack("<I", 4) + b"test" + struct.pack("<I", 0)
    assert seconds(pages([head, tags, b"\x08"], position=48_312)) == 1.0


@pytest.mark.parametrize(
    ("code", "number", "size", "samples"),
    [
        (1, b"\x00", b"", 192),
        (2, b"\x00", b"", 576),
        (5, b"\x00", b"", 4_608),
        (8, b"\x00", b"", 256),
        (15, b"\x00", b"", 32_768),
        (6, b"\x00", b"\x0f", 16),
        (7, b"\xc2\x80", b"\x03\xe7", 1_000),
        (7, b"\xf0\x90\x80\x80", b"\x03\xe7", 1_000),
        (0, b"\x00", b"", 0),
    ],
)
def test_frames_of_flac_are_counted_by_their_size(code, number, size, samples):
    found = seconds(flac(said=0, packets=[frame(code, number, size)] * 10))
    assert found == pytest.approx(10 * samples / RATE)


LYING = {
    "vorbis whose position says less": lambda: vorbis(0.1, packets=4_000),
    "vorbis whose last page says less than one before": lambda: (
        vorbis(60) + _page(7, 99, 10, 4, b"\x00" * 20)
    ),
    "vorbis with another stream behind it": lambda: vorbis(0.1) + vorbis(60, serial=8),
    "vorbis with another stream of the same number": lambda: vorbis(60) + vorbis(0.1),
    "flac whose STREAMINFO says less": lambda: flac(said=60, total=0.1),
    "flac whose position says less": lambda: flac(said=0.1, total=60),
    "flac where both say less": lambda: flac(said=0.1, packets=[frame(12)] * 200),
    "a position that no file reaches": lambda: vorbis(2**40),
    "more streams than a file has": lambda: b"".join(
        vorbis(0.01, serial=number) for number in range(MOST_STREAMS + 2)
    ),
}


@pytest.mark.parametrize("name", LYING)
def test_a_file_that_says_less_is_not_believed(name, settings):
    settings.MEDIA_AUDIO_MAX_SECONDS = 10
    with pytest.raises(MediaRefused, match="10 seconds"):
        checked(LYING[name](), "audio")


def test_a_page_on_which_no_packet_ends_says_nothing():
    data = vorbis(2) + _page(7, 98, -1, 0, b"\x00" * 255)
    assert seconds(data) == 2.0


def test_a_rate_of_nothing_is_no_length():
    assert seconds(vorbis(3, rate=0, packets=9)) == 0.0


@settings_of_hypothesis(max_examples=150, deadline=None)
@given(cut=st.integers(1, 2_000), at=st.integers(0, 2_000), byte=st.integers(0, 255))
def test_it_ends_whatever_it_is_given(cut, at, byte):
    for data in (vorbis(1, packets=5), flac(packets=[frame(7, b"\xc2\x80", b"\x01\x01")] * 5), ogg(1)):
        broken = bytearray(data[:cut])
        broken[at % len(broken)] = byte
        assert counted_seconds(bytes(broken), ".ogg") >= 0
