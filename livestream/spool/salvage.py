"""Looking into segments without changing them, damaged ones row by row.

SQLite refuses a whole query when one page of a file is bad. Asked for one row at a time it still gives every row whose
own page, and the pages on the way to it, are good.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeAlias
from zlib import crc32

import msgspec

from livestream.errors import SpoolFormatError
from livestream.spool.database import SQLITE_ERRORS, SqliteError, error_code, is_damage
from livestream.spool.journal import checksum
from livestream.spool.layout import FORMAT, sealed_path
from livestream.spool.segment import Seal

EventRow: TypeAlias = tuple[int, int, bytes]
"""``seq, crc, body`` as a segment gives them; a damaged one may give other types."""

SELECT_SEAL: Final = "SELECT first_seq, last_seq, count, digest FROM seal WHERE id = 1"
SELECT_FIRST: Final = "SELECT seq, crc, body FROM event ORDER BY seq LIMIT 8"
SELECT_LAST: Final = "SELECT seq, crc, body FROM event ORDER BY seq DESC LIMIT 8"
SELECT_ROW: Final = "SELECT seq, crc, body FROM event WHERE seq = :seq"
PROBE: Final = "SELECT seq, crc, body FROM event LIMIT 0"
"""Asks whether there is such a table, without looking at its rows."""

COUNT_ROWS: Final = "SELECT count(*) FROM event"

BUSY_TIMEOUT_S: Final = 0.5


class Extent(msgspec.Struct, frozen=True):
    """What can be told of a segment's range: its seal, and its first and last intact row.

    Each is ``None`` where there is none; rows are intact by their checksum, which covers their number.
    """

    seal: Seal | None = None
    first: int | None = None
    last: int | None = None

    @property
    def last_seq(self) -> int | None:
        """The last number that belongs to the segment, as far as it is known."""
        stated = stated_last(self.seal) if self.seal else None
        return max((number for number in (stated, self.last) if number is not None), default=None)

    @property
    def first_seq(self) -> int | None:
        """The first number that belongs to it, as far as it is known."""
        if self.seal is not None and stated_last(self.seal) is not None:
            return self.seal.first_seq
        return self.first


def loss_seal(first: int, last: int) -> Seal:
    """Make the seal of an empty segment that stands for events which were accepted and are gone."""
    return Seal(first, last, 0, _loss_digest(first, last))


def stated_last(seal: Seal) -> int | None:
    """Give a seal's last number, or ``None`` where the seal contradicts itself: a flipped bit must not move a cursor.

    A writer's segment has no gaps, so its range and its count agree. What recovery sealed around a gap is not believed,
    and its rows are then all that is known of it.
    """
    if seal.last_seq - seal.first_seq + 1 == seal.count:
        return seal.last_seq
    if not seal.count and seal.digest == _loss_digest(seal.first_seq, seal.last_seq):
        return seal.last_seq
    return None


def _loss_digest(first: int, last: int) -> int:
    return crc32(b"lost %d-%d" % (first, last))


def reading_uri(path: Path, *, immutable: bool) -> str:
    """Name a segment for SQLite: one that may still grow is read through its WAL, a sealed one as it is."""
    return f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if immutable else ''}"


def check_format(path: Path, version: object) -> None:
    """Refuse what a newer livestream wrote.

    Raises:
        SpoolFormatError: Its ``user_version`` is higher than ours.
    """
    if isinstance(version, int) and version > FORMAT:
        raise SpoolFormatError(f"{path} has format {version}, this livestream reads up to {FORMAT}: upgrade it")


@contextlib.contextmanager
def looking(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a segment to look, sealed or not; not in shared mode before its seal.

    Raises:
        sqlite3.Error: It cannot be opened.
        SpoolFormatError: A newer livestream wrote it.
    """
    uri = reading_uri(path, immutable=sealed_path(path).exists())
    with contextlib.closing(sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_TIMEOUT_S)) as connection:
        connection.text_factory = bytes  # a flipped bit can make text of a blob, and text must be valid
        check_format(path, connection.execute("PRAGMA user_version").fetchone()[0])
        yield connection


def extent(path: Path) -> Extent:
    """Tell a segment's range as far as damage lets it be told; nothing is raised but ``SpoolFormatError``."""
    seal, first, last = None, None, None
    with contextlib.suppress(*SQLITE_ERRORS), looking(path) as connection:
        with contextlib.suppress(*SQLITE_ERRORS):
            seal = read_seal(connection)
        with contextlib.suppress(*SQLITE_ERRORS):
            first = _number(connection, SELECT_FIRST)
        with contextlib.suppress(*SQLITE_ERRORS):
            last = _number(connection, SELECT_LAST)
    return Extent(seal, first, last)


def read_seal(connection: sqlite3.Connection) -> Seal | None:
    """Read a segment's seal row."""
    return seal_of(connection.execute(SELECT_SEAL).fetchall())


def seal_of(rows: list[tuple[object, ...]]) -> Seal | None:
    """Turn the rows of ``SELECT_SEAL`` into a seal; a damaged one contradicts itself."""
    try:
        return Seal(*msgspec.convert(rows[0], tuple[int, int, int, int])) if rows else None
    except msgspec.ValidationError:
        return Seal(0, 0, -1, 0)


def whole(path: Path) -> str | None:
    """Tell what is wrong with a sealed segment's file, ``None`` where nothing is: pages, and the count of its rows."""
    try:
        with looking(path) as connection:
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != b"ok":
                return str(verdict, "utf-8", "replace")
            seal = read_seal(connection)
            (count,) = connection.execute(COUNT_ROWS).fetchone()
    except SQLITE_ERRORS as error:
        return str(error)
    if seal is not None and seal.count != count:
        return f"it holds {count} events, its seal says {seal.count}"
    return None


def salvaged(path: Path, after: int, last: int) -> list[EventRow] | None:
    """Read the rows from ``after + 1`` to ``last`` one at a time, leaving out those that cannot be read.

    It costs a few microseconds a number, whether or not there is a row: bound the range. ``None`` where the file cannot
    be opened as a segment at all.

    Raises:
        SpoolFormatError: A newer livestream wrote it.
        sqlite3.Error: Trouble other than damage.
    """
    rows: list[EventRow] = []
    try:
        with looking(path) as connection:
            connection.execute(PROBE).fetchall()
            for seq in range(after + 1, last + 1):
                rows += _row(connection, seq)
    except SQLITE_ERRORS as error:
        if not is_unusable(error):
            raise
        return None
    return rows


def is_intact(row: tuple[int, int, object]) -> bool:
    """Whether a row is what was stored under its number."""
    seq, crc, body = row
    return isinstance(body, bytes) and checksum(body, seq) == crc


def is_unusable(error: SqliteError) -> bool:
    """Whether a segment is damaged, or has not the tables of one (a missing table is SQLite's plainest error)."""
    return is_damage(error) or error_code(error) == sqlite3.SQLITE_ERROR


def _row(connection: sqlite3.Connection, seq: int) -> list[EventRow]:
    try:
        return connection.execute(SELECT_ROW, {"seq": seq}).fetchall()
    except SQLITE_ERRORS as error:
        if not is_damage(error):
            raise
        return []


def _number(connection: sqlite3.Connection, sql: str) -> int | None:
    rows: list[EventRow] = connection.execute(sql).fetchall()
    return next((row[0] for row in rows if is_intact(row)), None)
