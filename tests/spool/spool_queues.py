"""Queues built by hand, row by row, so that a test can say exactly what a disk holds."""

from __future__ import annotations

import contextlib
import sqlite3
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from zlib import crc32

import msgspec

from livestream.events import Data, Event, Spilled, encode
from livestream.spool import segment as segments
from livestream.spool.blobs import put_blob
from livestream.spool.journal import Journal
from livestream.spool.layout import BLOB_FOLDER, HEARTBEAT_FILE, JOURNAL_FILE, WRITER_FILE, segment_path
from livestream.spool.reader import Batch, SpoolReader
from livestream.spool.segment import INSERT_EVENT, INSERT_META, INSERT_SEAL, Seal

UID = "w0123456789ab0123456789"
HALF_BYTES = 128 * 1024


def event(seq: int, size: int = 0) -> Data:
    """The event with a number: its content tells which it is."""
    return Data(time=float(seq), step=seq, metrics={"loss": seq / 8}, params={"pad": "x" * size} if size else {})


def body_of(seq: int, size: int = 0) -> bytes:
    return encode(event(seq, size))


class Queue:
    """A writer's folder."""

    def __init__(self, spool: Path, uid: str = UID) -> None:
        self.folder = spool / uid
        (self.folder / BLOB_FOLDER).mkdir(parents=True)
        (self.folder / WRITER_FILE).write_bytes(b"{}")
        (self.folder / HEARTBEAT_FILE).write_bytes(b"0")
        self.seq = 0
        self.number = 0

    def path(self, number: int) -> Path:
        return segment_path(self.folder, number)

    @contextlib.contextmanager
    def opened(self, number: int) -> Iterator[sqlite3.Connection]:
        with contextlib.closing(sqlite3.connect(self.path(number), isolation_level=None)) as connection:
            yield connection

    def rows(self, count: int, size: int = 0) -> list[tuple[int, bytes]]:
        first = self.seq + 1
        self.seq += count
        return [(seq, body_of(seq, size)) for seq in range(first, first + count)]

    def add_open(self, rows: Iterable[tuple[int, bytes]]) -> sqlite3.Connection:
        """Begin a segment as a writer does; the caller closes the connection."""
        self.number += 1
        segments.make(self.path(self.number))
        connection = sqlite3.connect(self.path(self.number), isolation_level=None)
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute(INSERT_META, {"key": "writer", "value": self.folder.name})
        insert(connection, rows)
        return connection

    def add_sealed(self, rows: Iterable[tuple[int, bytes]], seal: Seal | None = None) -> Path:
        """Add a segment that is complete."""
        held = list(rows)
        before = self.seq - len(held)
        with contextlib.closing(self.add_open(held)) as connection:
            put_seal(connection, seal or seal_for(held, before))
            assert connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
        segments.mark_sealed(self.path(self.number))
        return self.path(self.number)

    def add_left_behind(self, rows: Iterable[tuple[int, bytes]], *, sealed_row: bool = False) -> Path:
        """Add a segment as a killed writer leaves it: rows in the WAL, no seal file."""
        held = list(rows)
        before = self.seq - len(held)
        connection = self.add_open(held)
        if sealed_row:
            put_seal(connection, seal_for(held, before))
        path = self.path(self.number)
        copies = {suffix: Path(f"{path}{suffix}").read_bytes() for suffix in ("", "-wal")}
        connection.close()
        for suffix, content in copies.items():
            Path(f"{path}{suffix}").write_bytes(content)
        return path

    def journal(self, rows: Iterable[tuple[int, bytes]]) -> Path:
        """Leave a journal with frames that no segment holds."""
        path = self.folder / JOURNAL_FILE
        path.unlink(missing_ok=True)
        journal = Journal(path, mapped=False, half_bytes=HALF_BYTES)
        for seq, body in rows:
            assert journal.append(seq, body)
        journal.close()
        return path

    def spill(self, content: Event | bytes) -> bytes:
        """Put an event into a blob; give the row that stands for it."""
        body = content if isinstance(content, bytes) else encode(content)
        return encode(Spilled(blob=put_blob(self.folder, body), size=len(body)))


def insert(connection: sqlite3.Connection, rows: Iterable[tuple[int, bytes]]) -> None:
    connection.execute("BEGIN")
    for seq, body in rows:
        connection.execute(INSERT_EVENT, {"seq": seq, "crc": crc32(body, seq & 0xFFFFFFFF), "body": body})
    connection.execute("COMMIT")


def put_seal(connection: sqlite3.Connection, seal: Seal) -> None:
    connection.execute(INSERT_SEAL, msgspec.structs.asdict(seal))


def seal_for(rows: list[tuple[int, bytes]], before: int = 0) -> Seal:
    if not rows:
        return Seal(before + 1, before, 0, 0)
    crcs = [crc32(body, seq & 0xFFFFFFFF) for seq, body in rows]
    return Seal(rows[0][0], rows[-1][0], len(rows), crc32(struct.pack(f"<{len(crcs)}I", *crcs)))


async def read_all(reader: SpoolReader, after: int = 0, max_events: int = 1000, emitted: int = 0) -> Batch:
    """Read on until nothing comes; check that every number is answered for once, in order."""
    whole = Batch([], [], after, more=False)
    for _ in range(10_000):
        batch = await reader.read(whole.last, 1_000_000, max_events, emitted=emitted)
        assert answered(batch) == list(range(whole.last + 1, batch.last + 1))
        whole = Batch(whole.records + batch.records, whole.problems + batch.problems, batch.last, batch.more)
        if not batch.records and not batch.problems:
            assert not batch.more
            return whole
    raise AssertionError("the reader does not come to an end")


def answered(batch: Batch) -> list[int]:
    numbers = [record.seq for record in batch.records]
    for problem in batch.problems:
        numbers += range(problem.first, problem.last + 1)
    return sorted(numbers)
