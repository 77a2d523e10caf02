"""The file studio.db: opened, brought to its schema, and its errors told apart.

One connection writes it, in WAL mode and at ``synchronous=FULL``: what was committed survives a power cut. Any number
of others read beside it. The schema is the numbered files in ``migrations/``, each applied once, in its own
transaction together with ``user_version``, which counts them.
"""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from livestream.files import sync_path
from livestream.studio.store.errors import StoreError, StoreFullError

NAME: Final = "studio.db"
APPLICATION_ID: Final = 0x4C535455
BUSY_TIMEOUT_S: Final = 5.0
CACHED_STATEMENTS: Final = 256
CHECKPOINT_PAGES: Final = 4_096
"""16 MB: a page that every commit changes, as the last one of a series, is then copied once in many commits."""
JOURNAL_LIMIT_BYTES: Final = 64 * 1024 * 1024
LONG_WAL_BYTES: Final = 128 * 1024 * 1024
"""A WAL that is not begun anew by itself: for that, SQLite must find it without a reader once."""
WAL_LOOK_S: Final = 1.0
WAL_PATIENCE_MS: Final = 500
"""How long the writer waits for readers of old states to end, so that it can begin the WAL anew."""
WAL_RETRY_S: Final = 30.0
"""After that was not enough, as while a backup reads."""
WRITER_CACHE_KIB: Final = 65_536
READER_CACHE_KIB: Final = 16_384

MIGRATIONS: Final = Path(__file__).parent / "migrations"

_FULL: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR})
"""A quota, a limit on the size of files and a failing disk arrive as ``IOERR``."""

_MIGRATION_NAME: Final = re.compile(r"([0-9]{4})_[a-z0-9_]+\.sql")


def connect_writer(data: Path) -> sqlite3.Connection:
    """Open ``data/studio.db`` to write it, making it and bringing it to this version's schema.

    Raises:
        StoreError: A newer livestream wrote it, it is another program's, or it cannot be opened.
        StoreFullError: There is no space to make it.
    """
    path = data / NAME
    _make_private(path)
    with _translated(path):
        connection = _connect(path, "rw")
        try:
            _configure_writer(connection)
            migrate(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def connect_reader(data: Path) -> sqlite3.Connection:
    """Open ``data/studio.db``, which a writer has made, to read it beside the writer.

    Raises:
        StoreError: It cannot be opened.
    """
    path = data / NAME
    with _translated(path):
        connection = _connect(path, "ro")
        try:
            connection.execute("PRAGMA query_only = ON")
            connection.execute(f"PRAGMA cache_size = -{READER_CACHE_KIB}")
            connection.execute("PRAGMA trusted_schema = OFF")
        except BaseException:
            connection.close()
            raise
    return connection


def migrations() -> list[tuple[int, Path]]:
    """Give the numbered scripts, in their order.

    Raises:
        StoreError: The installation lacks one.
    """
    found = sorted(
        (int(match[1]), path) for path in MIGRATIONS.iterdir() if (match := _MIGRATION_NAME.match(path.name))
    )
    if [number for number, _ in found] != list(range(1, len(found) + 1)):
        raise StoreError(f"{MIGRATIONS} lacks a migration: is livestream installed whole?")
    return found


def migrate(connection: sqlite3.Connection, path: Path, upto: int | None = None) -> None:
    """Apply the migrations that a database lacks, each in one transaction.

    Args:
        connection: In autocommit mode.
        path: Its file, for messages.
        upto: The last number to apply; all by default.

    Raises:
        StoreError: A newer livestream wrote it, or it is another program's.
        sqlite3.Error: A migration failed; those before it are in.
    """
    scripts = migrations()
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(scripts):
        raise StoreError(f"{path} has version {version}, this livestream knows {len(scripts)}: upgrade livestream")
    if version == 0 and connection.execute("SELECT count(*) FROM sqlite_master").fetchone() != (0,):
        raise StoreError(f"{path} holds tables that are not livestream's")
    for number, script in scripts[version:upto]:
        with transaction(connection):
            for statement in statements(script.read_text("utf-8")):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {number}")


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit what the block does, or nothing of it."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite may have rolled back itself, as it does on a full disk
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
        raise


class WalKeeper:
    """Keeps the WAL bounded where readers follow each other so closely that it is never unused.

    Four readers that never rest made it grow by 20 MB/s without an end, and every read slower with it.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        """Look after the WAL of a writer's connection to the database at ``path``."""
        self._connection = connection
        self._wal = path.with_name(f"{path.name}-wal")
        self._not_before = 0.0

    def look(self) -> None:
        """Begin a WAL anew that has grown long; call it outside of transactions, as often as you like."""
        now = time.monotonic()
        if now < self._not_before:
            return
        self._not_before = now + WAL_LOOK_S
        try:
            is_long = self._wal.stat().st_size >= LONG_WAL_BYTES
        except OSError:
            return
        if is_long and not self._begin_anew():
            self._not_before = time.monotonic() + WAL_RETRY_S

    def _begin_anew(self) -> bool:
        try:
            self._connection.execute(f"PRAGMA busy_timeout = {WAL_PATIENCE_MS}").fetchall()
            ((is_busy, _, _),) = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.Error:  # what was committed is safe either way
            return False
        finally:
            self._connection.execute(f"PRAGMA busy_timeout = {round(BUSY_TIMEOUT_S * 1000)}").fetchall()
        return not is_busy


def translate(error: sqlite3.Error, path: Path) -> StoreError:
    """Turn SQLite's error into the one that says what follows."""
    code = getattr(error, "sqlite_errorcode", 0)
    kind = StoreFullError if code & 0xFF in _FULL else StoreError
    return kind(f"{path}: {error}")


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise translate(error, path) from error


def _make_private(path: Path) -> None:
    """SQLite gives the files that it puts beside a database the mode of the database."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        path.chmod(0o600)
    except OSError as error:
        raise StoreError(f"cannot make {path}: {error.strerror}") from error


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=BUSY_TIMEOUT_S,
        cached_statements=CACHED_STATEMENTS,
    )


def _configure_writer(connection: sqlite3.Connection) -> None:
    if connection.execute("PRAGMA journal_mode = WAL").fetchone() != ("wal",):
        raise StoreError("the data folder's filesystem takes no SQLite database in WAL mode: use a local disk")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}").fetchall()
    connection.execute(f"PRAGMA journal_size_limit = {JOURNAL_LIMIT_BYTES}").fetchall()
    connection.execute(f"PRAGMA cache_size = -{WRITER_CACHE_KIB}")
    connection.execute("PRAGMA trusted_schema = OFF")


def statements(script: str) -> Iterator[str]:
    """Cut a script where SQLite says that a statement is complete, so that all run in one transaction of ours.

    ``executescript`` would commit before the first.
    """
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        raise StoreError("a migration ends in the middle of a statement")


def copy_database(source: Path, target: Path) -> None:
    """Write a consistent copy of a database, which others may be writing, to a file that is not there yet; 0600.

    All of it is one read: who writes meanwhile is not kept waiting, and does not make it begin again.

    Raises:
        StoreFullError: There is no space; what was written of the copy is removed.
        StoreError: The target is there, cannot be made, or the source cannot be read.
    """
    try:
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StoreError(f"cannot make {target}: {error.strerror}") from error
    try:
        with _translated(source), contextlib.closing(_connect(source, "ro")) as original:
            original.execute("PRAGMA schema_version").fetchall()  # what is no database is the source's trouble
            with _translated(target), contextlib.closing(_connect(target, "rw")) as copy:
                original.backup(copy)
                copy.execute("PRAGMA journal_mode = DELETE").fetchall()  # one file, without a WAL beside it
        sync_path(target)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
