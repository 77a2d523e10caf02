"""The file daemon.db: opened, brought to its schema, and changed in transactions that happen whole or not at all.

One connection writes it, the daemon's. On a local filesystem it is in WAL mode, so that the commands can read beside
it; on a shared one it is held with an exclusive lock and a rollback journal, because a WAL's index cannot be shared
between hosts, and the commands read the bare file instead (``Snapshot``).

What cannot be read is moved away and a new file is begun: cursors at 0 replay what is still in the spool, which costs
duplicates and loses nothing.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, Protocol, TypeAlias

import msgspec

from livestream.errors import CorruptSpoolError, SpoolError, SpoolFormatError
from livestream.spool.quarantine import quarantine_database

APPLICATION_ID: Final = 0x4C495653
BUSY_TIMEOUT_S: Final = 5.0
JOURNAL_LIMIT_BYTES: Final = 4 * 1024 * 1024

MIGRATIONS: Final = (
    (
        """
        CREATE TABLE experiment(
            id INTEGER PRIMARY KEY, repo_url TEXT NOT NULL, baseline_sha TEXT NOT NULL, name TEXT NOT NULL,
            state BLOB NOT NULL DEFAULT x'', step INTEGER, started INTEGER NOT NULL DEFAULT 0,
            done INTEGER NOT NULL DEFAULT 0, accepted_data INTEGER NOT NULL DEFAULT 0, hold TEXT, hold_since REAL,
            last_error TEXT, last_success REAL, UNIQUE(repo_url, baseline_sha, name))
        """,
        """
        CREATE TABLE writer(
            uid TEXT PRIMARY KEY, experiment_id INTEGER NOT NULL, role TEXT NOT NULL,
            cursor INTEGER NOT NULL DEFAULT 0, emitted INTEGER NOT NULL DEFAULT 0,
            delivered INTEGER NOT NULL DEFAULT 0, dead INTEGER NOT NULL DEFAULT 0,
            superseded INTEGER NOT NULL DEFAULT 0, refused TEXT NOT NULL DEFAULT '{}',
            trimmed INTEGER NOT NULL DEFAULT 0, finished INTEGER NOT NULL DEFAULT 0, gone INTEGER NOT NULL DEFAULT 0,
            updated REAL NOT NULL, info BLOB NOT NULL)
        """,
        "CREATE INDEX writer_of_experiment ON writer(experiment_id)",
        """
        CREATE TABLE plan(
            writer TEXT PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL, parts INTEGER NOT NULL,
            next_part INTEGER NOT NULL, profile BLOB NOT NULL)
        """,
        """
        CREATE TABLE dead(
            id INTEGER PRIMARY KEY AUTOINCREMENT, writer TEXT NOT NULL, experiment_id INTEGER NOT NULL,
            seq INTEGER NOT NULL, count INTEGER NOT NULL DEFAULT 1, reason TEXT NOT NULL, status INTEGER,
            at REAL NOT NULL, event BLOB, blobs TEXT NOT NULL DEFAULT '[]', kind TEXT NOT NULL, retry_at REAL)
        """,
        "CREATE INDEX dead_to_try ON dead(kind, retry_at) WHERE kind <> 'dead'",
        """
        CREATE TABLE target(
            url TEXT NOT NULL, fingerprint TEXT NOT NULL, state TEXT NOT NULL, detail TEXT NOT NULL, until REAL,
            PRIMARY KEY(url, fingerprint))
        """,
    ),
)
"""Statements that lead from each version of the schema to the next; ``user_version`` counts them."""

VERSION: Final = len(MIGRATIONS)

COUNT_TABLES: Final = "SELECT count(*) FROM sqlite_master"
COUNT_UNBALANCED: Final = """
SELECT count(*) FROM writer
WHERE typeof(cursor) <> 'integer' OR cursor < 0 OR delivered + dead <> cursor OR emitted < cursor
   OR dead <> (SELECT coalesce(sum(count), 0) FROM dead WHERE dead.writer = writer.uid)
"""

_DAMAGE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT})
_UNREADABLE: Final = frozenset({sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ})
_NONSENSE: Final = frozenset({0, sqlite3.SQLITE_ERROR})  # text that is none; tables or columns that are not there
_FULL: Final = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_FSYNC}
)
"""A disk quota and a limit on the size of files arrive as failed writes."""

SQLITE_ERRORS: Final = (sqlite3.Error, UnicodeDecodeError)
"""What a call of SQLite raises: its message may quote a damaged schema, which the module then fails to decode."""

SqliteError: TypeAlias = sqlite3.Error | UnicodeDecodeError
Parameters: TypeAlias = Mapping[str, str | bytes | int | float | None]
Row: TypeAlias = tuple[object, ...]


class StateAbsentError(SpoolError):
    """There is no daemon.db, or it has no tables yet: a daemon that holds its lock is making it this moment."""


class StateFullError(SpoolError):
    """The disk took no change of daemon.db; nothing of it was stored, and the same change may be tried again."""


class Replaced(msgspec.Struct, frozen=True):
    """A daemon.db that could not be used: why, and where its files are now."""

    reason: str
    files: tuple[Path, ...]


def error_code(error: SqliteError) -> int:
    """Give SQLite's extended result code; 0 where the error is the module's own."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code


def is_full(error: SqliteError) -> bool:
    """Whether the disk would not take a write."""
    return bool({error_code(error), error_code(error) & 0xFF} & _FULL)


def is_damage(error: SqliteError) -> bool:
    """Whether the file's content is at fault: it will be no better at the next try."""
    if isinstance(error, UnicodeDecodeError):
        return True
    return error_code(error) & 0xFF in _DAMAGE or error_code(error) in _UNREADABLE


def is_busy(error: SqliteError) -> bool:
    """Whether somebody else's lock is in the way."""
    return error_code(error) & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def translate(error: SqliteError, path: Path) -> SpoolError:
    """Turn SQLite's error into the one that says who has to act."""
    if is_full(error):
        return StateFullError(f"{path}: {error}")
    if is_damage(error):
        return CorruptSpoolError(f"{path}: {error}")
    return SpoolError(f"{path}: {error}")


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """How a daemon.db is opened.

    Attributes:
        shared: The spool lies on a shared filesystem.
        examine: Reads what it holds; raises ``CorruptSpoolError`` where that makes no sense.
        factory: The class of the connection.
    """

    shared: bool
    examine: Callable[[Database], None]
    factory: type[sqlite3.Connection] = sqlite3.Connection


class Rows(Protocol):
    """What can be asked; both ways of having a daemon.db open can."""

    path: Path

    def fetch(self, sql: str, parameters: Parameters | None = None) -> list[Row]:
        """Give all rows of a query."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


class Database:
    """A daemon.db that is open, for writing (``writable``) or not."""

    def __init__(self, path: Path, connection: sqlite3.Connection, *, writable: bool) -> None:
        self.path = path
        self.connection = connection
        self.writable = writable

    def fetch(self, sql: str, parameters: Parameters | None = None) -> list[Row]:
        """Give all rows of a query.

        Raises:
            SpoolError: It cannot be answered.
        """
        try:
            rows: list[Row] = self.connection.execute(sql, parameters or {}).fetchall()
        except SQLITE_ERRORS as error:
            raise translate(error, self.path) from error
        return rows

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit what the block does, or nothing of it.

        Raises:
            StateFullError: The disk is full.
            SpoolError: Any other trouble of SQLite's.
        """
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            yield self.connection
            self.connection.execute("COMMIT")
        except SQLITE_ERRORS as error:
            self._roll_back()
            raise translate(error, self.path) from error
        except BaseException:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        if self.connection.in_transaction:  # SQLite may have done so itself, as it does on a full disk
            with contextlib.suppress(*SQLITE_ERRORS):
                self.connection.execute("ROLLBACK")

    def close(self) -> None:
        """Let go of the file."""
        self.connection.close()


class Snapshot:
    """A daemon.db that an exclusive daemon holds: each query opens the bare file, without locks, and closes it.

    The file may be in the middle of a commit, so a query that finds nonsense is asked once more.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def fetch(self, sql: str, parameters: Parameters | None = None) -> list[Row]:
        """Give all rows of a query.

        Raises:
            SpoolError: It cannot be answered, twice.
        """
        try:
            return self._fetch(sql, parameters or {})
        except SQLITE_ERRORS:
            pass
        try:
            return self._fetch(sql, parameters or {})
        except SQLITE_ERRORS as error:
            raise translate(error, self.path) from error

    def _fetch(self, sql: str, parameters: Parameters) -> list[Row]:
        with contextlib.closing(_connect(self.path, "mode=ro&immutable=1", sqlite3.Connection)) as connection:
            rows: list[Row] = connection.execute(sql, parameters).fetchall()
            return rows

    def close(self) -> None:
        """Nothing is open."""


def writable(rows: Rows) -> Database:
    """Give the database behind the rows, to change it.

    Raises:
        SpoolError: It is open for reading only.
    """
    if not isinstance(rows, Database) or not rows.writable:
        raise SpoolError(f"{rows.path} is open for reading only")
    return rows


def open_for_reading(path: Path) -> Rows:
    """Open a daemon.db beside whoever writes it.

    Raises:
        StateAbsentError: Nobody has written one yet.
        SpoolFormatError: A newer livestream wrote it.
        SpoolError: It cannot be read.
    """
    if not path.exists():
        raise StateAbsentError(f"{path} does not exist: no daemon has served this spool yet")
    rows: Rows
    try:
        connection = _connect(path, "mode=ro", sqlite3.Connection)
        try:
            connection.execute(COUNT_TABLES).fetchall()
        except SQLITE_ERRORS:
            connection.close()
            raise
        rows = Database(path, connection, writable=False)
    except SQLITE_ERRORS as error:
        if is_damage(error):
            raise translate(error, path) from error
        rows = Snapshot(path)
    try:
        if _check_version(rows) == 0 and rows.fetch(COUNT_TABLES) == [(0,)]:
            raise StateAbsentError(f"{path} is empty: a daemon is making it, or its content is gone")
    except SpoolError:
        rows.close()
        raise
    return rows


def open_for_writing(path: Path, options: Opening) -> tuple[Database, Replaced | None]:
    """Open a daemon.db as its only writer, making it where there is none; the folder exists.

    Returns:
        The database; and, where the file could not be used and a new one was begun, what became of the old one.

    Raises:
        SpoolFormatError: A newer livestream wrote it.
        StateFullError: There is no space to make it.
        SpoolError: It is locked, or not ours to open.
    """
    try:
        return _open(path, options), None
    except CorruptSpoolError as error:
        reason = str(error)
    try:
        files = quarantine_database(path.parent, "daemon", path, reason)
    except OSError as error:
        raise SpoolError(f"{path} is damaged and cannot be moved away: {error.strerror}") from error
    return _open(path, options), Replaced(reason, files)


def _open(path: Path, options: Opening) -> Database:
    _make_private(path)
    try:
        connection = _connect(path, "mode=rw", options.factory)
    except SQLITE_ERRORS as error:
        raise translate(error, path) from error
    database = Database(path, connection, writable=True)
    try:
        if options.shared:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        version = _examine(database)
        _configure(connection, shared=options.shared)
        _migrate(database, version)
        if database.fetch(COUNT_UNBALANCED) != [(0,)]:
            raise CorruptSpoolError(f"{path}: its books do not balance")
        options.examine(database)
    except SQLITE_ERRORS as error:
        connection.close()
        raise translate(error, path) from error
    except SpoolError as error:
        connection.close()
        if isinstance(error.__cause__, SQLITE_ERRORS) and error_code(error.__cause__) in _NONSENSE:
            raise CorruptSpoolError(f"{path}: {error.__cause__}") from error
        raise
    return database


def _make_private(path: Path) -> None:
    """SQLite gives the files that it puts beside a database the mode of the database."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        with contextlib.suppress(OSError):
            path.chmod(0o600)
    except OSError as error:
        raise SpoolError(f"cannot make {path}: {error.strerror}") from error


def _connect(path: Path, mode: str, factory: type[sqlite3.Connection]) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?{mode}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=BUSY_TIMEOUT_S,
        factory=factory,
    )


def _configure(connection: sqlite3.Connection, *, shared: bool) -> None:
    connection.execute(f"PRAGMA journal_mode = {'TRUNCATE' if shared else 'WAL'}").fetchall()
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA journal_size_limit = {JOURNAL_LIMIT_BYTES}")
    connection.execute("PRAGMA trusted_schema = OFF")


def _check_version(rows: Rows) -> int:
    version = int(str(rows.fetch("PRAGMA user_version")[0][0]))
    if version > VERSION:
        raise SpoolFormatError(
            f"{rows.path} has version {version}, this livestream reads up to {VERSION}: upgrade livestream"
        )
    return version


def _examine(database: Database) -> int:
    """Give the version of a file that may be changed; nothing is written before."""
    version = _check_version(database)
    if version == 0 and database.fetch(COUNT_TABLES) != [(0,)]:
        raise CorruptSpoolError(f"{database.path}: it holds tables that are not livestream's")
    if database.fetch("PRAGMA quick_check(1)") != [("ok",)]:
        raise CorruptSpoolError(f"{database.path}: SQLite's quick_check finds it damaged")
    return version


def _migrate(database: Database, version: int) -> None:
    for number, statements in enumerate(MIGRATIONS[version:], start=version + 1):
        with database.transaction() as connection:
            for statement in statements:
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {number}")
