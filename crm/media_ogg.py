"""How long a recording in Ogg is, by its pages and packets (RFC 3533), whatever one field of it says.

The longer of two: the position that its pages say they reach, and what its packets hold. Opus (RFC 6716, 3.1;
RFC 7845), Vorbis (the Vorbis I specification, 4.2), FLAC (RFC 9639, 8.2, 9.1 and 10.1). Speex is 0.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

BEGINS = 2  # the flag of a stream's first page
NO_POSITION = 2**64 - 1  # of a page on which no packet ends
MOST_STREAMS = 64  # one after the other in a file; more are meant to hide something
HEAD = 64  # bytes of a packet's beginning that are looked at
# Milliseconds of one Opus frame by the five bits of its configuration.
_OPUS_FRAME = (*(10, 20, 40, 60) * 3, *(10, 20) * 2, *(2.5, 5, 10, 20) * 4)
_OPUS_RATE = 48_000  # of its positions, whatever the input was
# Packets before the sound.
_HEADERS = {"opus": 2, "vorbis": 3, "flac": 1}


@dataclass(slots=True)
class _Stream:
    codec: str = ""
    rate: int = 0  # of its positions
    skipped: int = 0  # samples that a player leaves out at the beginning
    least: int = 0  # samples that a packet of Vorbis has at least
    total: int = 0  # samples, as FLAC says
    position: int = 0  # the furthest
    packets: int = 0
    counted: float = 0.0  # seconds
    is_new: bool = True  # the next segment begins a packet

    def seconds(self) -> float:
        said = max(self.position - self.skipped, self.total) / self.rate if self.rate else 0.0
        return max(said, self.counted)


def seconds(data: bytes) -> float:
    """Of all its streams together. Raises struct.error and IndexError where it breaks off."""
    streams: dict[int, _Stream] = {}
    ended = 0.0
    for at, lengths in _pages(data):
        flags, position, serial = struct.unpack_from("<BQI", data, at + 5)
        if flags & BEGINS and serial in streams:  # another one under the same number
            ended += streams.pop(serial).seconds()
        stream = streams.setdefault(serial, _Stream())
        if len(streams) > MOST_STREAMS:
            return float("inf")
        _read_page(data, at, lengths, stream)
        if position != NO_POSITION and stream.packets > _HEADERS.get(stream.codec, 0):
            stream.position = max(stream.position, position)
    return ended + sum(stream.seconds() for stream in streams.values())


def _pages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Where each begins, and the lengths of its segments."""
    at = 0
    while data[at : at + 4] == b"OggS" and at + 27 <= len(data):
        lengths = data[at + 27 : at + 27 + data[at + 26]]
        yield at, lengths
        at += 27 + len(lengths) + sum(lengths)


def _read_page(data: bytes, at: int, lengths: bytes, stream: _Stream) -> None:
    body = at + 27 + len(lengths)
    for length in lengths:
        if stream.is_new:
            # What a page begins anew is enough to be counted.
            _read_packet(data[body : body + min(length, HEAD)], stream)
        body, stream.is_new = body + length, length < 255


def _read_packet(packet: bytes, stream: _Stream) -> None:
    stream.packets += 1
    if stream.packets == 1:
        _identify(packet, stream)
    elif stream.packets > _HEADERS.get(stream.codec, 0):
        stream.counted += _seconds_of(packet, stream)


def _identify(packet: bytes, stream: _Stream) -> None:
    if packet.startswith(b"OpusHead"):
        stream.codec, stream.rate = "opus", _OPUS_RATE
        stream.skipped = int.from_bytes(packet[10:12], "little")
    elif packet.startswith(b"\x01vorbis"):
        _version, _channels, rate = struct.unpack_from("<IBI", packet, 7)
        stream.codec, stream.rate = "vorbis", rate
        # A packet ends half of its own block and half of the one before.
        stream.least = (1 << (packet[28] & 15)) // 2
    elif packet.startswith(b"\x7fFLAC"):
        facts = int.from_bytes(packet[27:35])  # rate (20 bits), channels, bits, samples (36 bits)
        stream.codec, stream.rate = "flac", facts >> 44
        stream.total = facts & (1 << 36) - 1


def _seconds_of(packet: bytes, stream: _Stream) -> float:
    if not packet or not stream.rate:
        return 0.0
    if stream.codec == "opus":
        return _opus_seconds(packet)
    if stream.codec == "vorbis":
        return 0.0 if packet[0] & 1 else stream.least / stream.rate
    return _flac_samples(packet) / stream.rate


def _opus_seconds(packet: bytes) -> float:
    code = packet[0] & 3
    frames = (1, 2, 2, packet[1] & 63 if len(packet) > 1 else 0)[code]
    return _OPUS_FRAME[packet[0] >> 3] * frames / 1000


def _flac_samples(packet: bytes) -> int:
    """Of one frame; 0 for a packet of metadata."""
    if len(packet) < 5 or packet[0] != 0xFF or packet[1] & 0xFC != 0xF8:
        return 0
    code = packet[2] >> 4
    if code == 1:
        return 192
    if code < 6:
        return 576 << code - 2 if code else 0
    if code > 7:
        return 256 << code - 8
    # The size stands behind the frame's number, which is written as UTF-8 writes one.
    after = 4 + max(1, 8 - (packet[4] ^ 0xFF).bit_length())
    return int.from_bytes(packet[after : after + code - 5]) + 1
