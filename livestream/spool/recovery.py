"""Completing what a dead writer left: its journal goes into a segment, and every segment is sealed.

Only a daemon of the same user does this, with the writer's lock in its hands, in a thread of its own. Every step can be
killed and done again:

    tidy       remove half-made files; finish a replacement that was under way
    survey     put what is no segment aside; replace a damaged one by its readable rows
    replay     the journal's frames above the last row, and the seal row, in one transaction
    seal       empty the WAL, close, put ``N.sealed`` in place

A replacement is written beside the damaged file as ``N.salvage`` and synced; then the damaged file moves to quarantine,
then ``N.salvage`` takes its name. Where ``N.db`` is there, ``N.salvage`` is half-made; where it is not, complete.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import sqlite3
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, Literal, TypeAlias
from zlib import crc32

import msgspec

from livestream.errors import CorruptSpoolError, SpoolError
from livestream.files import sync_folder
from livestream.spool import segment as segments
from livestream.spool.database import SQLITE_ERRORS, error_code, is_busy, is_damage, is_full, translate
from livestream.spool.journal import Frame, read_frames
from livestream.spool.layout import (
    BLOB_FOLDER,
    JOURNAL_FILE,
    LOCK_FILE,
    FileLock,
    sealed_path,
    segment_numbers,
    segment_path,
)
from livestream.spool.quarantine import COMPANIONS, quarantine_database, quarantine_file
from livestream.spool.salvage import COUNT_ROWS, check_format, extent, loss_seal, read_seal, salvaged
from livestream.spool.segment import INSERT_SEAL, Seal, mark_sealed

Outcome: TypeAlias = Literal["done", "alive", "busy", "full"]
"""``done``: all is sealed; ``alive``: the writer holds its lock; ``busy``: somebody reads a segment, come again;
``full``: the disk takes nothing, come again when it does."""

BUSY_TIMEOUT_S: Final = 0.2
SMALLEST_ROW_BYTES: Final = 16
"""No event takes less of a file, so that a damaged number cannot make a salvage endless."""

SALVAGE_SUFFIX: Final = ".salvage"
NFS_REMOVED: Final = ".nfs"
"""How NFS names a removed file that a process still has open."""

PUT_EVENT: Final = "INSERT OR REPLACE INTO event(seq, crc, body) VALUES (:seq, :crc, :body)"
"""A row that is there already is a damaged one: intact ones are not replayed."""

SELECT_RANGE: Final = "SELECT crc, seq FROM event ORDER BY seq"

_NUMBERED: Final = re.compile(r"([0-9]{8})\..*")
_FULL_ERRNOS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Recovered(msgspec.Struct, frozen=True, kw_only=True):
    """What a recovery did, as far as it came.

    Attributes:
        last_seq: The writer's last number, where all is done.
        replayed: Events that were moved from the journal.
        sealed: Segments that were sealed.
        quarantined: Damaged files, where they are now.
    """

    outcome: Outcome
    last_seq: int = 0
    replayed: int = 0
    sealed: tuple[int, ...] = ()
    quarantined: tuple[Path, ...] = ()


def recover(folder: Path, *, shared: bool, cursor: int = 0, emitted: int = 0) -> Recovered:
    """Complete a dead writer's queue. The caller has closed its own reader of it.

    Args:
        folder: The writer's.
        shared: The spool is in shared mode.
        cursor: What is already dealt with need not be replayed.
        emitted: The last number known to be accepted: what is missing up to it is answered for as lost.

    Raises:
        SpoolFormatError: A newer livestream wrote a segment; nothing of it is touched.
        SpoolError: A file cannot be opened or moved.
    """
    lock = FileLock(folder / LOCK_FILE)
    if not lock.take():
        return Recovered(outcome="alive")
    recovery = _Recovery(folder, shared=shared)
    try:
        outcome = recovery.run(cursor, emitted)
    finally:
        lock.release()
    return Recovered(
        outcome=outcome,
        last_seq=recovery.last_seq,
        replayed=recovery.replayed,
        sealed=tuple(recovery.sealed),
        quarantined=tuple(recovery.quarantined),
    )


class _BusyError(Exception):
    """A reader is in the way of a checkpoint."""


class _Recovery:
    def __init__(self, folder: Path, *, shared: bool) -> None:
        self.last_seq = 0
        self.replayed = 0
        self.sealed: list[int] = []
        self.quarantined: list[Path] = []
        self._folder = folder
        self._spool = folder.parent
        self._shared = shared

    def run(self, cursor: int, emitted: int) -> Outcome:
        try:
            self._run(cursor, emitted)
        except _BusyError:
            return "busy"
        except SQLITE_ERRORS as error:
            if is_full(error):
                return "full"
            if is_busy(error):
                return "busy"
            raise translate(error, self._folder) from error
        except OSError as error:
            if error.errno in _FULL_ERRNOS:
                return "full"
            raise SpoolError(f"{self._folder} cannot be recovered: {error}") from error
        return "done"

    def _run(self, cursor: int, emitted: int) -> None:
        self._tidy()
        numbers = segment_numbers(self._folder)
        is_sealed = {number: sealed_path(segment_path(self._folder, number)).exists() for number in numbers}
        last = before = self._last_sealed([number for number in numbers if is_sealed[number]])
        lasts: dict[int, int] = {}
        for number in numbers:
            if not is_sealed[number] and (own := self._survey(number, last)) is not None:
                lasts[number] = last = max(last, own)
        frames = self._frames(max(last, cursor))
        self._complete(lasts, frames, before)
        self.last_seq = max(last, cursor, *(frame.seq for frame in frames[-1:]))
        if emitted > self.last_seq:
            self._note_loss(emitted)

    def _last_sealed(self, numbers: list[int]) -> int:
        """Give the last number of the sealed segments: the highest that is known answers for those below it."""
        return next((last for number in reversed(numbers) if (last := self._last_of(number))), 0)

    def _last_of(self, number: int) -> int:
        return extent(segment_path(self._folder, number)).last_seq or 0

    # -- tidy

    def _tidy(self) -> None:
        for folder in (self._folder, self._folder / BLOB_FOLDER):
            for name in _names(folder):
                if name.startswith(".") and not name.startswith(NFS_REMOVED):
                    (folder / name).unlink(missing_ok=True)
        for name in _names(self._folder):
            if name.endswith(SALVAGE_SUFFIX):
                self._finish_replacement(self._folder / name)
        for name in _names(self._folder):
            if _NUMBERED.fullmatch(name) and name.endswith("-wal"):
                self._give_database(self._folder / name)

    def _give_database(self, wal: Path) -> None:
        """Put an empty segment under a WAL that lost its own: it began with the same, so the WAL completes it."""
        path = wal.with_name(wal.name.removesuffix("-wal"))
        if not path.exists() and not sealed_path(path).exists() and _size(wal):
            segments.make(path)

    def _finish_replacement(self, made: Path) -> None:
        path = made.with_suffix(".db")
        if path.exists():
            _remove_database(made)
            return
        for suffix in COMPANIONS[1:]:
            if (rest := path.with_name(path.name + suffix)).exists():
                self.quarantined.append(
                    quarantine_file(self._spool, self._folder.name, rest, "belonged to a damaged segment")
                )
        os.rename(made, path)
        sync_folder(self._folder)

    # -- survey

    def _survey(self, number: int, before: int) -> int | None:
        """Give a segment's last number (0: empty); ``None`` where there was no segment to be saved."""
        path = segment_path(self._folder, number)
        if path.stat().st_size == 0:
            _remove_database(path)
            return None
        try:
            with self._opened(path) as connection:
                check_format(path, connection.execute("PRAGMA user_version").fetchone()[0])
                connection.execute(COUNT_ROWS).fetchall()
                read_seal(connection)
                (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
                damage = None if verdict == b"ok" else str(verdict, "utf-8", "replace")
        except SQLITE_ERRORS as error:
            if error_code(error) == sqlite3.SQLITE_ERROR:
                self._put_aside(path, f"it is no segment: {error}")
                return None
            if not is_damage(error):
                raise
            damage = str(error)
        if damage is not None:
            self._replace(path, before, damage)
        return self._last_of(number)

    def _replace(self, path: Path, before: int, damage: str) -> None:
        found = extent(path)
        bytes_held = sum(_size(path.with_name(path.name + suffix)) for suffix in COMPANIONS)
        after = found.first - 1 if found.first is not None else before
        last = min(found.last or after, after + bytes_held // SMALLEST_ROW_BYTES)
        made = path.with_suffix(SALVAGE_SUFFIX)
        segments.make(made)
        with self._opened(made) as connection:
            _insert(connection, salvaged(path, after, last) or ())
            connection.execute("COMMIT")
            _checkpoint(connection)
        self._put_aside(path, damage)
        os.rename(made, path)
        sync_folder(self._folder)

    def _put_aside(self, path: Path, reason: str) -> None:
        self.quarantined += quarantine_database(self._spool, self._folder.name, path, reason)

    # -- replay and seal

    def _frames(self, after: int) -> list[Frame]:
        path = self._folder / JOURNAL_FILE
        try:
            return read_frames(path, after)
        except FileNotFoundError:
            return []
        except CorruptSpoolError as error:
            self.quarantined.append(quarantine_file(self._spool, self._folder.name, path, str(error)))
            return []

    def _complete(self, lasts: dict[int, int], frames: list[Frame], before: int) -> None:
        for number, last in lasts.items():
            wanted = frames if number == max(lasts) else []
            if self._seal(number, before, wanted):
                frames = [] if wanted else frames
            before = last
        if frames:
            self._seal(self._make_segment(), before, frames)

    def _make_segment(self) -> int:
        """Make one more segment, above every number in use: SQLite would take a stray WAL for the new one's."""
        used = [int(match[1]) for name in _names(self._folder) if (match := _NUMBERED.fullmatch(name))]
        number = max(used, default=0) + 1
        segments.make(segment_path(self._folder, number))
        return number

    def _seal(self, number: int, before: int, frames: list[Frame]) -> bool:
        """Seal a segment, putting frames in first; tell whether it took them (one with a seal row takes none)."""
        path = segment_path(self._folder, number)
        with self._opened(path) as connection:
            is_open = read_seal(connection) is None
            if is_open:
                _insert(connection, ((frame.seq, frame.crc, frame.payload) for frame in frames))
                seal = _seal_for(connection, before)
                connection.execute(INSERT_SEAL, msgspec.structs.asdict(seal))
                connection.execute("COMMIT")
                self.replayed += len(frames)
            _checkpoint(connection)
        mark_sealed(path)
        self.sealed.append(number)
        return is_open

    def _note_loss(self, emitted: int) -> None:
        number = self._make_segment()
        path = segment_path(self._folder, number)
        with self._opened(path) as connection:
            connection.execute(INSERT_SEAL, msgspec.structs.asdict(loss_seal(self.last_seq + 1, emitted)))
            _checkpoint(connection)
        mark_sealed(path)
        self.sealed.append(number)
        self.last_seq = emitted

    @contextlib.contextmanager
    def _opened(self, path: Path) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=BUSY_TIMEOUT_S
        )
        with contextlib.closing(connection):
            connection.text_factory = bytes
            if self._shared:
                connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            connection.execute("PRAGMA trusted_schema = OFF")
            yield connection


def _insert(connection: sqlite3.Connection, rows: Iterable[tuple[int, int, bytes]]) -> None:
    """Begin a transaction and put rows into it."""
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(PUT_EVENT, ({"seq": seq, "crc": crc, "body": body} for seq, crc, body in rows))


def _seal_for(connection: sqlite3.Connection, before: int) -> Seal:
    rows = connection.execute(SELECT_RANGE).fetchall()
    if not rows:
        return Seal(before + 1, before, 0, 0)
    digest = crc32(struct.pack(f"<{len(rows)}I", *(int(crc) & 0xFFFFFFFF for crc, _ in rows)))
    return Seal(rows[0][1], rows[-1][1], len(rows), digest)


def _checkpoint(connection: sqlite3.Connection) -> None:
    busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise _BusyError


def _remove_database(path: Path) -> None:
    for suffix in COMPANIONS:
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
