"""Forgetting what was delivered: segments, their blobs, and at the end the writer's folder.

The cursor is committed first; only what lies below it and is sealed goes. Of a segment the blobs go first, because its
rows are the only list of them (a blob belongs to one event), then ``N.db``, ``-wal``, ``-shm``, and ``N.sealed`` last:
a kill in between leaves a segment that is deleted again, or remains that ``sweep`` finds by their lonely names.

A segment that turns out to be damaged goes to quarantine instead, and what is not known here is never deleted.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

import msgspec

from livestream.errors import CorruptSpoolError, SpoolError
from livestream.files import sync_folder
from livestream.spool.blobs import blob_path
from livestream.spool.journal import read_frames
from livestream.spool.layout import (
    BLOB_FOLDER,
    HEARTBEAT_FILE,
    JOURNAL_FILE,
    LOCK_FILE,
    QUARANTINE_FOLDER,
    WRITER_FILE,
    FileLock,
    sealed_path,
    segment_numbers,
    segment_path,
)
from livestream.spool.quarantine import COMPANIONS, quarantine_database, quarantine_file
from livestream.spool.salvage import extent, looking, whole

SELECT_BLOBS: Final = """SELECT body FROM event WHERE instr(body, CAST('"blob":"' AS BLOB))"""
UNBORN_S: Final = 3600.0
"""A folder without ``writer.json`` is left alone for so long: its writer may be about to put it there."""

_BLOB: Final = re.compile(rb'"blob":"([0-9a-f]{64}(?:-[0-9a-f]{8})?)"')
_SPILLED: Final = b'"type":"spilled"'
_REMAINS: Final = re.compile(r"([0-9]{8})\.(db-wal|db-shm|sealed)")
_OURS: Final = re.compile(r"\..*|[0-9]{8}\.(db-wal|db-shm|sealed)|" + rf"{JOURNAL_FILE}|{HEARTBEAT_FILE}")


class Unlinked(msgspec.Struct, frozen=True):
    """What was forgotten: numbers of segments, how many blobs, and where damaged segments are now."""

    segments: tuple[int, ...] = ()
    blobs: int = 0
    quarantined: tuple[Path, ...] = ()


def unlink_delivered(folder: Path, cursor: int, *, sealed_before: float | None = None) -> Unlinked:
    """Remove a writer's delivered segments. The caller's reader is done with them.

    Args:
        folder: The writer's.
        cursor: The last number that is dealt with, as committed.
        sealed_before: Keep what was sealed later than this (seconds since the epoch): the user's retention.

    Raises:
        OSError: A file cannot be removed.
        SpoolFormatError: A newer livestream wrote a segment.
    """
    numbers = segment_numbers(folder)
    removed: list[int] = []
    quarantined: list[Path] = []
    blobs = 0
    for place, number in enumerate(numbers):
        path = segment_path(folder, number)
        if not _is_due(path, numbers[place + 1 : place + 2], cursor, sealed_before):
            break
        is_blank = not path.stat().st_size
        damage = None if is_blank else whole(path)
        if damage is not None:
            quarantined += quarantine_database(folder.parent, folder.name, path, damage)
        elif not is_blank:
            blobs += _remove_blobs(folder, path)
        for suffix in COMPANIONS:
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        sealed_path(path).unlink(missing_ok=True)
        removed.append(number)
    return Unlinked(tuple(removed), blobs, tuple(quarantined))


def sweep(folder: Path) -> int:
    """Remove what an interrupted ``unlink_delivered`` left; tell how many files. For the daemon's start.

    A seal without its segment says that the segment was delivered. Without a seal it was not: that is for recovery.
    """
    count = 0
    names = sorted(os.listdir(folder))  # the seal comes last, as it must go last
    for match in filter(None, map(_REMAINS.fullmatch, names)):
        path = segment_path(folder, int(match[1]))
        if not path.exists() and sealed_path(path).exists():
            (folder / match[0]).unlink(missing_ok=True)
            count += 1
    return count


def remove_writer(folder: Path, cursor: int) -> bool:
    """Remove the folder of a writer that is dead and delivered.

    Returns:
        Whether it is gone; ``False`` where the writer lives, or the folder holds anything beyond the cursor.

    Raises:
        OSError: A file cannot be removed.
    """
    if not folder.exists():
        return True
    lock = FileLock(folder / LOCK_FILE)
    if not lock.take():
        return False
    try:
        if segment_numbers(folder) or _holds_frames(folder, cursor):
            return False
        _remove_folder(folder)
    finally:
        lock.release()
    return True


def remove_unborn(folder: Path, now: float) -> Literal["young", "alive", "removed", "quarantined"]:
    """Remove a folder without ``writer.json`` that is an hour old; one that holds events goes to quarantine instead.

    Raises:
        OSError: A file cannot be removed.
    """
    if now - folder.stat().st_mtime < UNBORN_S:
        return "young"
    lock = FileLock(folder / LOCK_FILE)
    if not lock.take():
        return "alive"
    try:
        paths = [segment_path(folder, number) for number in segment_numbers(folder)]
        if all(_is_blank(path) for path in paths) and not _holds_frames(folder, 0):
            for path in paths:
                _remove_database(path)
            _remove_folder(folder)
            return "removed"
        quarantine_file(folder.parent, folder.name, folder, "it holds events, and nothing says whose they are")
        return "quarantined"
    finally:
        lock.release()


def _is_due(path: Path, following: list[int], cursor: int, sealed_before: float | None) -> bool:
    try:
        sealed_at = sealed_path(path).stat().st_mtime
    except FileNotFoundError:
        return False
    if sealed_before is not None and sealed_at > sealed_before:
        return False
    last = extent(path).last_seq
    if last is None and following:
        beyond = extent(segment_path(path.parent, following[0])).first_seq
        last = beyond - 1 if beyond is not None else None
    if last is None:
        return path.stat().st_size == 0
    return last <= cursor


def _remove_blobs(folder: Path, path: Path) -> int:
    if not _has_blobs(folder):
        return 0
    count = 0
    for name in _blobs_of(folder, path):
        place = blob_path(folder, name)
        if place.exists():
            place.unlink(missing_ok=True)
            count += 1
    return count


def _has_blobs(folder: Path) -> bool:
    try:
        with os.scandir(folder / BLOB_FOLDER) as entries:
            return next(entries, None) is not None
    except FileNotFoundError:
        return False


def _blobs_of(folder: Path, path: Path) -> Iterator[str]:
    with looking(path) as connection:
        bodies: list[bytes] = [row[0] for row in connection.execute(SELECT_BLOBS).fetchall()]
    for body in bodies:
        names = [match.decode() for match in _BLOB.findall(body)]
        if _SPILLED in body:
            for name in names:
                yield from _blobs_in(blob_path(folder, name))
        yield from names


def _blobs_in(spilled: Path) -> list[str]:
    try:
        return [match.decode() for match in _BLOB.findall(spilled.read_bytes())]
    except OSError:
        return []


def _remove_folder(folder: Path) -> None:
    """Remove what is left of a folder, its ``writer.json`` and its lock last; what is not ours goes to quarantine."""
    spool, whose = folder.parent, folder.name
    blobs = folder / BLOB_FOLDER
    if blobs.is_dir():
        keep = (spool / QUARANTINE_FOLDER / whose).exists()
        for entry in sorted(os.listdir(blobs)):
            if keep and not entry.startswith("."):
                quarantine_file(spool, whose, blobs / entry, "a damaged segment may have named it")
            else:
                (blobs / entry).unlink(missing_ok=True)
        blobs.rmdir()
    for entry in sorted(os.listdir(folder)):
        if entry in {WRITER_FILE, LOCK_FILE}:
            continue
        if _OURS.fullmatch(entry):
            (folder / entry).unlink(missing_ok=True)
        else:
            quarantine_file(spool, whose, folder / entry, "livestream did not put it into the writer's folder")
    (folder / WRITER_FILE).unlink(missing_ok=True)
    (folder / LOCK_FILE).unlink(missing_ok=True)
    folder.rmdir()
    sync_folder(spool)


def _holds_frames(folder: Path, cursor: int) -> bool:
    try:
        return bool(read_frames(folder / JOURNAL_FILE, cursor))
    except (FileNotFoundError, CorruptSpoolError):
        return False


def _is_blank(path: Path) -> bool:
    try:
        return path.stat().st_size == 0 or (whole(path) is None and extent(path).last_seq in {None, 0})
    except SpoolError:
        return False


def _remove_database(path: Path) -> None:
    for suffix in COMPANIONS:
        path.with_name(path.name + suffix).unlink(missing_ok=True)
