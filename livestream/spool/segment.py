"""One SQLite file of a writer's queue: how it is born, filled and sealed.

A segment is made from a constant template under a temporary name, so that no reader ever meets a file without its
tables. One connection writes it, ever. It is sealed in two steps: the writer commits a ``seal`` row (after which no
event follows), then a checkpoint empties the WAL, the connection closes, and ``N.sealed`` is put beside it; from then
on anybody may read it as an immutable file.

Rows are moved in one statement: a loop of inserts gives up the GIL several times a row, and beside a CPU-bound Python
thread each return waits for a switch interval (measured: 4.3 ms a row; one ``INSERT .. SELECT .. FROM json_each`` for
the whole batch: 0.2 ms a row, one wait).
"""

from __future__ import annotations

import os
import sqlite3
import struct
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Final
from zlib import crc32

import msgspec
import orjson

from livestream.files import sync_folder, write_whole
from livestream.spool.forking import gate
from livestream.spool.journal import Taken
from livestream.spool.layout import FORMAT, sealed_path

APPLICATION_ID: Final = 0x4C495645
PAGE_BYTES: Final = 4096

SCHEMA: Final = """
CREATE TABLE event(seq INTEGER PRIMARY KEY, crc INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE seal(id INTEGER PRIMARY KEY CHECK(id = 1), first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL,
                  count INTEGER NOT NULL, digest INTEGER NOT NULL);
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
INSERT_BATCH: Final = """
INSERT INTO event(seq, crc, body)
SELECT json_extract(frame.value, '$[0]'), json_extract(frame.value, '$[3]'),
       substr(:content, json_extract(frame.value, '$[1]'), json_extract(frame.value, '$[2]'))
FROM json_each(:frames) AS frame
"""
INSERT_EVENT: Final = "INSERT INTO event(seq, crc, body) VALUES (:seq, :crc, :body)"
INSERT_SEAL: Final = """
INSERT INTO seal(id, first_seq, last_seq, count, digest) VALUES (1, :first_seq, :last_seq, :count, :digest)
"""
INSERT_META: Final = "INSERT OR REPLACE INTO meta(key, value) VALUES (:key, :value)"

_CRC: Final = struct.Struct("<I")


class Seal(msgspec.Struct, frozen=True):
    """What a sealed segment holds: its range, its row count, and a digest over the rows' checksums.

    An empty segment has ``first_seq == last_seq + 1``.
    """

    first_seq: int
    last_seq: int
    count: int
    digest: int


def chain(digest: int, crc: int) -> int:
    """Continue a seal's digest with one more row's checksum."""
    return crc32(_CRC.pack(crc), digest)


@cache
def _template() -> bytes:
    """Build an empty segment: schema in place, WAL mode set in the file's header (bytes 18 and 19)."""
    with gate, closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {FORMAT}")
        connection.executescript(SCHEMA)
        content = bytearray(connection.serialize())
    content[18] = content[19] = 2
    return bytes(content)


def make(path: Path) -> None:
    """Put an empty segment in place, whole."""
    write_whole(path, _template())


class Segment:
    """The writing side of one segment. One thread at a time (the writer's segment lock)."""

    def __init__(self, path: Path, uid: str, *, exclusive: bool) -> None:
        """Open a segment that ``make`` put in place, and commit its ``meta`` rows.

        Raises:
            sqlite3.Error: The file cannot be used, or the disk is full.
        """
        self.path = path
        self.last_seq_before = 0
        self.first_seq: int | None = None
        self.last_seq = 0
        self.count = 0
        self.digest = 0
        self._closed = False
        with gate:
            self.connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=0.2)
            try:
                self._commit_meta(uid, exclusive=exclusive)
            except sqlite3.Error:
                self.connection.close()
                raise

    def _commit_meta(self, uid: str, *, exclusive: bool) -> None:
        if exclusive:  # WAL without shared memory: no other host could map it
            self.connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        self.connection.execute("PRAGMA synchronous = NORMAL")
        self.connection.execute("PRAGMA wal_autocheckpoint = 0")
        self.connection.execute("PRAGMA trusted_schema = OFF")
        self.connection.execute("BEGIN IMMEDIATE")
        for key, value in (("format", str(FORMAT)), ("writer", uid), ("number", self.path.stem)):
            self.connection.execute(INSERT_META, {"key": key, "value": value})
        self.connection.execute("COMMIT")

    def insert(self, taken: Taken, content: bytes) -> None:
        """Commit a half of the journal; all of it or nothing.

        Raises:
            sqlite3.Error: Nothing was stored.
        """
        frames = orjson.dumps(taken.index).decode("ascii")
        with gate:
            self.connection.execute(INSERT_BATCH, {"content": content, "frames": frames})
        self._count(taken)

    def _count(self, taken: Taken) -> None:
        index = taken.index
        if self.first_seq is None:
            self.first_seq = index[0][0]
        self.last_seq = index[-1][0]
        self.count += len(index)
        self.digest = crc32(struct.pack(f"<{len(index)}I", *[frame[3] for frame in index]), self.digest)

    def wal_bytes(self) -> int:
        """Size of the WAL, which grows until the segment is sealed."""
        try:
            return os.stat(f"{self.path}-wal").st_size
        except OSError:
            return 0

    def sync_wal(self) -> None:
        """Bound what a power cut takes: closing this second descriptor drops no SQLite lock (the WAL carries none)."""
        try:
            descriptor = os.open(f"{self.path}-wal", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        try:
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)

    def commit_seal(self) -> None:
        """Commit the seal row: no event follows it.

        Raises:
            sqlite3.Error: The disk takes nothing; the segment stays open.
        """
        first = self.first_seq if self.first_seq is not None else self.last_seq_before + 1
        seal = Seal(first, max(self.last_seq, self.last_seq_before), self.count, self.digest)
        with gate:
            self.connection.execute(INSERT_SEAL, msgspec.structs.asdict(seal))

    def close_sealed(self) -> bool:
        """Empty the WAL, close and mark the segment sealed; ``False`` where a reader was in the way (try again).

        Raises:
            OSError | sqlite3.Error: The disk takes nothing (try again).
        """
        if not self._closed:
            with gate:
                busy, _, _ = self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if busy:
                return False
            self.close()
            self._closed = True
        mark_sealed(self.path)
        return True

    def close(self) -> None:
        """Let go of the file; a second call does nothing."""
        with gate:
            self.connection.close()

    def discard(self) -> None:
        """Remove a segment that was prepared and never used."""
        self.close()
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)


def begin(path: Path, uid: str, *, exclusive: bool) -> Segment:
    """Make a segment and open it for writing.

    Raises:
        OSError | sqlite3.Error: The disk takes nothing.
    """
    make(path)
    segment = Segment(path, uid, exclusive=exclusive)
    sync_folder(path.parent)
    return segment


def mark_sealed(path: Path) -> None:
    """Put ``N.sealed`` beside a segment that is checkpointed and closed."""
    write_whole(sealed_path(path), b"")
    sync_folder(path.parent)
