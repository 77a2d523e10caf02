"""Compressed bodies: unpacked piece by piece, so that a few kilobytes never become gigabytes in memory."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

from livestream.studio.wire.fields import WireError

PIECE_BYTES: Final = 256 * 1024
"""Unpacked at once, in about a millisecond."""
ENCODING: Final = "Content-Encoding"
_GZIP: Final = 16 + zlib.MAX_WBITS


class Gunzip:
    """Unpacks one gzip stream. Whoever takes the pieces counts them: there is no bound here but on each."""

    def __init__(self) -> None:
        self._unpacker = zlib.decompressobj(_GZIP)

    def feed(self, packed: bytes) -> Iterator[bytes]:
        """Unpack what follows, in pieces of at most `PIECE_BYTES`.

        Raises:
            WireError: It is no gzip, or goes on behind its end.
        """
        rest = packed
        while rest:
            if self._unpacker.eof:
                raise WireError(ENCODING, "something follows the end of the gzip stream")
            try:
                piece = self._unpacker.decompress(rest, PIECE_BYTES)
            except zlib.error as error:
                raise WireError(ENCODING, f"not gzip: {error}") from None
            rest = self._unpacker.unconsumed_tail or self._unpacker.unused_data
            if piece:
                yield piece

    def end(self) -> Iterator[bytes]:
        """Give what is left once everything was fed.

        Raises:
            WireError: The stream ends too early.
        """
        while piece := self._unpacker.decompress(b"", PIECE_BYTES):
            yield piece
        if not self._unpacker.eof:
            raise WireError(ENCODING, "the gzip stream ends too early")
