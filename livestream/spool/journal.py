"""The journal: what a writer accepted and has not yet moved into a segment.

Theory. A file of fixed size, preallocated, mapped into the training process: a header page and two halves. ``append``
copies one frame into the active half and returns; the page cache keeps it through SIGKILL, and nothing was asked of the
kernel. The helper thread takes a half at a time: ``take`` makes the other half active, and what was in the first is
moved into a segment in one transaction, after which ``release`` makes it free again.

A frame is ``length, crc32, seq`` (16 bytes) and its payload. The payload is copied first and the header last, so that a
torn frame never has a valid header; the checksum catches the rest. Halves are not wiped between uses: a reader knows a
frame of an earlier use by its sequence number, because those of one use follow each other without a gap, and an earlier
use has lower ones. So a half is read until the first frame that does not continue the one before it.

The header page holds counters that must outlive a SIGKILL: events refused by reason, images trimmed, and
the signal that ended the process. They are single aligned stores: no reader sees half of one.

Where a file cannot be mapped safely (shared or copy-on-write filesystems may answer a store with SIGBUS when they run
out of space), the same bytes are written with ``pwrite``, which may fail there in spite of the space reserved.
"""

from __future__ import annotations

import errno
import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final
from zlib import crc32

import msgspec

from livestream.errors import CorruptSpoolError

MAGIC: Final = b"lsjrnl01"
HEADER_BYTES: Final = 4096
HALF_BYTES: Final = 2 * 1024 * 1024
FRAME: Final = struct.Struct("<IIQ")  # length of the payload, crc32(payload, seq), seq
FRAME_BYTES: Final = FRAME.size
_put_head: Final = FRAME.pack_into

REASONS: Final = ("quota", "disk", "stalled", "vanished", "spool", "closed", "reentrant")
"""Why an event was refused, in the order of the header's counters."""

_HEAD: Final = struct.Struct("<8sQ")  # magic, bytes of a half
_COUNTER: Final = struct.Struct("<Q")
_REFUSED_AT: Final = 64
_TRIMMED_AT: Final = _REFUSED_AT + 8 * 16
_SIGNAL_AT: Final = _TRIMMED_AT + 8
_CLOSED_AT: Final = _SIGNAL_AT + 8


def checksum(payload: bytes, seq: int) -> int:
    """Give the checksum of an event in its place: all 64 bits of the number are in it."""
    return crc32(payload, (seq ^ seq >> 32) & 0xFFFFFFFF)


class Frame(msgspec.Struct, frozen=True):
    """One accepted event: its place, its checksum and its JSON."""

    seq: int
    crc: int
    payload: bytes


class Counters(msgspec.Struct, frozen=True):
    """What the header says.

    Attributes:
        refused: Events that were refused, by reason.
        trimmed: Events that lost an image.
        signal: The signal that ended the process; 0 where none was noted.
        closed: The writer ended by its own will, whatever its last event is.
    """

    refused: dict[str, int]
    trimmed: int
    signal: int
    closed: bool = False


class Taken(msgspec.Struct, frozen=True):
    """A half on its way into a segment: its extent, and ``(seq, offset from 1, length, crc)`` of each payload."""

    half: int
    end: int
    index: list[tuple[int, int, int, int]]


class Journal:
    """The writing side. Not thread-safe: the writer's lock covers ``append``, ``take`` and ``release``.

    A signal's handler may raise wherever something was called (Ctrl-C does), also inside ``append``: a frame counts by
    assignments that stand together, without a call between them.

    Attributes:
        seq: The last sequence number in place; 0 before the first.
    """

    def __init__(self, path: Path, *, mapped: bool, half_bytes: int = HALF_BYTES) -> None:
        """Make the file; its space is reserved now, so that a full disk is met here and not at a store.

        Raises:
            OSError: The file cannot be made, or there is no space for it.
        """
        self.half_bytes = half_bytes
        self.seq = 0
        size = HEADER_BYTES + 2 * half_bytes
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._map: mmap.mmap | None = None
        try:
            os.posix_fallocate(self._descriptor, 0, size)
            if mapped:
                self._map = mmap.mmap(self._descriptor, size)
        except (OSError, ValueError):
            os.close(self._descriptor)
            path.unlink(missing_ok=True)
            raise
        self._store(0, _HEAD.pack(MAGIC, half_bytes))
        self._active = 0
        self._at = self._begin = HEADER_BYTES
        self._index: list[tuple[int, int, int, int]] = []
        self._full: Taken | None = None

    @property
    def pending(self) -> bool:
        """Whether there are frames that no segment holds yet."""
        return bool(self._index) or self._full is not None

    def append(self, seq: int, payload: bytes) -> bool:
        """Put one frame in place; ``False`` where both halves are full.

        Raises:
            OSError: Only where the file is not mapped: the disk took no write, and the frame is not in place.
        """
        length = len(payload)
        if self._at + FRAME_BYTES + length > self._begin + self.half_bytes and not (
            FRAME_BYTES + length <= self.half_bytes and self._turn()
        ):
            return False
        crc = crc32(payload, (seq ^ seq >> 32) & 0xFFFFFFFF)  # `checksum`, without the price of a call
        at = self._at
        body = at + FRAME_BYTES
        end = body + length
        if self._map is not None:
            self._map[body:end] = payload
            _put_head(self._map, at, length, crc, seq)
        else:
            _write(self._descriptor, payload, body)
            _write(self._descriptor, FRAME.pack(length, crc, seq), at)
        self._index += ((seq, body - self._begin + 1, length, crc),)
        self._at = end
        self.seq = seq
        return True

    def take(self) -> Taken | None:
        """Take the frames that are to be moved next; the same ones again until ``release``."""
        if self._full is None and self._index:
            self._turn()
        return self._full

    def content(self, taken: Taken) -> bytes:
        """Copy the bytes of a taken half; no lock is needed, as nobody writes to it before ``release``."""
        at = HEADER_BYTES + taken.half * self.half_bytes
        return self._map[at : at + taken.end] if self._map is not None else os.pread(self._descriptor, taken.end, at)

    def release(self) -> None:
        """Give the taken half back: its frames are committed."""
        self._full = None

    def _turn(self) -> bool:
        if self._full is not None:
            return False
        self._full = Taken(self._active, self._at - self._begin, self._index)
        self._active, self._index = 1 - self._active, []
        self._at = self._begin = HEADER_BYTES + self._active * self.half_bytes
        return True

    def count_refused(self, reason: str, total: int) -> None:
        """Store how many events were refused for a reason, in all."""
        self._store(_REFUSED_AT + 8 * REASONS.index(reason), _COUNTER.pack(total))

    def count_trimmed(self, total: int) -> None:
        """Store how many events lost an image to save space, in all."""
        self._store(_TRIMMED_AT, _COUNTER.pack(total))

    def note_signal(self, number: int) -> None:
        """Store which signal ends this process; safe inside a signal handler, as it takes no lock."""
        self._store(_SIGNAL_AT, _COUNTER.pack(number))

    def note_closed(self) -> None:
        """Store that the writer ends by its own will."""
        self._store(_CLOSED_AT, _COUNTER.pack(1))

    def _store(self, at: int, value: bytes) -> None:
        if self._map is not None:
            self._map[at : at + len(value)] = value
        elif self._descriptor >= 0:
            with suppress(OSError):  # a disk that takes nothing: the count stays in memory, and is stored with the next
                _write(self._descriptor, value, at)

    def close(self) -> None:
        """Let go of the file; counters are no longer stored. A signal's handler may interrupt this anywhere."""
        mapping, self._map = self._map, None
        descriptor, self._descriptor = self._descriptor, -1
        if mapping is not None:
            mapping.close()
        if descriptor >= 0:
            os.close(descriptor)


def read_counters(path: Path) -> Counters:
    """Read the header's counters of a journal, live or left behind.

    Raises:
        FileNotFoundError: There is no journal.
        CorruptSpoolError: It is not a journal.
    """
    header, _ = _open_header(path)
    refused = {
        reason: total
        for place, reason in enumerate(REASONS)
        if (total := _COUNTER.unpack_from(header, _REFUSED_AT + 8 * place)[0])
    }
    trimmed, signal, closed = (_COUNTER.unpack_from(header, at)[0] for at in (_TRIMMED_AT, _SIGNAL_AT, _CLOSED_AT))
    return Counters(refused, trimmed, signal, bool(closed))


def read_frames(path: Path, after: int) -> list[Frame]:
    """Read the frames that a dead writer left, those above a sequence number, in order.

    There may be gaps: where a segment's tail was lost, the frames behind it are still good.

    Raises:
        FileNotFoundError: There is no journal.
        CorruptSpoolError: It is not a journal.
    """
    _, half_bytes = _open_header(path)
    with path.open("rb") as file:
        file.seek(HEADER_BYTES)
        halves = [list(_frames(file.read(half_bytes))) for _ in range(2)]
    return sorted((frame for half in halves for frame in half if frame.seq > after), key=lambda frame: frame.seq)


def _write(descriptor: int, content: bytes, at: int) -> None:
    if os.pwrite(descriptor, content, at) != len(content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _open_header(path: Path) -> tuple[bytes, int]:
    with path.open("rb") as file:
        header = file.read(HEADER_BYTES)
    if len(header) < HEADER_BYTES or not header.startswith(MAGIC):
        raise CorruptSpoolError(f"{path} is not a journal of this livestream")
    half_bytes: int = _HEAD.unpack_from(header)[1]
    if not FRAME_BYTES <= half_bytes <= 1 << 30:
        raise CorruptSpoolError(f"{path} names halves of {half_bytes} bytes")
    return header, half_bytes


def _frames(half: bytes) -> Iterator[Frame]:
    at = 0
    previous = None
    while at + FRAME_BYTES <= len(half):
        length, crc, seq = FRAME.unpack_from(half, at)
        payload = half[at + FRAME_BYTES : at + FRAME_BYTES + length]
        torn = not length or len(payload) != length or checksum(payload, seq) != crc
        if torn or (previous is not None and seq != previous + 1):
            return
        yield Frame(seq, crc, payload)
        previous = seq
        at += FRAME_BYTES + length
