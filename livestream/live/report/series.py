"""One metric's rows: all of them, or a selection that looks the same when it is drawn.

A selection is made of buckets of equally many rows, of which the lowest and the highest are kept: a line through them
has every peak of the full one (this is what min-max decimation means in plotting). Halving it joins neighbouring
buckets, so the selection stays even over the whole run however often it is halved; halving the rows themselves would
thin the beginning once more each time, until nothing of it is left. The last bucket is open: besides its extremes it
has the newest row, always.
"""

from __future__ import annotations

from math import isfinite, nan
from typing import Final, TypeAlias

Row: TypeAlias = tuple[str, ...]
"""A line of the history's file: a text a column."""

_EXTREMES: Final = 2
_MAX_OPEN: Final = 8
SMALLEST: Final = 16
"""A series of fewer rows is not halved."""


class Series:
    """The rows of one metric.

    Attributes:
        header: The columns' names, as the first line of the file has them.
        bucket_rows: How many rows a bucket stands for; 1 while every row is kept.
    """

    def __init__(self, header: Row, name: str) -> None:
        """Begin without rows.

        Args:
            header: The columns' names.
            name: The column of the values.
        """
        self.header = header
        self.bucket_rows = 1
        self._column = header.index(name) if name in header else len(header) - 1
        self._kept: list[Row] = []
        self._open: list[Row] = []
        self._open_rows = 0  # that the open bucket stands for

    def __len__(self) -> int:
        return len(self._kept) + len(self._open)

    def rows(self) -> list[Row]:
        """Give what is kept, in its order."""
        return self._kept + self._open

    def append(self, row: Row) -> None:
        """Take the next row."""
        if self.bucket_rows == 1:
            self._kept.append(row)
            return
        if self._open_rows >= self.bucket_rows:
            self._kept += self._extremes(self._open)
            self._open = []
            self._open_rows = 0
        elif len(self._open) >= _MAX_OPEN:
            self._open = self._extremes(self._open)
        self._open.append(row)
        self._open_rows += 1

    def halve(self) -> None:
        """Keep half as many rows, of buckets of twice as many (of 4, the first time)."""
        all_kept = self.bucket_rows == 1
        joined = 2 * _EXTREMES  # kept rows that make one new bucket
        whole = (len(self._kept) - all_kept) // joined * joined  # the newest row stays open
        rest = self._kept[whole:]
        kept: list[Row] = []
        for place in range(0, whole, joined):
            kept += self._extremes(self._kept[place : place + joined])
        self._open = rest + self._open
        self._open_rows += len(rest) if all_kept else len(rest) // _EXTREMES * self.bucket_rows
        self._kept = kept
        self.bucket_rows *= joined if all_kept else 2

    def _extremes(self, rows: list[Row]) -> list[Row]:
        """Give the lowest and the highest of two or more rows, in their order; the first and last without numbers."""
        numbers = [self._number(row) for row in rows]
        places = [place for place, number in enumerate(numbers) if isfinite(number)] or [0]
        lowest = min(places, key=numbers.__getitem__)
        others = [place for place in places if place != lowest] or [len(rows) - 1 if lowest == 0 else 0]
        highest = max(others, key=numbers.__getitem__)
        return [rows[min(lowest, highest)], rows[max(lowest, highest)]]

    def _number(self, row: Row) -> float:
        try:
            return float(row[self._column])
        except (ValueError, IndexError):
            return nan
