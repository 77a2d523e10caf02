"""auth.db: tokens, sessions, sign-in codes and devices that wait; secrets are there as hashes only.

Separate from studio.db, so that a copy of the experiments can be given away without the keys to them. Several
processes have it open at once, the server and ``livestream token`` commands: ``PRAGMA data_version`` tells a
connection, without reading a page, that another one has committed since.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Final

from livestream.studio.auth.errors import AuthError
from livestream.studio.store.sqlite.database import statements, transaction

FILE_NAME: Final = "auth.db"
_BUSY_MS: Final = 5_000

_MIGRATIONS: Final = (
    """
    CREATE TABLE token (
        id INTEGER PRIMARY KEY AUTOINCREMENT,  -- no id comes twice: sessions and logs know a token by it
        name TEXT NOT NULL UNIQUE,
        scopes TEXT NOT NULL,                  -- parted by spaces
        digest BLOB NOT NULL UNIQUE,           -- SHA-256 of the secret
        hint TEXT NOT NULL,
        project INTEGER,
        created_us INTEGER NOT NULL,
        expires_us INTEGER,
        last_used_us INTEGER,
        old_digest BLOB UNIQUE,                -- of the secret before, good until overlap_until_us
        overlap_until_us INTEGER
    ) STRICT;
    CREATE TABLE session (
        digest BLOB PRIMARY KEY,
        token INTEGER REFERENCES token (id) ON DELETE CASCADE,  -- NULL: by a sign-in code, which is admin's
        created_us INTEGER NOT NULL,
        expires_us INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX session_of_token ON session (token);
    CREATE TABLE sign_in_code (
        digest BLOB PRIMARY KEY,
        expires_us INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE device (
        digest BLOB PRIMARY KEY,               -- of the code that the program polls with
        user_code TEXT NOT NULL UNIQUE,
        client_name TEXT NOT NULL,
        token_name TEXT NOT NULL,
        token_expires_us INTEGER,
        expires_us INTEGER NOT NULL,
        decision TEXT                          -- 'approved', 'denied', NULL while it waits
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE studio (
        name TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    INSERT INTO studio VALUES ('cookie', 'livestream_' || lower(hex(randomblob(4))));
    """,
)
"""The script at index N takes a database of version N to N + 1."""


def connect(data: Path) -> sqlite3.Connection:
    """Open auth.db in a Studio's data folder; it is made, or brought up to date, where needed.

    Each statement commits by itself; `transaction` joins several. A commit is on disk when it returns.

    Raises:
        AuthError: It cannot be opened, or a newer livestream wrote it.
    """
    path = data / FILE_NAME
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=_BUSY_MS / 1000)
    except (OSError, sqlite3.Error) as error:
        raise AuthError(f"cannot open {path}: {error}") from error
    try:
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        _migrate(connection, path)
    except sqlite3.Error as error:
        connection.close()
        raise AuthError(f"cannot use {path}: {error}") from error
    except AuthError:
        connection.close()
        raise
    return connection


def data_version(connection: sqlite3.Connection) -> int:
    """A number that differs from the one before if another connection has committed."""
    version: int = connection.execute("PRAGMA data_version").fetchone()[0]
    return version


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    if _version(connection) == len(_MIGRATIONS):
        return
    with transaction(connection):
        version = _version(connection)  # another process may have been quicker
        if version > len(_MIGRATIONS):
            raise AuthError(
                f"{path} was written by a newer livestream (its version is {version}, this one knows"
                f" {len(_MIGRATIONS)}): upgrade livestream"
            )
        for script in _MIGRATIONS[version:]:
            for statement in statements(script):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version
