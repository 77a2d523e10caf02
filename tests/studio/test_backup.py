from __future__ import annotations

import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from livestream.studio.backup import BackupError, back_up
from livestream.studio.store.errors import StoreError

BLOB = "ab" * 32


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """Give a folder whose database is open for writing, with rows that are in the WAL only."""
    folder = tmp_path / "data"
    (folder / "blobs/ab").mkdir(parents=True)
    (folder / "blobs/ab" / BLOB).write_bytes(b"an image")
    (folder / "blobs/ab/.half.1234").write_bytes(b"not an image yet")
    (folder / "ingest").mkdir()
    (folder / "ingest/000000000001.body").write_bytes(b"a body")
    (folder / "ingest/000000000002.part").write_bytes(b"half a body")
    (folder / "ingest/refused").mkdir()
    (folder / "ingest/refused/000000000001.body").write_bytes(b"a damaged body")
    with closing(sqlite3.connect(folder / "studio.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL").fetchall()
        connection.execute("CREATE TABLE t (n INTEGER)")
        connection.execute("INSERT INTO t VALUES (1)")
        with closing(sqlite3.connect(folder / "auth.db")) as auth:
            auth.execute("CREATE TABLE token (n)")
            auth.commit()
        yield folder


def numbers(folder: Path) -> list[int]:
    with closing(sqlite3.connect(folder / "studio.db")) as connection:
        return [number for (number,) in connection.execute("SELECT n FROM t ORDER BY n")]


def test_a_copy_holds_what_is_committed_what_is_logged_and_every_image(data: Path, tmp_path: Path) -> None:
    made = back_up(data, tmp_path / "copy")

    there = {str(path.relative_to(tmp_path / "copy")) for path in (tmp_path / "copy").rglob("*") if path.is_file()}
    bodies = {"ingest/000000000001.body", "ingest/refused/000000000001.body"}
    assert there == {"studio.db", "auth.db", f"blobs/ab/{BLOB}", *bodies}
    assert numbers(tmp_path / "copy") == [1]
    assert (made.logged_bodies, made.blobs, made.linked) == (1, 1, 1)
    assert (tmp_path / "copy/blobs/ab" / BLOB).read_bytes() == b"an image"


def test_nobody_else_may_read_a_copy(data: Path, tmp_path: Path) -> None:
    back_up(data, tmp_path / "copy")

    modes = [path.stat().st_mode for path in [tmp_path / "copy", *(tmp_path / "copy").rglob("*.*")]]
    assert [mode for mode in modes if stat.S_IMODE(mode) & 0o077] == []


def test_a_copy_made_beside_a_writer_is_one_state(data: Path, tmp_path: Path) -> None:
    ended = threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(data / "studio.db", isolation_level=None)) as connection:
            number = 1
            while not ended.is_set():
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany("INSERT INTO t VALUES (?)", [(number + 1,), (number + 2,)])
                connection.execute("COMMIT")
                number += 2

    writer = threading.Thread(target=write)
    writer.start()
    try:
        copies = [tmp_path / f"copy{number}" for number in range(5)]
        for copy in copies:
            back_up(data, copy)
    finally:
        ended.set()
        writer.join()

    for copy in copies:
        found = numbers(copy)
        assert found == list(range(1, len(found) + 1))
        assert len(found) % 2 == 1


def test_a_backup_that_fails_leaves_nothing(data: Path, tmp_path: Path) -> None:
    (data / "auth.db").write_bytes(b"not a database" * 1000)

    with pytest.raises(StoreError, match=r"data/auth\.db"):
        back_up(data, tmp_path / "copy")

    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_it_goes_to_a_new_folder_and_comes_from_a_studio(data: Path, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="is there already"):
        back_up(data, tmp_path)
    with pytest.raises(BackupError, match="holds no Studio"):
        back_up(tmp_path / "nothing", tmp_path / "copy")
