from __future__ import annotations

import contextlib
import sqlite3
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from store_cases import Store, delivery, points

from livestream.studio.store.blobs import Blobs
from livestream.studio.store.errors import StoreError
from livestream.studio.store.sqlite import database
from livestream.studio.store.sqlite.database import (
    NAME,
    connect_reader,
    connect_writer,
    copy_database,
    migrate,
    migrations,
)


def test_the_wal_stays_short_though_readers_never_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "LONG_WAL_BYTES", 1_000_000)
    monkeypatch.setattr(database, "WAL_LOOK_S", 0.0)
    monkeypatch.setattr(database, "CHECKPOINT_PAGES", 100)
    monkeypatch.setattr(database, "WAL_PATIENCE_MS", 2_000)  # a busy machine may keep a reader from ending for seconds
    monkeypatch.setattr(database, "WAL_RETRY_S", 0.0)  # ... and half a minute is longer than this test writes
    store = Store(tmp_path)
    store.apply(delivery(points=[points([(step, 0.5) for step in range(20_000)])]))
    ended = threading.Event()

    def read() -> None:
        with contextlib.closing(connect_reader(tmp_path)) as connection:
            while not ended.is_set():
                connection.execute("SELECT count(*), max(value) FROM point WHERE step < 20000").fetchall()

    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(read) for _ in range(3)]
        longest = 0
        for first in range(20_000, 320_000, 5_000):
            store.apply(delivery(points=[points([(first + step, 0.5) for step in range(5_000)])]))
            longest = max(longest, (tmp_path / f"{NAME}-wal").stat().st_size)
        ended.set()
        for reader in readers:
            reader.result()

    assert longest < 8_000_000  # without: nearly all that was written, 15 MB and more


def test_a_fresh_database_has_the_newest_schema_and_is_its_owners_alone(tmp_path: Path) -> None:
    with contextlib.closing(connect_writer(tmp_path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(migrations()),)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        connection.execute("INSERT INTO change (experiment, kind, time_us) VALUES (1, 'data', 1)")
        for path in tmp_path.glob(f"{NAME}*"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


@pytest.mark.parametrize("number", [number for number, _ in migrations()])
def test_each_migration_leads_to_its_number_and_the_rest_follow(tmp_path: Path, number: int) -> None:
    path = tmp_path / NAME
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        migrate(connection, path, upto=number)
        assert connection.execute("PRAGMA user_version").fetchone() == (number,)
    with contextlib.closing(connect_writer(tmp_path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(migrations()),)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_migration_happens_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    (scripts / "0001_good.sql").write_text("CREATE TABLE one (a INTEGER); -- with a comment\n")
    (scripts / "0002_bad.sql").write_text("CREATE TABLE two (a INTEGER);\nINSERT INTO nowhere VALUES (1);\n")
    monkeypatch.setattr("livestream.studio.store.sqlite.database.MIGRATIONS", scripts)
    with pytest.raises(StoreError, match="nowhere"):
        connect_writer(tmp_path)
    with contextlib.closing(sqlite3.connect(tmp_path / NAME)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("one",)]
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)


def test_a_newer_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    with contextlib.closing(connect_writer(tmp_path)) as connection:
        connection.execute("PRAGMA user_version = 9999")
    before = (tmp_path / NAME).read_bytes()
    with pytest.raises(StoreError, match=r"version 9999.*upgrade livestream"):
        connect_writer(tmp_path)
    assert (tmp_path / NAME).read_bytes() == before


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / NAME)) as connection:
        connection.execute("CREATE TABLE theirs (a)")
    with pytest.raises(StoreError, match="not livestream's"):
        connect_writer(tmp_path)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"no database" * 1000)
    with pytest.raises(StoreError, match="not a database"):
        connect_writer(tmp_path)


def test_a_reader_cannot_write_and_needs_a_database(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        connect_reader(tmp_path)
    connect_writer(tmp_path).close()
    with contextlib.closing(connect_reader(tmp_path)) as connection, pytest.raises(sqlite3.OperationalError):
        connection.execute("DELETE FROM point")


def test_a_backup_while_others_write_is_one_whole_state(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    store = Store(data)
    store.apply(delivery(step=1, points=[points([(1, 0.5)])]))
    copy = tmp_path / "copy"
    copy.mkdir()
    copy_database(data / NAME, copy / NAME)
    store.apply(delivery(step=2, points=[points([(2, 0.5)])]))
    assert [path.name for path in copy.iterdir()] == [NAME]
    assert stat.S_IMODE((copy / NAME).stat().st_mode) == 0o600
    with contextlib.closing(sqlite3.connect(copy / NAME)) as connection:
        assert connection.execute("SELECT step FROM point").fetchall() == [(1,)]
    with pytest.raises(StoreError, match="File exists"):
        copy_database(data / NAME, copy / NAME)
    store.writer.close()
    restored = Store(copy)
    restored.apply(delivery(step=2, points=[points([(2, 0.5)])]))
    assert len(restored.rows()) == 2
    restored.writer.close()


def test_blobs_are_kept_once_under_their_sha256_and_private(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    name = blobs.put(b"picture")
    assert blobs.put(b"picture") == name == Blobs(tmp_path).put(b"picture")
    path = blobs.path(name)
    assert path.read_bytes() == b"picture"
    assert path.relative_to(tmp_path) == Path("blobs") / name[:2] / name
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [each.name for each in path.parent.iterdir()] == [name]


@pytest.mark.parametrize("name", ["", "a" * 63, "A" * 64, "../" + "a" * 61, "a" * 64 + "\n", "é" * 64])
def test_what_is_no_name_of_a_blob_leads_nowhere(tmp_path: Path, name: str) -> None:
    with pytest.raises(StoreError, match="64 lower-case hexadecimal digits"):
        Blobs(tmp_path).path(name)


def test_a_blob_that_a_death_left_unfinished_is_gone_at_the_next_start(tmp_path: Path) -> None:
    Blobs(tmp_path).put(b"picture")
    left = tmp_path / "blobs" / "unfinished" / ".half"
    left.write_bytes(b"half a picture")
    name = Blobs(tmp_path).put(b"picture")
    assert [path.name for path in (tmp_path / "blobs").rglob("*") if path.is_file()] == [name]
