"""Many rows in one statement.

SQLite's statements are quick and Python's way to them is not: 200 rows in one `INSERT` cost half of what they cost by
``executemany``. Beside a busy thread the difference is twentyfold, because `sqlite3` gives up the GIL once a statement
and each return waits for a switch interval (measured: 24 us a row against 495). So rows are gathered flat, and sent in
a few fixed sizes, which the connection's cache of prepared statements then holds.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Final, TypeAlias

Parameter: TypeAlias = int | float | str | bytes | None

SIZES: Final = (200, 50, 12, 3, 1)


class Batch:
    """A statement over many rows.

    Args:
        statement: Its text, with ``{rows}`` where the rows' parameters belong.
        width: Columns of a row.
        sizes: Rows of one statement, falling, 1 last.
    """

    def __init__(self, statement: str, width: int, sizes: tuple[int, ...] = SIZES) -> None:
        row = f"({','.join('?' * width)})"
        self.width = width
        self._statements = [(size, statement.replace("{rows}", ",".join([row] * size))) for size in sizes]

    def execute(self, connection: sqlite3.Connection, flat: list[Parameter]) -> Iterator[tuple[int, int, int]]:
        """Send rows, given one after the other in one list.

        Yields:
            For each statement, once it is done: offset in ``flat``, the same of its end, and how many rows it changed.
        """
        offset, width = 0, self.width
        for size, sql in self._statements:
            length = size * width
            while len(flat) - offset >= length:
                end = offset + length
                chunk = flat if length == len(flat) else flat[offset:end]
                yield offset, end, connection.execute(sql, chunk).rowcount
                offset = end

    def run(self, connection: sqlite3.Connection, flat: list[Parameter]) -> int:
        """Send rows, and say how many were changed."""
        return sum(changed for _, _, changed in self.execute(connection, flat))

    def select(self, connection: sqlite3.Connection, flat: list[Parameter]) -> Iterator[tuple[int, ...]]:
        """Send rows to a query, and give what it answers."""
        offset = 0
        for size, sql in self._statements:
            length = size * self.width
            while len(flat) - offset >= length:
                yield from connection.execute(sql, flat[offset : offset + length])
                offset += length
