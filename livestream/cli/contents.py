"""Reads what lies in a writer's folder without changing it, beside whoever writes or delivers it.

The number of the last event comes from two places: the segments, and the journal, which holds what was accepted and is
not in a segment yet. Frames are not wiped when they are moved, so the half of the journal that was begun last still
ends with the newest event that ever passed through it. That answers even in shared mode, where an unsealed segment may
not be opened.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from livestream.errors import CorruptSpoolError, SpoolError
from livestream.events import Data, Event, Spilled, decode
from livestream.spool.blobs import blob_path
from livestream.spool.journal import FRAME, HEADER_BYTES, Frame, read_frames
from livestream.spool.layout import JOURNAL_FILE, sealed_path, segment_numbers, segment_path
from livestream.spool.salvage import Extent, extent, is_unusable, looking

ROWS_A_QUERY: Final = 1000
SELECT_ROWS: Final = "SELECT seq, crc, body FROM event WHERE seq > :after ORDER BY seq LIMIT :limit"
SELECT_FIRST_BODY: Final = "SELECT body FROM event WHERE seq > :after ORDER BY seq LIMIT 1"
MEASURE_ROWS: Final = "SELECT coalesce(sum(length(body)), 0) FROM event WHERE seq > :after"
SELECT_WITH_BLOBS: Final = """
SELECT seq, body FROM event WHERE seq > :after AND instr(body, x'22626c6f62223a') ORDER BY seq LIMIT :limit
"""
"""``"blob":`` in bytes: few rows have one, so SQLite looks for it."""


Blobs: TypeAlias = Callable[[str], bytes]
"""Gives the content of a blob by its name; raises ``OSError`` or ``CorruptSpoolError``."""


class SegmentFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One segment: its range of numbers as far as it is known, its size on disk, and what is in the way of reading."""

    number: int
    sealed: bool
    bytes: int
    first: int | None = None
    last: int | None = None
    note: str = ""


class Waiting(msgspec.Struct, frozen=True):
    """What follows a number in a queue: its size, images included, and when its first event was emitted (epoch)."""

    bytes: int = 0
    oldest: float | None = None


class Stored(msgspec.Struct, frozen=True):
    """One event as it is stored; ``segment`` is 0 in the journal."""

    seq: int
    crc: int
    body: bytes
    segment: int


def segments_of(folder: Path, *, shared: bool) -> list[SegmentFacts]:
    """Tell a writer's segments, lowest number first."""
    return [_segment(folder, number, shared=shared) for number in segment_numbers(folder)]


def _segment(folder: Path, number: int, *, shared: bool) -> SegmentFacts:
    path = segment_path(folder, number)
    sealed = sealed_path(path).exists()
    size = sum(_size(Path(f"{path}{suffix}")) for suffix in ("", "-wal"))
    found, note = Extent(), ""
    if shared and not sealed:
        note = "not sealed yet: only its writer may look"
    else:
        try:
            found = extent(path)
        except SpoolError as error:
            note = str(error)
    return SegmentFacts(number=number, sealed=sealed, bytes=size, first=found.first_seq, last=found.last_seq, note=note)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def last_in_journal(folder: Path) -> int:
    """Tell the number of the newest event that passed through a writer's journal; 0 where that cannot be told."""
    newest = 0
    with contextlib.suppress(OSError, SpoolError):
        for first in _firsts(folder / JOURNAL_FILE):
            frames = read_frames(folder / JOURNAL_FILE, first - 1)
            newest = max(newest, frames[-1].seq if frames else 0)
    return newest


def _firsts(path: Path) -> list[int]:
    """Give the number in the first frame of each half."""
    half_bytes = (path.stat().st_size - HEADER_BYTES) // 2
    with path.open("rb") as file:
        heads = []
        for half in range(2):
            file.seek(HEADER_BYTES + half * half_bytes)
            heads.append(file.read(FRAME.size))
    return [FRAME.unpack(head)[2] for head in heads if len(head) == FRAME.size and FRAME.unpack(head)[2]]


def journal_frames(folder: Path, after: int) -> list[Frame]:
    """Give what a journal holds beyond a number; nothing where there is no journal to read."""
    try:
        return read_frames(folder / JOURNAL_FILE, after)
    except (OSError, SpoolError):
        return []


def measure(folder: Path, segments: list[SegmentFacts], after: int, *, shared: bool) -> Waiting:
    """Measure what follows a number."""
    total, oldest, last = 0, None, after
    for segment in segments:
        last = max(last, segment.last or 0)
        if segment.last is not None and segment.last <= after:
            continue
        if shared and not segment.sealed:
            total += segment.bytes
            continue
        with contextlib.suppress(sqlite3.Error, SpoolError), looking(segment_path(folder, segment.number)) as rows:
            total += _measure_rows(rows, after)
            if oldest is None:
                oldest = next(
                    (_time(folder, body) for (body,) in rows.execute(SELECT_FIRST_BODY, {"after": after})), None
                )
    for frame in journal_frames(folder, last):
        total += len(frame.payload)
        oldest = oldest if oldest is not None else _time(folder, frame.payload)
    return Waiting(total, oldest)


def _measure_rows(connection: sqlite3.Connection, after: int) -> int:
    total: int = connection.execute(MEASURE_ROWS, {"after": after}).fetchone()[0]
    while rows := connection.execute(SELECT_WITH_BLOBS, {"after": after, "limit": ROWS_A_QUERY}).fetchall():
        after = rows[-1][0]
        total += sum(_blob_bytes(body) for _, body in rows)
    return total


def _blob_bytes(body: bytes) -> int:
    try:
        event = decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return 0
    if isinstance(event, Spilled):
        return event.size
    images = event.images.values() if isinstance(event, Data) else ()
    return sum(image.size for image in images if image.blob is not None)


def _time(folder: Path, body: bytes) -> float | None:
    """Give the moment of an event; a spilled one's is that of its blob."""
    try:
        event = decode(body)
        return blob_path(folder, event.blob).stat().st_mtime if isinstance(event, Spilled) else event.time
    except (msgspec.DecodeError, UnicodeDecodeError, TypeError, OSError):
        return None


def stored(folder: Path, after: int, *, shared: bool) -> Iterator[Stored]:
    """Give all that is stored beyond a number, in order, whether it is sound or not; the journal's frames come last.

    Raises:
        SpoolError: A segment cannot be read.
    """
    for number in segment_numbers(folder):
        path = segment_path(folder, number)
        if (shared and not sealed_path(path).exists()) or not _size(path):
            continue
        found = extent(path)
        if found.last_seq is not None and found.last_seq <= after:
            continue
        for seq, crc, body in _rows(path, after):
            after = seq
            yield Stored(seq, crc, body, number)
    for frame in journal_frames(folder, after):
        yield Stored(frame.seq, frame.crc, frame.payload, 0)


def _rows(path: Path, after: int) -> Iterator[tuple[int, int, bytes]]:
    try:
        with looking(path) as connection:
            while rows := connection.execute(SELECT_ROWS, {"after": after, "limit": ROWS_A_QUERY}).fetchall():
                after = rows[-1][0]
                yield from rows
    except sqlite3.Error as error:
        if not path.exists():
            return  # delivered and removed meanwhile
        raise (CorruptSpoolError if is_unusable(error) else SpoolError)(f"{path}: {error}") from error


def event_of(body: bytes, read: Blobs) -> Event:
    """Decode a stored event, from its blob where it is spilled.

    Args:
        body: The event as it is stored.
        read: Gives the content of a blob.

    Raises:
        CorruptSpoolError: It is no event, or its blob is not what was stored.
    """
    try:
        event = decode(body)
        if isinstance(event, Spilled):
            event = decode(read(event.blob))
        if isinstance(event, Spilled):
            raise CorruptSpoolError("a spilled event leads to another")
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CorruptSpoolError(f"it is no event: {error}") from error
    except OSError as error:
        raise CorruptSpoolError(f"its blob cannot be read: {error.strerror}") from error
    return event
