"""Pictures and recordings for tests, made here: real ones, broken ones, and ones that mean harm."""

import struct
import wave
import zlib
from io import BytesIO

from PIL import Image


def picture(kind="JPEG", size=(40, 30), mode="RGB", colour="teal", **options):
    out = BytesIO()
    Image.new(mode, size, colour).save(out, kind, **options)
    return out.getvalue()


def exif(**tags):
    """As a phone writes it: 0x0112 is the orientation, 0x010F the maker, 0x8825 where it was taken."""
    data = Image.Exif()
    data[0x010F] = "SECRET-MAKER"
    data[0x0112] = tags.get("orientation", 1)
    data.get_ifd(0x8825)[1] = "N"
    return data.tobytes()


def wav(seconds=1.0, rate=8000):
    out = BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(b"\x00\x01" * int(seconds * rate))
    return out.getvalue()


def mp3(seconds=2.0):
    """Frames of MPEG 1 layer III at 128 kbit/s and 44.1 kHz: 417 bytes, 1152 samples each."""
    frame = b"\xff\xfb\x90\xc4" + bytes(413)
    return frame * max(1, round(seconds * 44100 / 1152))


def _page(serial, sequence, position, kind, body):
    segments = []
    left = len(body)
    while left >= 255:
        segments.append(255)
        left -= 255
    segments.append(left)
    head = struct.pack("<4sBBqIIIB", b"OggS", 0, kind, position, serial, sequence, 0, len(segments))
    return head + bytes(segments) + body


def ogg(seconds=3.0):
    """Opus in Ogg, with the position of its last page; 48 kHz whatever the input was (RFC 7845)."""
    head = b"OpusHead" + struct.pack("<BBHIhB", 1, 1, 0, 48000, 0, 0)
    tags = b"OpusTags" + struct.pack("<I", 4) + b"test" + struct.pack("<I", 0)
    last = _page(1, 2, int(seconds * 48000), 4, b"\x00" * 200)
    return _page(1, 0, 0, 2, head) + _page(1, 1, 0, 0, tags) + last


def _box(name, body):
    return struct.pack(">I", 8 + len(body)) + name + body


def m4a(seconds=4.0):
    """The boxes that say how long it is (ISO/IEC 14496-12)."""
    mvhd = struct.pack(">IIIII", 0, 0, 0, 1000, int(seconds * 1000)) + bytes(80)
    mdhd = struct.pack(">IIIII", 0, 0, 0, 1000, int(seconds * 1000)) + bytes(4)
    rates = struct.pack(">II", 64000, 64000)
    esds = _box(b"esds", bytes(4) + b"\x03\x16\x00\x01\x00\x04\x11\x40\x15" + bytes(3) + rates)
    sound = bytes(16) + struct.pack(">HH", 1, 16) + bytes(4) + struct.pack(">I", 8000 << 16)
    entry = _box(b"mp4a", sound + esds)
    stsd = _box(b"stsd", bytes(4) + struct.pack(">I", 1) + entry)
    media = _box(b"mdia", _box(b"mdhd", mdhd) + _box(b"minf", _box(b"stbl", stsd)))
    moov = _box(b"moov", _box(b"mvhd", mvhd) + _box(b"trak", media))
    return _box(b"ftyp", b"M4A \x00\x00\x00\x00M4A isom") + moov + _box(b"mdat", bytes(100))


def png_of(width, height, data=b""):
    """A PNG whose header promises that many pixels; its data may promise anything."""

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    packed = data or zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HTML = b"<!doctype html><html><script>alert(1)</script></html>"
