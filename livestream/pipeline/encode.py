"""Turns pixels and values into what a JSON body can carry: PNG, base64, JSON text.

PNG stores each row as a filter byte and the row's differences to its neighbours, then deflates the whole. The
difference of two rows, byte by byte modulo 256, is taken here on whole bands of the image as one big integer (every
byte a lane, its top bit handled apart so that no borrow crosses lanes): there is no numpy in the daemon, and a loop
over bytes would cost a second a megabyte.
"""

from __future__ import annotations

import binascii
import struct
import zlib
from typing import TYPE_CHECKING, TypeAlias

import msgspec
import orjson

from livestream.errors import LivestreamError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from livestream.events import Json

Pixels: TypeAlias = bytes | bytearray | memoryview

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
"""Channels to PNG's colour type: grey, grey with alpha, RGB, RGBA (PNG specification, 11.2.1)."""

MAX_SIDE_PX = 2**31 - 1  # PNG specification, 11.2.1
BAND_BYTES = 128 * 1024  # big enough to hide Python's cost a call, small enough to stay in a core's cache
SAMPLE_BYTES = 32 * 1024  # of the image's middle, on which the filter is chosen
LEVEL_SMALL, LEVEL_LARGE = 6, 3  # zlib's own default; and half its time for a few per cent more bytes
LARGE_BYTES = 4 * 1024 * 1024  # raw pixels from which LEVEL_LARGE is used

_NONE, _SUB, _UP = 0, 1, 2  # PNG specification, 9.2


class TooLargeToEncodeError(LivestreamError):
    """The encoded image would be larger than the caller can send; encoding stopped as soon as that was known.

    Attributes:
        limit: Bytes that were allowed.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(f"the image is more than {limit} bytes as PNG: send a smaller one, or an encoded one")
        self.limit = limit


def to_json(value: Json) -> bytes:
    """Encode one value as compact JSON.

    orjson refuses integers over 64 bits and more than 254 levels, both of which the spool may hold; msgspec takes them.
    """
    try:
        return orjson.dumps(value)
    except TypeError:
        return msgspec.json.encode(value)


def base64_size(size: int) -> int:
    """Give the bytes of base64 text that ``size`` bytes become."""
    return (size + 2) // 3 * 4


def base64_capacity(size: int) -> int:
    """Give the most bytes whose base64 text is at most ``size`` bytes."""
    return size // 4 * 3


def base64_text(content: Pixels) -> bytes:
    """Encode bytes as base64 text (RFC 4648, section 4) without line ends."""
    return binascii.b2a_base64(content, newline=False)


class _Raster(msgspec.Struct, frozen=True):
    """Pixels with their geometry. ``stride`` is the bytes of a row, ``depth`` those of a pixel."""

    pixels: memoryview
    height: int
    stride: int
    depth: int


def png(pixels: Pixels, *, height: int, width: int, channels: int, max_bytes: int) -> bytes:
    """Encode uint8 pixels as PNG; the same pixels always give the same bytes.

    Args:
        pixels: ``height * width * channels`` bytes, row by row from the top.
        height: Rows, at least 1.
        width: Pixels a row, at least 1.
        channels: 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA.
        max_bytes: What the result may be at most.

    Raises:
        TooLargeToEncodeError: It would be more than ``max_bytes``.
        ValueError: The geometry is impossible, or does not match the number of bytes.
    """
    raster = _raster(pixels, height, width, channels)
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, COLOR_TYPES[channels], 0, 0, 0))
    trailer = _chunk(b"IEND", b"")
    room = max_bytes - len(PNG_SIGNATURE) - len(header) - len(trailer) - 12  # 12: length, name and crc of IDAT
    compressor = zlib.compressobj(LEVEL_LARGE if len(raster.pixels) >= LARGE_BYTES else LEVEL_SMALL)
    kind = _best_filter(raster)
    pieces: list[bytes] = []
    size = 0
    for band in _bands(raster):
        pieces.append(compressor.compress(_filtered(raster, band, kind)))
        size += len(pieces[-1])
        if size > room:
            raise TooLargeToEncodeError(max_bytes)
    pieces.append(compressor.flush())
    if size + len(pieces[-1]) > room:
        raise TooLargeToEncodeError(max_bytes)
    return b"".join((PNG_SIGNATURE, header, _chunk(b"IDAT", b"".join(pieces)), trailer))


def _raster(pixels: Pixels, height: int, width: int, channels: int) -> _Raster:
    if channels not in COLOR_TYPES or not 1 <= height <= MAX_SIDE_PX or not 1 <= width <= MAX_SIDE_PX:
        raise ValueError(f"cannot make a PNG of {height} x {width} pixels with {channels} channels")
    view = memoryview(pixels).cast("B")
    if len(view) != height * width * channels:
        raise ValueError(f"{height} x {width} x {channels} needs {height * width * channels} bytes, not {len(view)}")
    return _Raster(view, height, width * channels, channels)


def _chunk(name: bytes, content: bytes) -> bytes:
    crc = zlib.crc32(content, zlib.crc32(name))
    return b"".join((struct.pack(">I", len(content)), name, content, struct.pack(">I", crc)))


def _bands(raster: _Raster) -> Iterator[range]:
    rows = max(1, BAND_BYTES // raster.stride)
    for top in range(0, raster.height, rows):
        yield range(top, min(top + rows, raster.height))


def _best_filter(raster: _Raster) -> int:
    # One filter for the whole image, tried on its middle: photographs want a difference, drawings and noise none.
    rows = min(raster.height, max(1, SAMPLE_BYTES // raster.stride))
    top = (raster.height - rows) // 2
    sample = range(top, top + rows)
    return min((_NONE, _SUB, _UP), key=lambda kind: len(zlib.compress(_filtered(raster, sample, kind), 1)))


def _filtered(raster: _Raster, band: range, kind: int) -> bytes:
    stride = raster.stride
    start, stop = band.start * stride, band.stop * stride
    plain = raster.pixels[start:stop]
    if kind == _UP:
        above = raster.pixels[start - stride : stop - stride] if start else bytes(stride) + plain[:-stride]
        lines: Pixels = _subtract(plain, above)
    elif kind == _SUB:
        lines = _subtract(plain, bytes(raster.depth) + plain[: -raster.depth])
    else:
        lines = plain
    mark = bytes((kind,))
    pieces: list[Pixels] = []
    for row in range(0, stop - start, stride):
        pieces.append(mark)
        if kind == _SUB:
            # The row's first pixel has no left neighbour; the band's difference took it against the row before.
            pieces += (plain[row : row + raster.depth], lines[row + raster.depth : row + stride])
        else:
            pieces.append(lines[row : row + stride])
    return b"".join(pieces)


def _subtract(left: Pixels, right: Pixels) -> bytes:
    """Subtract byte by byte, modulo 256."""
    size = len(left)
    high = int.from_bytes(b"\x80" * size, "little")
    a, b = int.from_bytes(left, "little"), int.from_bytes(right, "little")
    # With the top bit set in every minuend and clear in every subtrahend no lane borrows from the next.
    difference = ((a | high) - (b & ~high)) ^ ((a ^ ~b) & high)
    return difference.to_bytes(size, "little")
