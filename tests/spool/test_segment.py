from __future__ import annotations

import os
import random
import sqlite3
import struct
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from training_cases import rows, seal

from livestream.spool import segment as segments
from livestream.spool.journal import Taken
from livestream.spool.layout import sealed_path
from livestream.spool.segment import Segment, chain


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "00000001.db"
    segments.make(path)
    return path


@pytest.fixture
def segment(path: Path) -> Iterator[Segment]:
    opened = Segment(path, "w1", exclusive=False)
    yield opened
    opened.connection.close()


def half(first: int, payloads: list[bytes]) -> tuple[Taken, bytes]:
    """A half of a journal with these payloads."""
    content, index = b"", []
    for seq, payload in enumerate(payloads, start=first):
        crc = crc32(payload, seq & 0xFFFFFFFF)
        content += struct.pack("<IIQ", len(payload), crc, seq)
        index.append((seq, len(content) + 1, len(payload), crc))
        content += payload
    return Taken(0, len(content), index), content


def insert(segment: Segment, first: int, payloads: list[bytes]) -> None:
    segment.insert(*half(first, payloads))


def fetch(path: Path, sql: str, mode: str = "ro") -> object:
    with closing(sqlite3.connect(f"file:{path}?mode={mode}", uri=True)) as connection:
        return connection.execute(sql).fetchall()


def test_a_segment_is_whole_before_anybody_opens_it(path: Path) -> None:
    assert os.listdir(path.parent) == [path.name]
    content = path.read_bytes()
    assert content[18:20] == b"\2\2"  # WAL from the first page on
    with closing(sqlite3.connect(f"file:{path}?immutable=1", uri=True)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1").fetchall()
        assert tables == [("event",), ("meta",), ("seal",)]
        assert connection.execute("PRAGMA application_id").fetchone() == (0x4C495645,)
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)


def test_the_first_commit_says_whose_segment_it_is(segment: Segment, path: Path) -> None:
    assert fetch(path, "SELECT key, value FROM meta ORDER BY 1") == [
        ("format", "1"),
        ("number", "00000001"),
        ("writer", "w1"),
    ]
    assert segment.wal_bytes() > 0


@given(payloads=st.lists(st.binary(min_size=1, max_size=400), min_size=1, max_size=8), first=st.integers(1, 2**40))
@settings(max_examples=40, deadline=None)
def test_any_bytes_are_stored_as_they_are(payloads: list[bytes], first: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "00000001.db"
        segments.make(path)
        segment = Segment(path, "w1", exclusive=False)
        with closing(segment.connection):
            insert(segment, first, payloads)
            expected = [(seq, crc32(body, seq & 0xFFFFFFFF), body) for seq, body in enumerate(payloads, start=first)]
            assert rows(path) == expected


def test_a_seal_tells_the_range_the_count_and_a_digest_of_the_rows_checksums(segment: Segment, path: Path) -> None:
    insert(segment, 7, [b"a", b"bb"])
    insert(segment, 9, [b"ccc"])
    segment.commit_seal()

    digest = 0
    for _, crc, _ in rows(path):
        digest = chain(digest, crc)
    assert seal(path) == (7, 9, 3, digest)


def test_the_seal_of_an_empty_segment_stands_behind_the_one_before_it(segment: Segment, path: Path) -> None:
    segment.last_seq_before = 41
    segment.commit_seal()

    assert seal(path) == (42, 41, 0, 0)


def test_a_batch_is_stored_whole_or_not_at_all(segment: Segment, path: Path) -> None:
    insert(segment, 1, [b"a", b"b"])
    taken, content = half(3, [b"c", b"d"])
    clashing = Taken(0, taken.end, [*taken.index[:1], (2, *taken.index[1][1:])])
    with pytest.raises(sqlite3.IntegrityError):
        segment.insert(clashing, content)
    assert [seq for seq, _, _ in rows(path)] == [1, 2]

    segment.insert(taken, content)
    segment.commit_seal()
    sealed = seal(path)
    assert sealed is not None
    assert sealed[:3] == (1, 4, 4)


def test_a_sealed_segment_is_one_file_that_anybody_may_read_as_immutable(segment: Segment, path: Path) -> None:
    insert(segment, 1, [b"x" * 3000] * 500)
    segment.commit_seal()
    assert not sealed_path(path).exists()
    assert segment.close_sealed()

    assert sorted(os.listdir(path.parent)) == [path.name, "00000001.sealed"]
    before = path.stat()
    assert fetch(path, "SELECT count(*), sum(length(body)) FROM event", "ro&immutable=1") == [(500, 1_500_000)]
    assert fetch(path, "PRAGMA integrity_check", "ro&immutable=1") == [("ok",)]
    assert path.stat().st_mtime_ns == before.st_mtime_ns


def test_a_reader_in_the_way_puts_sealing_off_and_loses_nothing(segment: Segment, path: Path) -> None:
    insert(segment, 1, [b"a"])
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM event").fetchone() == (1,)
        insert(segment, 2, [b"b"])
        segment.commit_seal()
        assert not segment.close_sealed()
        assert not sealed_path(path).exists()
        reader.execute("COMMIT")

        assert segment.close_sealed()
        assert sealed_path(path).exists()
        assert reader.execute("SELECT count(*) FROM event").fetchone() == (2,)


def test_a_mark_that_could_not_be_put_in_place_is_put_there_later(segment: Segment, path: Path) -> None:
    insert(segment, 1, [b"a"])
    segment.commit_seal()
    sealed_path(path).mkdir()
    for _ in range(2):
        with pytest.raises(OSError):
            segment.close_sealed()
    sealed_path(path).rmdir()

    assert segment.close_sealed()
    assert sealed_path(path).is_file()


def test_a_shared_segment_needs_no_memory_that_another_host_could_not_map(path: Path) -> None:
    segment = Segment(path, "w1", exclusive=True)
    insert(segment, 1, [b"a" * 1000] * 100)
    assert sorted(os.listdir(path.parent)) == [path.name, f"{path.name}-wal"]
    with (
        closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=0)) as other,
        pytest.raises(sqlite3.OperationalError, match="locked"),
    ):
        other.execute("SELECT * FROM event")

    segment.commit_seal()
    assert segment.close_sealed()
    assert sorted(os.listdir(path.parent)) == [path.name, "00000001.sealed"]
    assert len(rows(path)) == 100


def test_the_wal_is_never_moved_into_the_file_while_the_segment_is_written(segment: Segment, path: Path) -> None:
    size = path.stat().st_size
    noise = random.Random(0).randbytes(2000)
    for first in range(1, 3001, 100):
        insert(segment, first, [noise] * 100)
    assert path.stat().st_size == size
    assert segment.wal_bytes() > 3000 * 2000
    segment.sync_wal()
    assert len(rows(path)) == 3000


def test_a_segment_that_was_never_used_leaves_nothing_behind(segment: Segment, path: Path) -> None:
    segment.discard()

    assert os.listdir(path.parent) == []
    segment.sync_wal()  # nothing to sync, and no error
    assert segment.wal_bytes() == 0


def test_a_file_that_is_no_segment_is_not_opened_and_no_descriptor_stays(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for content in (b"", b"x" * 8192):
        path = tmp_path / "00000002.db"
        path.write_bytes(content)
        with pytest.raises(sqlite3.Error):
            Segment(path, "w1", exclusive=False)
    assert len(os.listdir("/proc/self/fd")) == before
