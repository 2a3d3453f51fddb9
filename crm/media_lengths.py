"""How long a recording is by what is in it, whatever its header says: frames, packets and samples, counted.

Formats: RIFF WAVE; MPEG audio frames (ISO/IEC 11172-3, 13818-3); ISO base media samples (ISO/IEC 14496-12);
Ogg (crm/media_ogg.py). Where a codec cannot be counted so, it is 0.
"""

import struct
from collections.abc import Callable, Iterator

from crm import media_ogg

# kbit/s by the four bits of a frame's header: layer III of MPEG 1, and of MPEG 2 and 2.5.
_RATES_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0)
_RATES_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0)
_SAMPLING = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_PLAIN = (1, 3, 0xFFFE)  # codings of WAVE whose samples all have one size
_AAC_SAMPLES = 1024  # of one frame; HE-AAC says half its sampling rate in the same place
_INSIDE = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf")


def counted_seconds(data: bytes, extension: str) -> float:
    """0 where nothing can be counted."""
    count = _COUNTERS.get(extension)
    try:
        return count(data) if count is not None else 0.0
    except (struct.error, IndexError, ZeroDivisionError, RecursionError):  # it breaks off, or is nonsense
        return 0.0


def _wav(data: bytes) -> float:
    """Bytes there are, by the bytes of one sample: `data` may promise fewer, and the byte rate may lie."""
    at, bytes_a_second = 12, 0
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        if name == b"fmt ":
            coding, channels, rate, _said, _block, bits = struct.unpack_from("<HHIIHH", data, at + 8)
            bytes_a_second = rate * channels * bits // 8 if coding in _PLAIN else 0
        if name == b"data":
            # Whatever it promises, a decoder may read on to the end.
            return (len(data) - at - 8) / bytes_a_second if bytes_a_second else 0.0
        at += 8 + size + size % 2
    return 0.0


def _mp3(data: bytes) -> float:
    at, seconds = _after_id3(data), 0.0
    while at + 4 <= len(data):
        frame = _mp3_frame(int.from_bytes(data[at : at + 4]))
        if frame is None:
            at = data.find(b"\xff", at + 1)
            if at < 0:
                break
            continue
        at, seconds = at + frame[0], seconds + frame[1]
    return seconds


def _mp3_frame(head: int) -> tuple[int, float] | None:
    """Bytes and seconds of the frame with this header of layer III; None for what is no frame."""
    version, layer = head >> 19 & 3, head >> 17 & 3
    rate_index, sampling_index = head >> 12 & 15, head >> 10 & 3
    kilobits = (_RATES_1 if version == 3 else _RATES_2)[rate_index]
    if head >> 21 != 0x7FF or layer != 1 or version == 1 or sampling_index == 3 or not kilobits:
        return None
    sampling, samples = _SAMPLING[version][sampling_index], 1152 if version == 3 else 576
    return samples // 8 * kilobits * 1000 // sampling + (head >> 9 & 1), samples / sampling


def _after_id3(data: bytes) -> int:
    if data[:3] != b"ID3" or len(data) < 10:
        return 0
    size = 0
    for byte in data[6:10]:  # seven bits of each
        size = size << 7 | byte & 0x7F
    return 10 + size


def _m4a(data: bytes) -> float:
    frames = rate = 0
    for name, start, end in _boxes(data, 0, len(data)):
        if name == b"stsz":
            frames += _number(data, start + 8)
        elif name == b"trun":
            frames += _number(data, start + 4)
        elif name == b"stsd" and data[start + 12 : start + 16] == b"mp4a" and end - start >= 44:
            rate = _number(data, start + 40) >> 16
    # A sample has a byte at least: more of them than bytes are a lie of this header too.
    return min(frames, len(data)) * _AAC_SAMPLES / rate if rate else 0.0


def _number(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4])


def _boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Each box with where its content begins and ends, those inside others too."""
    while at + 8 <= end:
        size, name = struct.unpack_from(">I4s", data, at)
        start = at + 8
        if size == 1:  # the real one follows, in eight bytes
            size, start = int.from_bytes(data[at + 8 : at + 16]), at + 16
        stop = end if size == 0 else min(at + size, end)
        if stop < start:
            return
        yield name, start, stop
        if name in _INSIDE:
            yield from _boxes(data, start, stop)
        at = stop


_COUNTERS: dict[str, Callable[[bytes], float]] = {
    ".wav": _wav,
    ".mp3": _mp3,
    ".ogg": media_ogg.seconds,
    ".m4a": _m4a,
}
